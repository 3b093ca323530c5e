"""What a strategy decides: which transactions of a block run on which worker, and when.

A scheduler is pure: events in, commands out. It sees neither the pool nor a clock, and it need not be right: every
transaction's turn validates the run that came of it, so that a bad decision costs time and never a result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from chain.messages.tasks import AttemptStatus, Estimate
from execution.attempts import StaleRead, Waited
from execution.block_run import BlockRun
from execution.outcome import Outcome
from execution.schedule import Candidate, PlannedTask
from execution.senders import SignedTransaction

TASKS_PER_WORKER = 2
"""As many as a worker has leases: the next task is with it when it ends one."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the task. With `worker` empty it goes to whichever worker is free first."""

    task: PlannedTask


@dataclass(frozen=True, slots=True)
class Discard:
    """The newest run of the transaction is stale, though its turn has not come: it does not count."""

    index: int
    stale: StaleRead


Command: TypeAlias = Send | Discard


class WorkerRun(Protocol):
    """A worker's run of a transaction, as schedulers see it."""

    @property
    def index(self) -> int: ...

    @property
    def status(self) -> AttemptStatus: ...

    @property
    def estimate(self) -> Estimate | None:
        """What stopped it."""
        ...

    @property
    def outcome(self) -> Outcome | None: ...


class Scheduler(Protocol):
    """The schedule of one block."""

    def start(self) -> Iterable[Command]: ...

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        """A task is over. Runs are missing when it was lost."""
        ...

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        """The transaction's turn is over: this counts, None if it was left out."""
        ...

    def waits(self, index: int) -> Sequence[Waited]:
        """What the transaction was made to wait for."""
        ...

    @property
    def stays(self) -> Mapping[int, int]:
        """The positions that execution runs itself, ahead of their turns if it has time (see schedule.Staying)."""
        ...


class SchedulingRule(Protocol):
    """One strategy: makes the scheduler of each block, and learns from what became of it."""

    @property
    def name(self) -> str: ...

    @property
    def tells_unmerged(self) -> bool:
        """Whether workers are told each other's runs before these are merged."""
        ...

    @property
    def runs_here_too(self) -> bool:
        """Whether execution runs transactions beside the workers, of which it then uses those that have a core too."""
        ...

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        """The block of these comes next: what can be worked out while the one before it still runs."""
        ...

    def scheduler(self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]) -> Scheduler: ...

    def learn(self, block: BlockRun) -> None:
        """The block is done."""
        ...
