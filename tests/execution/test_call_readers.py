"""Which reader gets which calls: the one that is awake, as long as nobody waits for what is slow."""

import asyncio

import pytest

from chain.types import Version
from execution.call_bundles import BRIEF_US, MANY_CALLS, MAX_CALLS, QUICK_MS
from tests.execution.bundled_calls import leaping_clock, numbers_of, outcomes, pool_of, run, settled
from tests.execution.pool_workers import CALL, Worker


async def test_brief_calls_that_are_many_go_to_the_reader_that_is_awake_while_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leap = leaping_clock(monkeypatch)
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)

    def told() -> list[list[int]]:
        return [[len(numbers_of(task)) for task in reader.pushed] for reader in readers]

    async def ask(count: int) -> None:
        run(pool, *range(count))
        await settled()

    async def learn(call_us: int) -> None:
        """From as many answers as it takes."""
        for _ in range(10):
            await ask(2)
            pool.hear(outcomes(readers[0].pushed.pop(), call_us=call_us), readers[0])
            await settled()

    await learn(BRIEF_US // 2)
    for _ in range(3):
        await ask(MANY_CALLS)
    assert told() == [[MANY_CALLS, MANY_CALLS], []]
    assert pool.waiting == MANY_CALLS, "others may join those that wait"
    pool.hear(outcomes(readers[0].pushed.pop(0)), readers[0])
    assert told() == [[MANY_CALLS, MANY_CALLS], []]
    leap(2 * QUICK_MS / 1000)
    await ask(1)
    assert told() == [[MANY_CALLS, MANY_CALLS], [1]], "it does not answer"
    for reader in readers:
        while reader.pushed:
            pool.hear(outcomes(reader.pushed.pop(0)), reader)
    await settled()
    for few_or_long in (MANY_CALLS - 1, MANY_CALLS):
        for _ in range(2):
            await ask(few_or_long)
        assert told() == [[few_or_long], [few_or_long]]
        for reader in readers:
            pool.hear(outcomes(reader.pushed.pop(), call_us=4 * BRIEF_US), reader)
        await learn(2 * BRIEF_US)


async def test_brief_calls_do_not_wait_for_a_reader_that_is_at_a_slow_one() -> None:
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)
    for _ in range(10):
        run(pool, 0, 1)
        await settled()
        pool.hear(outcomes(readers[0].pushed.pop(), call_us=BRIEF_US // 2), readers[0])
    for first in (10, 20):
        run(pool, *range(first, first + MANY_CALLS))
        await settled()
    slow = asyncio.ensure_future(pool.call(CALL._replace(version=Version(2))))
    await settled()
    run(pool, *range(30, 30 + MANY_CALLS))
    await settled()
    assert [len(reader.pushed) for reader in readers] == [2, 0], "all are for the reader that is awake"
    pool.hear(outcomes(readers[0].pushed.pop(0)), readers[0])
    assert readers[0].pushed[1].version == Version(2)
    assert [numbers_of(task)[0] for task in readers[1].pushed] == [30]
    slow.cancel()


async def test_brief_calls_do_not_overtake_what_waits_for_any_reader() -> None:
    reader = Worker("r0")
    pool = await pool_of(reader)
    for _ in range(4):
        run(pool, *range(MAX_CALLS))
        await settled()
        pool.hear(outcomes(reader.pushed.pop(), call_us=1), reader)
        await settled()
    for number in range(3):
        if number == 2:
            estimate = asyncio.ensure_future(pool.call(CALL._replace(estimate=True)))
            await settled()
        run(pool, *range(MANY_CALLS))
        await settled()
    for _ in range(2):
        pool.hear(outcomes(reader.pushed.pop(0)), reader)
    assert [task.estimate for task in reader.pushed] == [True]
    pool.hear(outcomes(reader.pushed.pop(0)), reader)
    assert not (await estimate).error
    assert [len(numbers_of(task)) for task in reader.pushed] == [MANY_CALLS]


async def test_no_call_waits_behind_one_that_may_take_long() -> None:
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)
    for number in range(4):
        run(pool, number)
        await settled()
    assert [[numbers_of(task) for task in reader.pushed] for reader in readers] == [[[0]], [[1]]]
    pool.hear(outcomes(readers[1].pushed[0]), readers[1])
    assert [[numbers_of(task) for task in reader.pushed] for reader in readers] == [[[0]], [[1], [2, 3]]]
    run(pool, 4)
    await settled()
    assert numbers_of(readers[1].pushed[2]) == [4], "several calls have little time together: one waits behind them"


async def test_nothing_is_queued_behind_a_call_that_was_slow_while_another_reader_is_there() -> None:
    readers = Worker("r0"), Worker("r1")
    pool = await pool_of(*readers)
    run(pool, 0, 1, 2, 3)
    await settled()
    pool.hear(outcomes(readers[0].pushed.pop(), ended=0), readers[0])
    await settled()
    run(pool, *range(10, 14))
    await settled()
    for place in range(2):
        pool.hear(outcomes(readers[1].pushed[place]), readers[1])
    told = [[numbers_of(task) for task in reader.pushed] for reader in readers]
    assert told == [[[1]], [[2], [3], [0]]], "the others of the bundle came before it"
    assert pool.waiting == 4
    pool.hear(outcomes(readers[0].pushed[0]), readers[0])
    assert [numbers_of(task) for task in readers[0].pushed[1:]] == [[10, 11, 12, 13]]
