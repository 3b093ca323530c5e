"""Aptos' Block-STM: everything runs speculatively, in order as far as workers are free, and again when it was wrong.

What every run wrote is kept by position (the multi-version memory), and workers are told it, so that a transaction
reads the newest version before it. A run that comes back invalidates later ones that read otherwise: those run again,
the lowest first, and until then what they wrote is an *estimate*, at which a reader stops and waits for its writer.

Where this differs from the paper (Gelashvili et al., 2022), because workers are processes and share no memory:
- A worker sees the versions there were when its task was sent, not those that come while it runs.
- Versions are compared by value, not by number: a run that wrote the same again invalidates nobody.
- Marking an estimate does not by itself abort who has read it; the writer's next run decides that.
- Estimates are slots and codes only. Balances are differences and nonces taken for granted; both are validated, like
  everything else, when a transaction's turn comes: turns are taken in order, each committed before the next.
- A transaction runs on workers at most MAX_INCARNATIONS times; then, and whenever its turn has come, execution runs it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from chain.messages.tasks import AttemptStatus, Estimate
from execution.attempts import StaleRead, Waited
from execution.block_run import BlockRun
from execution.multi_version import MultiVersionMemory
from execution.outcome import Outcome
from execution.schedule import MAX_TASK_TRANSACTIONS, TASK_US, Candidate, PlannedTask
from execution.scheduler import TASKS_PER_WORKER, Command, Discard, Send, WorkerRun
from execution.senders import SignedTransaction

MAX_INCARNATIONS = 5
ANY_WORKER = ""


class BlockStm:
    """The SchedulingRule."""

    name = "block-stm"
    tells_unmerged = True
    runs_here_too = False

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        """Nothing is planned ahead."""

    def scheduler(
        self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]
    ) -> "BlockStmScheduler":
        return BlockStmScheduler(candidates, len(workers))

    def learn(self, block: BlockRun) -> None:
        """Each block begins anew."""


class BlockStmScheduler:
    """One block's incarnations."""

    stays: Mapping[int, int] = {}

    def __init__(self, candidates: Sequence[Candidate], workers: int) -> None:
        self._expected_us = {candidate.index: candidate.expected_us for candidate in candidates}
        self._task_us = min(TASK_US, sum(self._expected_us.values()) // workers)
        self._ready = sorted(self._expected_us)
        self._incarnations: Counter[int] = Counter()
        self._memory = MultiVersionMemory()
        self._newest: dict[int, Outcome] = {}
        self._estimates: set[int] = set()
        self._blocked: dict[int, list[int]] = {}
        self._waits: dict[int, list[Waited]] = {}
        self._room = workers * TASKS_PER_WORKER
        self._turn = 0

    def start(self) -> Iterable[Command]:
        yield from self._fill()

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        self._room += 1
        for run in runs:
            if run.index >= self._turn:
                yield from self._take(run)
        yield from self._fill()

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        self._turn = index + 1
        self._estimates.discard(index)
        if outcome is not None and outcome is not self._newest.get(index):
            yield from self._record(index, outcome)
        self._unblock(index)
        yield from self._fill()

    def waits(self, index: int) -> Sequence[Waited]:
        return self._waits.get(index, ())

    def _take(self, run: WorkerRun) -> Iterator[Command]:
        if run.status == AttemptStatus.READ_ESTIMATE:
            assert run.estimate is not None
            self._wait(run.index, run.estimate)
        elif run.outcome is not None:
            self._estimates.discard(run.index)
            yield from self._record(run.index, run.outcome)
            stale = self._memory.stale_read(run.index)
            if stale is not None:
                yield self._discard(run.index, stale)
            self._unblock(run.index)

    def _record(self, index: int, outcome: Outcome) -> Iterator[Command]:
        self._newest[index] = outcome
        for reader, stale in self._memory.record(index, outcome):
            if reader >= self._turn and reader not in self._estimates:
                yield self._discard(reader, stale)

    def _discard(self, index: int, stale: StaleRead) -> Discard:
        self._estimates.add(index)
        self._again(index)
        return Discard(index, stale)

    def _wait(self, index: int, estimate: Estimate) -> None:
        waited = Waited(estimate.kind, estimate.address, estimate.slot, estimate.writer)
        self._waits.setdefault(index, []).append(waited)
        if estimate.writer in self._estimates:
            self._blocked.setdefault(estimate.writer, []).append(index)
        else:
            self._again(index)

    def _unblock(self, index: int) -> None:
        if index not in self._estimates:
            for blocked in self._blocked.pop(index, ()):
                self._again(blocked)

    def _again(self, index: int) -> None:
        if self._turn <= index and self._incarnations[index] < MAX_INCARNATIONS:
            heappush(self._ready, index)

    def _fill(self) -> Iterator[Command]:
        while self._room and (indices := self._next()):
            self._room -= 1
            yield Send(PlannedTask(ANY_WORKER, indices))

    def _next(self) -> tuple[int, ...]:
        """The earliest transactions to run, in order."""
        indices: list[int] = []
        expected_us = 0
        while self._ready and len(indices) < MAX_TASK_TRANSACTIONS and (not indices or expected_us < self._task_us):
            index = heappop(self._ready)
            if index < self._turn or index in indices[-1:]:
                continue
            self._incarnations[index] += 1
            indices.append(index)
            expected_us += self._expected_us[index]
        return tuple(indices)
