"""Calls that go to readers together: who gets which, and that nobody waits long for another's."""

import asyncio
import gc
from typing import Any

import pytest
import uvloop

from chain.messages import Message
from chain.messages.calls import CallOutcome, RunCall
from chain.messages.tasks import FollowTasks
from chain.types import Version
from execution import call_pool
from execution.call_bundles import MAX_CALLS, QUICK_MS
from execution.call_pool import GRACE_S, CallPool
from execution.pool import JobTimeout, PoolBusy, WorkerLost
from tests.execution.bundled_calls import leaping_clock, numbers_of, outcomes, pool_of, run, settled
from tests.execution.pool_workers import CALL, Worker


async def test_calls_of_one_turn_go_together_and_each_gets_its_own_outcome() -> None:
    first, second = Worker("r0"), Worker("r1")
    pool = await pool_of(first, second)
    calls = run(pool, *range(6))
    await settled()
    more = run(pool, 6, 7)
    await settled()
    assert [numbers_of(task) for task in (*first.pushed, *second.pushed)] == [[0, 1, 2, 3, 4, 5], [6, 7]]
    pool.hear(outcomes(second.pushed[0]), second)
    pool.hear(outcomes(first.pushed[0]), first)
    assert [(await call).output for call in (*calls, *more)] == [bytes([number]) for number in range(8)]


async def test_while_readers_are_busy_calls_wait_for_those_of_the_next_turn_as_long_as_some_come() -> None:
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)
    run(pool, 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [numbers_of(task) for task in readers[0].pushed] == [[0]], "nobody was busy"
    for number in range(1, 5):
        run(pool, number)
        await asyncio.sleep(0)
    assert not readers[1].pushed
    await settled()
    assert [numbers_of(task) for task in readers[1].pushed] == [[1, 2, 3, 4]]
    run(pool, 5)
    for number in range(6, 6 + 2 * MAX_CALLS):
        await asyncio.sleep(0)
        run(pool, number)
    assert len(numbers_of(readers[1].pushed[1])) == MAX_CALLS, "they are enough"


async def test_calls_that_find_all_readers_busy_go_together_when_one_is_free() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)
    for number in range(6):
        run(pool, number)
        await settled()
    assert [numbers_of(task) for task in reader.pushed] == [[0]]
    assert pool.waiting == 5
    pool.hear(outcomes(reader.pushed[0]), reader)
    assert numbers_of(reader.pushed[1]) == [1, 2, 3, 4, 5]
    assert pool.waiting == 0


async def test_no_bundle_is_larger_than_the_bound() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)
    run(pool, *range(2 * MAX_CALLS + 3))
    await settled()
    assert [len(numbers_of(task)) for task in reader.pushed] == [MAX_CALLS, MAX_CALLS]
    assert pool.waiting == 3


async def test_calls_of_different_states_never_share_a_bundle() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)
    calls = [asyncio.ensure_future(pool.call(CALL._replace(version=Version(version)))) for version in (1, 2)]
    await settled()
    for version in (1, 2):
        assert [task.version for task in reader.pushed] == [version]
        pool.hear(outcomes(reader.pushed.pop()), reader)
    await asyncio.gather(*calls)


async def test_what_did_not_end_in_the_time_of_its_bundle_goes_alone_with_its_own() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)
    calls = run(pool, 0, 1, 2)
    await settled()
    assert reader.pushed[0].time_limit_ms == QUICK_MS
    pool.hear(outcomes(reader.pushed[0], ended=1), reader)
    assert (await calls[0]).output == b"\0"
    await settled()
    for place, number in ((1, 2), (2, 1)):
        assert [numbers_of(task) for task in reader.pushed[place:]] == [[number]]
        assert reader.pushed[place].time_limit_ms == CALL.time_limit_ms
        pool.hear(outcomes(reader.pushed[place]), reader)
    assert [(await call).output for call in calls] == [b"\0", b"\1", b"\2"]


async def test_a_bundle_is_as_many_calls_as_take_a_few_milliseconds() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)

    async def first_size(call_us: int, ended: int | None = None) -> int:
        calls = run(pool, *range(MAX_CALLS))
        await settled()
        size = len(numbers_of(reader.pushed[0]))
        while reader.pushed:
            pool.hear(outcomes(reader.pushed.pop(0), ended, call_us), reader)
            await settled()
        assert [(await call).output for call in calls] == [bytes([number]) for number in range(MAX_CALLS)]
        return size

    assert [await first_size(call_us=30) for _ in range(3)] == [MAX_CALLS] * 3
    assert [await first_size(call_us=1_000) for _ in range(4)][1:] == [7, 4, 4]
    assert [await first_size(call_us=8_000) for _ in range(3)][2:] == [1]
    assert [await first_size(call_us=30) for _ in range(2)][1:] == [MAX_CALLS]
    await first_size(call_us=5_000, ended=0)
    assert await first_size(call_us=30) == 1, "a bundle of which nothing ended in its time"


async def test_a_call_that_kills_readers_takes_none_of_its_bundle_with_it() -> None:
    pool = CallPool()
    calls = run(pool, 0, 1)
    await settled()
    for life in range(8):
        reader = Worker(f"r{life}")
        await pool.answer(FollowTasks(), reader)
        await settled()
        for task in tuple(reader.pushed):
            if 0 in numbers_of(task):
                pool.left(reader)
                break
            pool.hear(outcomes(task), reader)
        await settled()
    assert (await calls[1]).output == b"\1"
    with pytest.raises(WorkerLost):
        await calls[0]


async def test_a_call_that_nobody_waits_for_any_more_is_not_run() -> None:
    reader = Worker("r0")
    pool = await pool_of()
    calls = run(pool, 0, 1, 2)
    await settled()
    calls[1].cancel()
    await settled()
    await pool.answer(FollowTasks(), reader)
    assert numbers_of(reader.pushed[0]) == [0, 2]
    pool.hear(outcomes(reader.pushed[0]), reader)
    assert (await calls[2]).output == b"\2"
    gone = run(pool, 3)
    await settled()
    gone[0].cancel()
    await settled()
    assert pool.waiting == 0


async def test_a_call_that_comes_when_the_last_of_a_waiting_bundle_goes_away_is_run() -> None:
    reader = Worker("r0")
    pool = await pool_of()
    gone = run(pool, 0)
    await settled()
    late = run(pool, 1)
    gone[0].cancel()
    await settled()
    await pool.answer(FollowTasks(), reader)
    assert [numbers_of(task) for task in reader.pushed] == [[1]]
    pool.hear(outcomes(reader.pushed[0]), reader)
    assert (await late[0]).output == b"\1"


class Prompt(Worker):
    """Answers whatever it is told."""

    def __init__(self, name: str, pool: CallPool) -> None:
        super().__init__(name)
        self._pool = pool

    def push(self, message: Message) -> bool:
        self.pushed.append(message)
        asyncio.get_running_loop().call_soon(self._pool.hear, outcomes(message), self)
        return True


async def test_a_stuck_reader_takes_none_of_a_bundle_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_pool, "GRACE_S", 0.05)
    stuck = Worker("r0")
    pool = await pool_of(stuck)
    calls = run(pool, 0, 1, 2)
    await settled()
    assert [numbers_of(task) for task in stuck.pushed] == [[0, 1, 2]]
    await pool.answer(FollowTasks(), Prompt("r1", pool))
    assert [(await call).output for call in calls] == [b"\0", b"\1", b"\2"]


async def test_a_bundle_that_fails_with_the_reader_of_one_that_expires_with_it_is_run_again_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that came first is looked at first, and its reader has the other one before it."""
    leap = leaping_clock(monkeypatch)
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)
    calls = []
    for number in range(0, 8, 2):
        calls += run(pool, number, number + 1)
        await settled()
    told = [[numbers_of(task) for task in reader.pushed] for reader in readers]
    assert told == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    pool.left(readers[0])
    pool.hear(outcomes(readers[1].pushed[0]), readers[1])
    assert [numbers_of(task) for task in readers[1].pushed[1:]] == [[6, 7], [4, 5]]
    await settled()
    leap(GRACE_S)
    await settled()
    assert not pool.workers
    third = Worker("r2")
    await pool.answer(FollowTasks(), third)
    for place in range(4):
        pool.hear(outcomes(third.pushed[place]), third)
    assert sorted(number for task in third.pushed for number in numbers_of(task)) == [4, 5, 6, 7]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in ended] == [JobTimeout] * 2 + [CallOutcome] * 6


def test_calls_without_time_fail_on_the_event_loop_that_rpc_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_pool, "GRACE_S", 0.0)
    failures: list[dict[str, Any]] = []

    async def ask() -> list[CallOutcome | BaseException]:
        asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
        pool = await pool_of(Worker("r0"))
        calls = [pool.call(CALL._replace(version=Version(version))) for version in (1, 2)]
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in uvloop.run(ask())] == [JobTimeout, JobTimeout]
    assert not failures


async def test_waiting_calls_are_bounded_however_many_go_together() -> None:
    pool = CallPool(max_waiting=10)
    calls = run(pool, *range(10))
    with pytest.raises(PoolBusy, match="10 calls wait"):
        await asyncio.gather(*run(pool, 10))
    for call in calls:
        call.cancel()
    await settled()
    assert pool.waiting == 0


async def test_what_a_call_took_is_free_once_it_is_answered() -> None:
    """Found garbage costs 20 ms for 10,000 calls, in which nothing is answered."""
    reader = Worker("r0")
    pool = await pool_of(reader)

    async def answer(*numbers: int) -> None:
        calls = run(pool, *numbers)
        await settled()
        pool.hear(outcomes(reader.pushed.pop()), reader)
        await asyncio.gather(*calls)

    def held() -> int:
        return sum(isinstance(each, RunCall) for each in gc.get_objects())

    await answer(0, 1)
    before = held()
    gc.disable()
    try:
        for number in range(5):
            await answer(number, number + 1)
            await answer(number)
        assert held() <= before + 1, "that of the last one may be"
    finally:
        gc.enable()
