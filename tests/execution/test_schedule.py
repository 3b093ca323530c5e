"""Which transactions run together, and where."""

from chain.types import Address
from execution.schedule import MAX_TASK_TRANSACTIONS, Candidate, Contention, PlannedTask, plan

S = [Address(bytes([n]) * 20) for n in range(1, 60)]
X, Y, Z = (Address(bytes([n]) * 20) for n in (201, 202, 203))


def worker_of(index: int, tasks: list[PlannedTask]) -> str:
    (worker,) = {task.worker for task in tasks if index in task.indices}
    return worker


def candidates(*pairs: tuple[int, Address], us: int = 100) -> list[Candidate]:
    return [Candidate(index, S[sender], to, us) for index, (sender, to) in enumerate(pairs)]


def test_every_candidate_runs_exactly_once() -> None:
    given = candidates(*[(n % 7, X) for n in range(50)])
    tasks = plan(given, ["w0", "w1"], Contention())
    assert sorted(i for task in tasks for i in task.indices) == list(range(50))


def test_a_senders_transactions_form_one_chain_in_order() -> None:
    tasks = plan(candidates(*[(n % 2, X) for n in range(60)]), ["w0", "w1"], Contention())
    assert {worker_of(n, tasks) for n in range(0, 60, 2)} != {worker_of(n, tasks) for n in range(1, 60, 2)}
    for task in tasks:
        assert list(task.indices) == sorted(task.indices)
        assert len(task.indices) <= MAX_TASK_TRANSACTIONS


def test_workers_are_loaded_by_expected_time() -> None:
    heavy = Candidate(0, S[0], X, 5_000)
    light = [Candidate(n, S[n], Y, 500) for n in range(1, 11)]
    tasks = plan([heavy, *light], ["w0", "w1"], Contention())
    assert {worker_of(n, tasks) for n in range(1, 11)} == {"w0", "w1"} - {worker_of(0, tasks)}


def test_calls_to_a_contended_contract_go_to_one_worker() -> None:
    contention = Contention()
    given = candidates(*[(n, X) for n in range(20)], *[(20 + n, Y) for n in range(20)])
    assert len({worker_of(n, plan(given, ["w0", "w1"], contention)) for n in range(20)}) == 2
    for n in range(10):
        contention.ran(X, X, lost=n % 2 == 0)
    contention.end_block()
    assert len({worker_of(n, plan(given, ["w0", "w1"], contention)) for n in range(20)}) == 1


def test_contracts_that_conflict_with_each_other_go_together() -> None:
    contention = Contention()
    contention.ran(X, Y, lost=True)
    contention.end_block()
    contention.ran(Z, X, lost=True)
    contention.end_block()
    assert contention.group(X) == contention.group(Y) == contention.group(Z) is not None


def test_a_contract_with_few_losses_is_not_contended() -> None:
    contention = Contention()
    for n in range(20):
        contention.ran(X, X, lost=n == 0)
    contention.end_block()
    assert contention.group(X) is None


def test_contention_is_forgotten_after_a_while() -> None:
    contention = Contention()
    contention.ran(X, X, lost=True)
    contention.end_block()
    for _ in range(300):
        contention.end_block()
    assert contention.group(X) is None
