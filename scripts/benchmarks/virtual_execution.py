"""Recorded blocks through the real scheduler and the real pool on a virtual clock, with any number of workers.

Runs take what was recorded, the work around them what was measured, and every process has a core of its own. What the
scheduler does not send is run by execution, ahead of its turn where it would only wait for an answer. A run loses if an
earlier transaction that it depends on was not to be seen: not merged when its task was sent, nor run before it on the
same worker. A loser runs again in the execution process when its turn comes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from chain.messages.tasks import AttemptStatus, Estimate
from execution.outcome import Outcome
from execution.pool_core import PoolCore
from execution.schedule import PlannedTask, Staying
from execution.scheduler import Command, Scheduler, Send


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU microseconds of a transaction besides its run: of the execution process before its block is sent, when its
    turn comes, and afterwards; of a worker. And of the execution process for the messages of a task.
    """

    prepare: float
    turn: float
    assemble: float
    worker: float
    task: float


@dataclass(frozen=True, slots=True)
class RecordedTransaction:
    """How long its run took, which earlier transactions of the block it depends on, and what came of it."""

    run_us: float
    depends_on: frozenset[int]
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class VirtualRun:
    """A run that came back, as schedulers see it."""

    index: int
    outcome: Outcome | None
    status: AttemptStatus = AttemptStatus.RAN
    estimate: Estimate | None = None


class VirtualExecution:
    """`now` is the clock of the execution process, in microseconds from the start of the first block."""

    def __init__(self, workers: int, costs: Costs) -> None:
        self.workers = tuple([f"worker-{index}" for index in range(workers)])
        self.costs = costs
        self.free_at = dict.fromkeys(self.workers, 0.0)
        self.now = 0.0
        self._unassembled = 0

    def run(self, block: Sequence[RecordedTransaction], scheduler: Scheduler) -> int:
        """One block, on top of those before it. Gives how many of its runs lost."""
        self.now += len(block) * self.costs.prepare
        virtual = _VirtualBlock(self, block, scheduler)
        virtual.start()
        self.assemble()
        virtual.take_turns()
        self._unassembled = len(block)
        return len(virtual.lost)

    def assemble(self) -> None:
        """What is left of the last block; it is done once the next one's first tasks are sent."""
        self.now += self._unassembled * self.costs.assemble
        self._unassembled = 0


class _VirtualBlock:
    """One block's tasks and answers."""

    def __init__(self, execution: VirtualExecution, block: Sequence[RecordedTransaction], scheduler: Scheduler) -> None:
        self._execution = execution
        self._block = block
        self._scheduler = scheduler
        self._pool: PoolCore[PlannedTask] = PoolCore()
        for worker in execution.workers:
            self._pool.add_worker(worker)
        self._answers: list[tuple[float, int, str]] = []
        self._merged = 0
        self._sent: set[int] = set()
        self._answered: set[int] = set()
        self._saw: dict[int, tuple[str, int, frozenset[int]]] = {}
        self._own: dict[str, frozenset[int]] = dict.fromkeys(execution.workers, frozenset())
        self._stays = Staying(scheduler.stays)
        self._ahead: set[int] = set()
        self.lost: set[int] = set()

    def start(self) -> None:
        self._obey(self._scheduler.start())

    def take_turns(self) -> None:
        execution = self._execution
        for index, transaction in enumerate(self._block):
            while self._answers and (self._answers[0][0] <= execution.now or self._awaits(index)):
                if self._answers[0][0] <= execution.now or not self._run_ahead(index):
                    self._hear()
            if index in self._ahead:
                pass
            elif index not in self._answered:
                execution.now += transaction.run_us
            elif self._loses(index):
                self.lost.add(index)
                execution.now += transaction.run_us
            execution.now += execution.costs.turn
            self._merged = index + 1
            self._obey(self._scheduler.took_turn(index, transaction.outcome))

    def _run_ahead(self, after: int) -> bool:
        """The next transaction that stays. None is left: False."""
        index = self._stays.next(after)
        if index is None:
            return False
        self._ahead.add(index)
        self._execution.now += self._block[index].run_us
        return True

    def _awaits(self, index: int) -> bool:
        return index in self._sent and index not in self._answered

    def _hear(self) -> None:
        """The next answer."""
        at, lease, worker = heappop(self._answers)
        self._execution.now = max(self._execution.now, at)
        task = self._pool.finished(worker, lease)
        assert task is not None
        self._answered.update(task.indices)
        self._obey(self._scheduler.ran(task, [VirtualRun(i, self._block[i].outcome) for i in task.indices]))
        self._assign()

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                self._sent.update(command.task.indices)
                self._answered.difference_update(command.task.indices)
                self._pool.submit(command.task, command.task.worker or None)
            else:
                self._answered.discard(command.index)
                self._sent.discard(command.index)
        self._assign()

    def _assign(self) -> None:
        for assignment in self._pool.assignments():
            execution, worker = self._execution, assignment.worker
            execution.now += execution.costs.task
            at = max(execution.now, execution.free_at[worker])
            for index in assignment.job.indices:
                self._saw[index] = worker, self._merged, self._own[worker]
                self._own[worker] |= {index}
                at += self._block[index].run_us + execution.costs.worker
            execution.free_at[worker] = at
            heappush(self._answers, (at, assignment.lease, worker))

    def _loses(self, index: int) -> bool:
        _, merged, own = self._saw[index]
        return any(
            other >= merged and (other not in own or other in self.lost) for other in self._block[index].depends_on
        )
