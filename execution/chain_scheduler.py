"""Runs chains of transactions, each on one worker, where every transaction sees what those before it left.

Which worker gets a chain is decided when its first transaction is sent: workers are not equally fast, since on few
cores other processes take turns with them. Tasks get shorter towards the end of the block: few messages, and little
left to wait for and to merge when the last one ends.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from execution.attempts import Waited
from execution.outcome import Outcome
from execution.schedule import MAX_TASK_TRANSACTIONS, Candidate, PlannedTask
from execution.scheduler import TASKS_PER_WORKER, Command, Send, WorkerRun

TASK_SHARE = 2
LEAST_TASK_US, MOST_TASK_US = 1_000, 5_000
"""A task's messages cost both sides some 300 microseconds; what comes back is merged while the next one runs."""
"""A task takes at most one in so many parts of a worker's share of what is left."""


class ChainScheduler:
    """The scheduler of these chains, the transactions of each in order; those at `stays` are none of them.

    `waits` goes on record as it is.
    """

    def __init__(
        self,
        chains: Iterable[Sequence[Candidate]],
        workers: Sequence[str],
        waits: Mapping[int, Waited],
        stays: Mapping[int, int] | None = None,
    ) -> None:
        self._waits = waits
        self.stays = stays or {}
        self._left = [deque(chain) for chain in chains]
        self._nobodys = [(chain[0].index, number) for number, chain in enumerate(self._left)]
        heapify(self._nobodys)
        self._own: dict[str, list[tuple[int, int]]] = {worker: [] for worker in workers}
        """The next transaction of each chain that a worker has begun: its position, the chain's number."""
        self._own_us = dict.fromkeys(workers, 0)
        """What the worker has before it: of chains it has begun, and of tasks that are out."""
        self._out_us: dict[PlannedTask, int] = {}
        self._left_us = sum(candidate.expected_us for chain in self._left for candidate in chain)
        self._turn = 0

    def start(self) -> Iterable[Command]:
        for _ in range(TASKS_PER_WORKER):
            for worker in self._own:
                yield from self._next_task(worker)

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        self._own_us[task.worker] -= self._out_us.pop(task)
        return self._next_task(task.worker)

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        self._turn = index + 1
        return ()

    def waits(self, index: int) -> Sequence[Waited]:
        return (self._waits[index],) if index in self._waits else ()

    def _next_task(self, worker: str) -> Iterator[Command]:
        indices: list[int] = []
        expected_us = 0
        enough_us = min(MOST_TASK_US, max(LEAST_TASK_US, self._left_us // (len(self._own) * TASK_SHARE)))
        while expected_us < enough_us and len(indices) < MAX_TASK_TRANSACTIONS:
            candidate = self._pop(worker)
            if candidate is None:
                break
            if candidate.index < self._turn:  # execution came to it before a worker had room
                self._left_us -= candidate.expected_us
                self._own_us[worker] -= candidate.expected_us
                continue
            indices.append(candidate.index)
            expected_us += candidate.expected_us
        if indices:
            task = PlannedTask(worker, tuple(sorted(indices)))
            self._left_us -= expected_us
            self._out_us[task] = expected_us
            yield Send(task)

    def _pop(self, worker: str) -> Candidate | None:
        """The earliest transaction that the worker should run next."""
        own, nobodys = self._own[worker], self._nobodys
        has_its_share = self._own_us[worker] * len(self._own) >= self._left_us + sum(self._out_us.values())
        if nobodys and not has_its_share and not (own and own[0] < nobodys[0]):
            _, number = heappop(nobodys)
            self._own_us[worker] += sum(candidate.expected_us for candidate in self._left[number])
        elif own:
            _, number = heappop(own)
        else:
            return None
        chain = self._left[number]
        candidate = chain.popleft()
        if chain:
            heappush(own, (chain[0].index, number))
        return candidate
