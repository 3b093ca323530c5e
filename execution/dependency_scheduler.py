"""Runs a graph of dependencies in topological order: a transaction goes to a worker when all it waits for is there.

What it waits for is *there* once its run has come back, because workers are told each other's runs; or once it was sent
to the same worker before, whose own runs are visible there. So a chain stays on one worker, and goes on without waiting
for answers (Solana's scheduler queues a transaction behind the one thread that holds its locks for the same reason).
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush

from chain.messages.tasks import AttemptStatus
from execution.attempts import Waited
from execution.outcome import Outcome
from execution.schedule import MAX_TASK_TRANSACTIONS, TASK_US, Candidate, PlannedTask
from execution.scheduler import TASKS_PER_WORKER, Command, Send, WorkerRun

MAX_WAITS = 8
"""How many of a transaction's dependencies go on record."""


class DependencyScheduler:
    """`dependencies` gives what each candidate waits for; positions that are no candidates are over with their turn."""

    stays: Mapping[int, int] = {}

    def __init__(
        self, candidates: Sequence[Candidate], dependencies: Mapping[int, Sequence[Waited]], workers: Sequence[str]
    ) -> None:
        self._expected_us = {candidate.index: candidate.expected_us for candidate in candidates}
        self._dependencies = dependencies
        self._task_us = min(TASK_US, sum(self._expected_us.values()) // len(workers))
        self._awaited: dict[int, set[int]] = {}
        self._dependents: dict[int, list[int]] = {}
        self._sent_to: dict[int, str] = {}
        self._over: set[int] = set()
        self._ready: list[int] = []
        self._behind: dict[str, list[int]] = {worker: [] for worker in workers}
        self._tasks_out = dict.fromkeys(workers, 0)
        for candidate in candidates:
            self._await(candidate.index)

    def start(self) -> Iterable[Command]:
        return self._fill()

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        self._tasks_out[task.worker] -= 1
        for run in runs:
            if run.status == AttemptStatus.RAN:
                self._end(run.index)
        return self._fill()

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        self._sent_to.setdefault(index, "")
        self._end(index)
        return self._fill()

    def waits(self, index: int) -> Sequence[Waited]:
        return self._dependencies.get(index, ())[-MAX_WAITS:]

    def _await(self, index: int) -> None:
        awaited = {dependency.writer for dependency in self._dependencies.get(index, ())}
        self._awaited[index] = awaited
        for other in awaited:
            self._dependents.setdefault(other, []).append(index)
        if not awaited:
            heappush(self._ready, index)

    def _end(self, index: int) -> None:
        if index in self._over:
            return
        self._over.add(index)
        for dependent in self._dependents.get(index, ()):
            self._awaited[dependent].discard(index)
            self._look_at(dependent)

    def _look_at(self, index: int) -> None:
        """It waits for less than before, or for what has just been sent."""
        if index in self._sent_to:
            return
        places = {self._sent_to.get(other) for other in self._awaited[index]}
        if not places:
            heappush(self._ready, index)
        elif len(places) == 1 and (worker := places.pop()):
            heappush(self._behind[worker], index)

    def _fill(self) -> list[Command]:
        """Tasks for the workers that have room, in turn."""
        commands: list[Command] = []
        for tasks_out in range(TASKS_PER_WORKER):
            for worker, out in self._tasks_out.items():
                if out == tasks_out and (indices := self._next(worker)):
                    self._tasks_out[worker] += 1
                    commands.append(Send(PlannedTask(worker, indices)))
        return commands

    def _next(self, worker: str) -> tuple[int, ...]:
        indices: list[int] = []
        expected_us = 0
        while len(indices) < MAX_TASK_TRANSACTIONS and (not indices or expected_us < self._task_us):
            index = self._pop(worker)
            if index is None:
                break
            self._sent_to[index] = worker
            indices.append(index)
            expected_us += self._expected_us[index]
            for dependent in self._dependents.get(index, ()):
                self._look_at(dependent)
        return tuple(indices)

    def _pop(self, worker: str) -> int | None:
        """The earliest transaction that may run on this worker."""
        behind, ready = self._behind[worker], self._ready
        for heap in (behind, ready):
            while heap and heap[0] in self._sent_to:
                heappop(heap)
        if not behind and not ready:
            return None
        return heappop(behind if behind and (not ready or behind[0] < ready[0]) else ready)
