"""Who gets which task, and what becomes of the tasks of those who are lost."""

import asyncio

import pytest

from chain.messages.tasks import FollowTasks
from execution.call_pool import CallPool
from execution.pool import SHORT_S, JobTimeout, NoWorkers, Pool, PoolBusy, WorkerLost
from execution.pool_core import Pace, PoolCore
from tests.execution.pool_workers import CALL, Worker, answered
from tests.execution.world import until


def held(core: PoolCore[str]) -> list[tuple[str, str]]:
    return [(a.worker, a.job) for a in core.assignments()]


def test_workers_get_a_bounded_number_of_jobs_evenly() -> None:
    core: PoolCore[str] = PoolCore(max_in_flight=2)
    for name in ("w0", "w1"):
        core.add_worker(name)
    for job in "abcde":
        core.submit(job)
    assert held(core) == [("w0", "a"), ("w1", "b"), ("w0", "c"), ("w1", "d")]
    assert core.waiting == 1


def test_a_preferred_worker_gets_its_jobs_and_others_wait_for_it() -> None:
    core: PoolCore[str] = PoolCore(max_in_flight=1)
    for name in ("w0", "w1"):
        core.add_worker(name)
    for job in "ab":
        core.submit(job, "w1")
    (first,) = core.assignments()
    assert (first.worker, first.job) == ("w1", "a")
    assert core.finished("w1", first.lease) == "a"
    assert held(core) == [("w1", "b")]


def test_what_may_wait_is_done_by_a_worker_that_has_nothing_else_to_do() -> None:
    core: PoolCore[str] = PoolCore(max_in_flight=2)
    core.add_worker("a")
    core.submit("one", "a")
    (one,) = core.assignments()
    core.submit_when_idle("later", "a")
    core.submit("two", "a")
    assert [assigned.job for assigned in core.assignments()] == ["two"]
    assert core.finished("a", one.lease) == "one"
    assert core.assignments() == []
    assert core.waiting == 1
    assert core.finished("a", one.lease + 1) == "two"
    assert [assigned.job for assigned in core.assignments()] == ["later"]
    core.submit_when_idle("last", "a")
    core.remove_worker("a")
    core.add_worker("b")
    assert [assigned.job for assigned in core.assignments()] == ["later", "last"], "of a lost worker another takes it"
    core.submit_when_idle("too late", "b")
    assert core.withdraw("too late")


def test_a_lost_workers_jobs_go_first_to_another() -> None:
    core: PoolCore[str] = PoolCore(max_in_flight=2)
    core.add_worker("w0")
    for job in "abc":
        core.submit(job, "w0")
    core.assignments()
    core.submit("z")
    core.add_worker("w1")
    assert core.remove_worker("w0") == []
    assert held(core) == [("w1", "a"), ("w1", "b")]
    assert core.waiting == 2


def test_a_job_that_costs_worker_after_worker_is_given_up() -> None:
    core: PoolCore[str] = PoolCore()
    core.add_worker("w0")
    core.submit("poison", losses_allowed=1)
    core.assignments()
    assert core.add_worker("w0") == []
    core.assignments()
    assert core.remove_worker("w0") == ["poison"]


def test_an_answer_to_a_lease_that_was_taken_away_is_ignored() -> None:
    core: PoolCore[str] = PoolCore()
    core.add_worker("w0")
    core.submit("a")
    (assignment,) = core.assignments()
    core.add_worker("w0")
    assert core.finished("w0", assignment.lease) is None


async def asked() -> None:
    """Calls of one turn of the event loop go in the next."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_job_without_any_worker_is_refused_at_once() -> None:
    with pytest.raises(NoWorkers):
        Pool().submit(lambda worker, lease: CALL)


async def test_two_processes_of_one_name_are_two_workers() -> None:
    pool, first, second = Pool(), Worker("worker"), Worker("worker")
    pool.follow(first)
    pool.follow(second)
    assert list(pool.workers) == ["worker", "worker#2"]
    pool.left(first)
    assert list(pool.workers) == ["worker#2"]


async def test_it_is_told_when_a_worker_comes_and_when_it_is_lost_so_that_nothing_is_kept_for_it() -> None:
    pool, worker = Pool(), Worker("worker")
    heard: list[str] = []
    pool.on_worker = heard.append
    pool.follow(worker)
    assert heard == ["worker"]
    pool.left(worker)
    assert heard == ["worker", "worker"]


async def test_a_call_whose_reader_dies_is_tried_once_more_on_another() -> None:
    pool, first, second = CallPool(), Worker("r0"), Worker("r1")
    await pool.answer(FollowTasks(), first)
    call = asyncio.ensure_future(pool.call(CALL))
    await asked()
    assert len(first.pushed) == 1
    await pool.answer(FollowTasks(), second)
    pool.left(first)
    await asked()
    pool.hear(answered(second.pushed[0]), second)
    assert (await call).output == b"ok"


async def test_nothing_waits_behind_a_trace_while_another_reader_is_there() -> None:
    pool, tracing, calling = Pool(), Worker("r0"), Worker("r1")
    pool.follow(tracing)
    pool.submit(lambda worker, lease: CALL, pace=Pace.STEPS)
    pool.follow(calling)
    for _ in range(3):
        pool.submit(lambda worker, lease: CALL)
    assert (len(tracing.pushed), len(calling.pushed), pool.waiting) == (1, 2, 1)
    pool.left(calling)
    assert (len(tracing.pushed), pool.waiting) == (2, 2), "the only reader takes what there is"


def test_what_waits_goes_between_the_steps_of_a_trace_once_others_take_long() -> None:
    paces = {"trace": Pace.STEPS, "call": Pace.OPEN}
    core: PoolCore[str] = PoolCore(pace_of=lambda job: paces.get(job, Pace.SHORT))
    for name in ("w0", "w1"):
        core.add_worker(name)
    for job in ("trace", "call", "next", "last"):
        core.submit(job)
    assert held(core) == [("w0", "trace"), ("w1", "call")]
    assert core.waits_for_open == "next"
    core.grew_long()
    assert held(core) == [("w0", "next")]
    assert core.waits_for_open is None


def test_what_waits_for_one_worker_only_makes_no_other_take_it() -> None:
    paces = {"trace": Pace.STEPS, "call": Pace.OPEN}
    core: PoolCore[str] = PoolCore(pace_of=lambda job: paces.get(job, Pace.SHORT))
    for name in ("w0", "w1"):
        core.add_worker(name)
    for job in ("trace", "call"):
        core.submit(job)
    assert held(core) == [("w0", "trace"), ("w1", "call")]
    core.submit_when_idle("last", "w1")
    assert core.waits_for_open is None


@pytest.mark.parametrize("pace", [Pace.OPEN, Pace.LONG])
def test_nothing_waits_for_a_worker_that_it_prefers_behind_what_may_take_long(pace: Pace) -> None:
    core: PoolCore[str] = PoolCore(pace_of=lambda job: pace if job == "long" else Pace.SHORT)
    for name in ("w0", "w1"):
        core.add_worker(name)
    for job in ("first", "second", "long", "behind", "last"):
        core.submit(job, preferred="w0")
    first, *_ = (assigned := core.assignments())
    assert [(each.worker, each.job) for each in assigned] == [("w0", "first"), ("w0", "second")]
    core.finished("w0", first.lease)
    assert held(core) == [("w0", "long")]
    behind, last = core.assignments()
    assert [(each.worker, each.job) for each in (behind, last)] == [("w1", "behind"), ("w1", "last")]
    core.submit("late", preferred="w0")
    core.finished("w1", behind.lease)
    assert held(core) == [("w1", "late")]


async def test_a_call_goes_to_a_tracing_reader_when_the_other_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.pool.SHORT_S", 0.0)
    pool, tracing, calling = Pool(), Worker("r0"), Worker("r1")
    for reader, pace in ((tracing, Pace.STEPS), (calling, Pace.OPEN)):
        pool.follow(reader)
        pool.submit(lambda worker, lease: CALL, pace=pace)
    pool.submit(lambda worker, lease: CALL)
    assert (len(tracing.pushed), len(calling.pushed)) == (1, 1)
    await until(lambda: len(tracing.pushed) == 2)
    assert len(calling.pushed) == 1


async def test_a_call_waits_for_the_slow_reader_as_long_as_any_whoever_came_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = began = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    pool, tracing, calling = Pool(), Worker("r0"), Worker("r1")
    for reader, pace in ((tracing, Pace.STEPS), (calling, Pace.OPEN)):
        pool.follow(reader)
        pool.submit(lambda worker, lease: CALL, pace=pace)
    first = pool.submit(lambda worker, lease: CALL)
    now = began + SHORT_S / 2
    pool.submit(lambda worker, lease: CALL)
    pool.withdraw((first,))
    for later, taken in ((1.25, 1), (1.5, 2)):
        now = began + later * SHORT_S
        await asked()
        assert len(tracing.pushed) == taken


async def test_a_call_that_kills_two_readers_fails() -> None:
    pool = CallPool()
    call = asyncio.ensure_future(pool.call(CALL))
    for name in ("r0", "r1"):
        reader = Worker(name)
        await pool.answer(FollowTasks(), reader)
        await asked()
        pool.left(reader)
    with pytest.raises(WorkerLost):
        await call


async def test_a_call_waits_for_a_reader_to_come() -> None:
    pool, reader = CallPool(), Worker("r0")
    call = asyncio.ensure_future(pool.call(CALL))
    await asked()
    assert pool.waiting == 1
    await pool.answer(FollowTasks(), reader)
    pool.hear(answered(reader.pushed[0]), reader)
    assert (await call).output == b"ok"


async def test_calls_beyond_the_bound_are_refused_as_busy() -> None:
    pool = Pool(wait_for_workers=True, max_waiting=2)
    jobs = [pool.submit(lambda worker, lease: CALL) for _ in range(2)]
    with pytest.raises(PoolBusy, match="server busy"):
        pool.submit(lambda worker, lease: CALL)
    pool.withdraw(jobs)
    assert pool.waiting == 0


async def test_a_call_on_a_stuck_reader_fails_and_the_others_move_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.call_pool.GRACE_S", 0.01)
    pool, stuck, other = CallPool(), Worker("r0"), Worker("r1")
    await pool.answer(FollowTasks(), stuck)
    first = asyncio.ensure_future(pool.call(CALL))
    await asked()
    second = asyncio.ensure_future(pool.call(CALL._replace(time_limit_ms=10_000)))
    await asked()
    await pool.answer(FollowTasks(), other)
    with pytest.raises(JobTimeout):
        await first
    assert len(other.pushed) == 1
    pool.hear(answered(other.pushed[0]), other)
    assert (await second).output == b"ok"
    assert list(pool.workers) == ["r1"]
    pool.hear(answered(stuck.pushed[0]), stuck)
    assert list(pool.workers) == ["r1", "r0"]


async def test_a_call_that_only_waited_behind_a_long_one_does_not_make_its_reader_a_stuck_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("execution.call_pool.GRACE_S", 0.01)
    pool, reader = CallPool(), Worker("r0")
    await pool.answer(FollowTasks(), reader)
    long = asyncio.ensure_future(pool.call(CALL._replace(time_limit_ms=10_000)))
    await asked()
    with pytest.raises(JobTimeout):
        await pool.call(CALL)
    assert len(reader.pushed) == 1
    assert list(pool.workers) == ["r0"]
    pool.hear(answered(reader.pushed[0]), reader)
    assert (await long).output == b"ok"


async def test_a_caller_that_goes_away_does_not_make_its_reader_a_stuck_one() -> None:
    pool, reader = CallPool(), Worker("r0")
    await pool.answer(FollowTasks(), reader)
    call = asyncio.ensure_future(pool.call(CALL._replace(time_limit_ms=10_000)))
    await asked()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert list(pool.workers) == ["r0"]


async def test_a_worker_that_takes_no_more_loses_its_tasks_to_others() -> None:
    pool, full, free = Pool(), Worker("w0", room=0), Worker("w1")
    pool.follow(full)
    pool.follow(free)
    job = pool.submit(lambda worker, lease: CALL)
    assert len(free.pushed) == 1
    assert job.worker == "w1"
    assert pool.workers == ("w1",)


async def test_a_worker_that_takes_a_task_and_never_answers_counts_as_lost_until_it_speaks() -> None:
    pool, stopped = Pool(), Worker("w0")
    pool.follow(stopped)
    job = pool.submit(lambda worker, lease: CALL._replace(call_id=lease), limit_s=0.01)
    with pytest.raises(JobTimeout, match=r"no answer within 0\.01 s"):
        await pool.wait(job)
    assert not list(pool.workers)
    late = stopped.pushed[0]
    pool.finished(stopped, late.call_id, late)
    assert list(pool.workers) == ["w0"]


@pytest.mark.parametrize(("cores", "lanes"), [(None, 3), (1, 0), (2, 1), (3, 2), (16, 3)])
async def test_execution_has_a_core_of_its_own_unless_workers_are_elsewhere(cores: int | None, lanes: int) -> None:
    pool = Pool(cores=cores)
    for number in range(3):
        pool.follow(Worker(f"w{number}"))
    assert pool.lanes == pool.workers[:lanes]
    assert len(pool.workers) == 3
