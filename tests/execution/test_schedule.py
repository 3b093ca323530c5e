"""Which transactions run together, where, and when workers pay."""

from collections.abc import Mapping, Sequence

import pytest

from chain.types import Address
from execution.chain_scheduler import ChainScheduler
from execution.contention import Key
from execution.schedule import MAX_TASK_TRANSACTIONS, TASK_US, Candidate, PlannedTask, chains_of, pays
from execution.scheduler import Command, Send
from execution.strategies.optimistic import Optimistic

S = [Address(bytes([n]) * 20) for n in range(1, 60)]
HERE, THERE = (S[50], 0), (S[51], 7)
MeetsAt = Mapping[int, Sequence[Key]]


def candidates(*senders: int, us: int = 100) -> list[Candidate]:
    return [Candidate(index, S[sender], us) for index, sender in enumerate(senders)]


def tasks_of(
    given: list[Candidate], meets_at: MeetsAt | None = None, workers: tuple[str, ...] = ("w0", "w1"), slow: str = ""
) -> list[PlannedTask]:
    """All tasks of a block whose workers end theirs by turns; the `slow` one ends one in three."""
    scheduler = ChainScheduler(chains_of(given, meets_at or {}), workers, {})
    out: list[PlannedTask] = []
    sent: list[PlannedTask] = []

    def obey(commands: Sequence[Command]) -> None:
        for command in commands:
            assert isinstance(command, Send)
            out.append(command.task)
            sent.append(command.task)

    obey(list(scheduler.start()))
    for turn in range(1_000):
        ended = next((task for task in out if task.worker != slow or turn % 3 == 0), None)
        if ended is not None:
            out.remove(ended)
            obey(list(scheduler.ran(ended, ())))
    assert out == []
    return sent


def worker_of(index: int, tasks: list[PlannedTask]) -> str:
    (worker,) = {task.worker for task in tasks if index in task.indices}
    return worker


def test_every_candidate_runs_exactly_once() -> None:
    tasks = tasks_of(candidates(*[n % 7 for n in range(50)]))
    assert sorted(i for task in tasks for i in task.indices) == list(range(50))


def test_a_senders_transactions_form_one_chain_in_order() -> None:
    tasks = tasks_of(candidates(*[n % 2 for n in range(60)], us=1_000))
    assert {worker_of(n, tasks) for n in range(0, 60, 2)} != {worker_of(n, tasks) for n in range(1, 60, 2)}
    for worker in ("w0", "w1"):
        order = [index for task in tasks if task.worker == worker for index in task.indices]
        assert order == sorted(order)
    assert all(len(task.indices) <= MAX_TASK_TRANSACTIONS for task in tasks)


def test_workers_are_loaded_by_expected_time() -> None:
    heavy = Candidate(0, S[0], 5_000)
    light = [Candidate(n, S[n], 500) for n in range(1, 11)]
    tasks = tasks_of([heavy, *light])
    assert {worker_of(n, tasks) for n in range(1, 11)} == {"w0", "w1"} - {worker_of(0, tasks)}


def test_who_has_a_long_chain_to_go_leaves_the_rest_to_others() -> None:
    chain = [Candidate(2 * n, S[0], 1_000) for n in range(20)]
    others = [Candidate(2 * n + 1, S[1 + n], 1_000) for n in range(20)]
    tasks = tasks_of(sorted(chain + others, key=lambda candidate: candidate.index))
    alone = worker_of(0, tasks)
    assert sum(worker_of(candidate.index, tasks) == alone for candidate in others) <= 4


def test_a_slow_worker_gets_less() -> None:
    tasks = tasks_of(candidates(*range(40), us=1_000), slow="w1")
    runs = {worker: sum(len(t.indices) for t in tasks if t.worker == worker) for worker in ("w0", "w1")}
    assert runs["w0"] > runs["w1"] + 5


def test_transactions_that_meet_at_a_key_go_to_one_worker() -> None:
    meets_at = {n: (HERE,) if n % 2 else (HERE, THERE) for n in range(20, 40)}
    assert len({worker_of(n, tasks_of(candidates(*range(40)), meets_at)) for n in range(20, 40)}) == 1


def test_keys_that_one_transaction_touches_both_join_those_that_touch_either() -> None:
    meets_at = {n: ((HERE,), (THERE,), (HERE, THERE))[n % 3] for n in range(30)}
    assert len({task.worker for task in tasks_of(candidates(*range(30)), meets_at)}) == 1


def test_a_workers_tasks_get_shorter() -> None:
    lengths = [len(task.indices) for task in tasks_of(candidates(*[0] * 30, us=1_000), workers=("w0",))]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 15
    assert all(length * 1_000 >= TASK_US for length in lengths[:-1])


def test_what_execution_came_to_first_is_not_sent_any_more() -> None:
    scheduler = ChainScheduler([candidates(*[0] * 40, us=1_000)], ("w0",), {})
    first, *_ = [command.task for command in scheduler.start() if isinstance(command, Send)]
    for index in range(36):
        list(scheduler.took_turn(index, None))
    (command,) = scheduler.ran(first, ())
    assert command == Send(PlannedTask("w0", (36, 37, 38, 39)))


def test_a_block_that_is_not_sent_has_no_tasks() -> None:
    assert list(ChainScheduler((), ("w0", "w1"), {}).start()) == []


@pytest.fixture
def worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", 0.85)


@pytest.mark.usefixtures("worth")
def test_long_runs_of_distinct_senders_pay() -> None:
    chains = chains_of(candidates(*range(40), us=1_000), {})
    assert pays(chains, workers=2, cores=2)
    assert not pays(chains, workers=1, cores=1)


@pytest.mark.usefixtures("worth")
def test_a_block_that_is_one_chain_does_not_pay() -> None:
    assert not pays(chains_of(candidates(*[0] * 40, us=1_000), {}), workers=2, cores=2)
    assert not pays(chains_of(candidates(*range(40), us=1_000), dict.fromkeys(range(40), (HERE,))), workers=8, cores=9)


@pytest.mark.usefixtures("worth")
def test_runs_shorter_than_the_work_around_them_do_not_pay() -> None:
    assert not pays(chains_of(candidates(*range(40), us=20), {}), workers=16, cores=32)


def test_of_blocks_that_do_not_pay_some_are_sent_to_find_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", 0)
    rule = Optimistic()
    assert [rule.sends(chains_of(candidates(*range(9)), {}), 2) for _ in range(5)] == [True, False, False, False, True]
    assert not any(rule.sends(chains_of(candidates(*[0] * 9), {}), 2) for _ in range(5))
