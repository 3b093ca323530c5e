"""Which transactions run together, and where."""

import pytest

from chain.types import Address
from execution.contention import Key
from execution.schedule import MAX_TASK_TRANSACTIONS, TASK_US, Candidate, PlannedTask, pays, plan

S = [Address(bytes([n]) * 20) for n in range(1, 60)]
HERE, THERE = (S[50], 0), (S[51], 7)


def worker_of(index: int, tasks: list[PlannedTask]) -> str:
    (worker,) = {task.worker for task in tasks if index in task.indices}
    return worker


def candidates(*senders: int, us: int = 100) -> list[Candidate]:
    return [Candidate(index, S[sender], us) for index, sender in enumerate(senders)]


def test_every_candidate_runs_exactly_once() -> None:
    given = candidates(*[n % 7 for n in range(50)])
    tasks = plan(given, ["w0", "w1"], {})
    assert sorted(i for task in tasks for i in task.indices) == list(range(50))


def test_a_senders_transactions_form_one_chain_in_order() -> None:
    tasks = plan(candidates(*[n % 2 for n in range(60)]), ["w0", "w1"], {})
    assert {worker_of(n, tasks) for n in range(0, 60, 2)} != {worker_of(n, tasks) for n in range(1, 60, 2)}
    for task in tasks:
        assert list(task.indices) == sorted(task.indices)
        assert len(task.indices) <= MAX_TASK_TRANSACTIONS


def test_workers_are_loaded_by_expected_time() -> None:
    heavy = Candidate(0, S[0], 5_000)
    light = [Candidate(n, S[n], 500) for n in range(1, 11)]
    tasks = plan([heavy, *light], ["w0", "w1"], {})
    assert {worker_of(n, tasks) for n in range(1, 11)} == {"w0", "w1"} - {worker_of(0, tasks)}


def test_transactions_that_meet_at_a_key_go_to_one_worker() -> None:
    meets_at = {n: (HERE,) if n % 2 else (HERE, THERE) for n in range(20, 40)}
    tasks = plan(candidates(*range(40)), ["w0", "w1"], meets_at)
    assert {worker_of(n, tasks) for n in range(20, 40)} != {worker_of(n, tasks) for n in range(20)}


def test_keys_that_one_transaction_touches_both_join_those_that_touch_either() -> None:
    meets_at = {n: ((HERE,), (THERE,), (HERE, THERE))[n % 3] for n in range(30)}
    assert len({task.worker for task in plan(candidates(*range(30)), ["w0", "w1"], meets_at)}) == 1


def test_a_workers_tasks_get_shorter() -> None:
    lengths = [len(task.indices) for task in plan(candidates(*[0] * 30, us=1_000), ["w0"], {})]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 15
    assert all(length * 1_000 >= TASK_US for length in lengths[:-1])


def pays_with(given: list[Candidate], meets_at: dict[int, tuple[Key, ...]], workers: int = 2, cores: int = 2) -> bool:
    names = [f"w{n}" for n in range(workers)]
    return pays(given, plan(given, names, meets_at), cores)


def test_long_runs_of_distinct_senders_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", 0.95)
    assert pays_with(candidates(*range(40), us=1_000), {})
    assert not pays_with(candidates(*range(40), us=1_000), {}, workers=1, cores=1)


def test_a_block_that_is_one_chain_does_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", 0.95)
    assert not pays_with(candidates(*[0] * 40, us=1_000), {})
    assert not pays_with(candidates(*range(40), us=1_000), dict.fromkeys(range(40), (HERE,)), cores=8)


def test_runs_shorter_than_the_work_around_them_do_not_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.schedule.WORTH_SHARE", 0.95)
    assert not pays_with(candidates(*range(40), us=20), {}, workers=16, cores=32)
