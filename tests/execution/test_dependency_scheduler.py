"""Graphs of dependencies over workers: what runs where, and when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chain.messages.tasks import AttemptStatus, Estimate
from chain.records import AccessKind
from chain.types import Address
from execution.attempts import Waited
from execution.dependency_scheduler import DependencyScheduler
from execution.outcome import Outcome
from execution.schedule import Candidate, PlannedTask
from execution.scheduler import TASKS_PER_WORKER, Command, Send

SENDER, ACCOUNT = Address(b"\x51" * 20), Address(b"\xac" * 20)


@dataclass(frozen=True)
class Ran:
    """A run that came back."""

    index: int
    status: AttemptStatus = AttemptStatus.RAN
    estimate: Estimate | None = None
    outcome: Outcome | None = None


def scheduler(
    count: int, dependencies: Mapping[int, tuple[int, ...]], workers: int = 2, us: int = 3_000
) -> DependencyScheduler:
    """So many transactions, each a task of its own unless `us` is small."""
    candidates = [Candidate(index, SENDER, us) for index in range(count)]
    waits = {
        index: tuple(Waited(AccessKind.ACCOUNT, ACCOUNT, 0, writer) for writer in writers)
        for index, writers in dependencies.items()
    }
    return DependencyScheduler(candidates, waits, [f"w{n}" for n in range(workers)])


def sent(commands: Iterable[Command]) -> list[PlannedTask]:
    return [command.task for command in commands if isinstance(command, Send)]


def places(tasks: Iterable[PlannedTask]) -> dict[int, str]:
    return {index: task.worker for task in tasks for index in task.indices}


def over(task: PlannedTask) -> tuple[PlannedTask, list[Ran]]:
    return task, [Ran(index) for index in task.indices]


def test_independent_transactions_are_spread_over_the_workers() -> None:
    assert places(sent(scheduler(4, {}).start())) == {0: "w0", 1: "w1", 2: "w0", 3: "w1"}


def test_a_worker_has_at_most_as_many_tasks_as_leases() -> None:
    tasks = sent(scheduler(20, {}).start())
    assert len(tasks) == 2 * TASKS_PER_WORKER


def test_a_chain_goes_to_one_worker_without_waiting_for_answers() -> None:
    chain = scheduler(4, {2: (0,), 3: (2,)})
    tasks = sent(chain.start())
    assert places(tasks) == {0: "w0", 1: "w1", 2: "w0"}
    assert sent(chain.ran(*over(tasks[0]))) == [PlannedTask("w0", (3,))]


def test_who_waits_for_runs_on_two_workers_goes_when_the_first_is_back_to_where_the_other_is() -> None:
    graph = scheduler(3, {2: (0, 1)})
    (first, second) = sent(graph.start())
    assert {first.worker, second.worker} == {"w0", "w1"}
    (third,) = sent(graph.ran(*over(first)))
    assert third == PlannedTask(second.worker, (2,))


def test_a_run_that_failed_holds_who_waits_for_it_until_its_turn() -> None:
    graph = scheduler(3, {2: (0, 1)})
    one, other = sent(graph.start())
    assert sent(graph.ran(one, [Ran(one.indices[0], AttemptStatus.CANNOT_INCLUDE)])) == []
    assert sent(graph.ran(other, [])) == [], "a lost task tells nothing"
    assert sent(graph.took_turn(0, None)) == [PlannedTask("w1", (2,))]


def test_a_transaction_whose_turn_is_over_is_sent_no_more() -> None:
    graph = scheduler(6, {})
    tasks = sent(graph.start())
    assert 5 not in places(tasks)
    assert sent(graph.took_turn(5, None)) == []
    assert sent(graph.ran(*over(tasks[0]))) == [PlannedTask(tasks[0].worker, (4,))]
    assert sent(graph.ran(*over(tasks[1]))) == []


def test_positions_that_are_no_candidates_are_over_with_their_turn() -> None:
    waits = {1: (Waited(AccessKind.BALANCE, ACCOUNT, 0, 0),)}
    graph = DependencyScheduler([Candidate(1, SENDER, 100)], waits, ["w0"])
    assert sent(graph.start()) == []
    assert sent(graph.took_turn(0, None)) == [PlannedTask("w0", (1,))]


def test_what_a_transaction_waited_for_is_told() -> None:
    graph = scheduler(3, {2: (0, 1)})
    assert [waited.writer for waited in graph.waits(2)] == [0, 1]
    assert list(graph.waits(0)) == []
