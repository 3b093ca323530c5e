"""Which transactions run together, on which worker, in tasks of what size. Pure planning.

A sender's transactions form one chain, and so do the calls to contracts that conflicted with each other lately (Bor's
rule): on one worker each sees what the one before it left, so that a fully dependent block conflicts nowhere.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chain.types import Address

MAX_TASK_TRANSACTIONS = 32
TASK_US = 2_500
"""A task ends when it is expected to take this long: its messages cost some 300 microseconds, and validation of what
it gives begins only when it ends."""
MAX_CONTENDED = 512
FORGET_AFTER_BLOCKS = 256
CONTENDED_SHARE = 4
"""A contract counts as contended when more than one in this many of its transactions lost."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction to run speculatively: its position, its sender, and whom it calls (None for a creation).

    `expected_us` is how long it may take.
    """

    index: int
    sender: Address
    to: Address | None
    expected_us: int


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """Positions to run in order on one worker."""

    worker: str
    indices: tuple[int, ...]


class Contention:
    """Remembers which contracts' transactions stood in each other's way, for some blocks. Bounded."""

    def __init__(self) -> None:
        self._group_of: OrderedDict[Address, tuple[Address, int]] = OrderedDict()
        self._block = 0
        self._ran: dict[Address, int] = {}
        self._lost: dict[Address, list[Address]] = {}

    def group(self, to: Address) -> Address | None:
        """The contract that stands for all those which conflict with `to`; None if it is not contended."""
        found = self._group_of.get(to)
        return None if found is None else found[0]

    def ran(self, to: Address | None, lost_to: Address | None, lost: bool) -> None:
        """A speculative run to `to` was validated; if it lost, then to a transaction that called `lost_to`."""
        if to is None:
            return
        self._ran[to] = self._ran.get(to, 0) + 1
        if lost:
            self._lost.setdefault(to, []).append(to if lost_to is None else lost_to)

    def end_block(self) -> None:
        """Judge the block's contracts, and forget old judgements: a contract that cooled down is tried again."""
        self._block += 1
        for to, others in self._lost.items():
            if len(others) * CONTENDED_SHARE > self._ran[to]:
                for other in (to, *others):
                    self._join(to, other)
        self._ran, self._lost = {}, {}
        while self._group_of:
            oldest, (_, since) = next(iter(self._group_of.items()))
            if len(self._group_of) <= MAX_CONTENDED and self._block - since <= FORGET_AFTER_BLOCKS:
                return
            del self._group_of[oldest]

    def _join(self, to: Address, other: Address) -> None:
        stands_for = self.group(to) or to
        joined = self.group(other) or other
        members = [a for a, (group, _) in self._group_of.items() if group == joined]
        for address in (to, other, *members):
            self._group_of[address] = (stands_for, self._block)
            self._group_of.move_to_end(address)


def plan(candidates: Sequence[Candidate], workers: Sequence[str], contention: Contention) -> list[PlannedTask]:
    """Tasks for the workers, those of the earliest transactions first."""
    loads: dict[str, list[Candidate]] = {worker: [] for worker in workers}
    sums = dict.fromkeys(workers, 0)
    weighed = [(sum(c.expected_us for c in chain), chain) for chain in _chains(candidates, contention)]
    for weight, chain in sorted(weighed, key=lambda pair: pair[0], reverse=True):
        worker = min(sums, key=sums.__getitem__)
        sums[worker] += weight
        loads[worker] += chain
    tasks = [
        PlannedTask(worker, indices)
        for worker, load in loads.items()
        for indices in _cut(sorted(load, key=lambda candidate: candidate.index))
    ]
    return sorted(tasks, key=lambda task: task.indices[0])


def _cut(load: Sequence[Candidate]) -> Iterator[tuple[int, ...]]:
    """A worker's load in tasks, none too large or too long."""
    task: list[int] = []
    expected_us = 0
    for candidate in load:
        task.append(candidate.index)
        expected_us += candidate.expected_us
        if len(task) == MAX_TASK_TRANSACTIONS or expected_us >= TASK_US:
            yield tuple(task)
            task, expected_us = [], 0
    if task:
        yield tuple(task)


def _chains(candidates: Sequence[Candidate], contention: Contention) -> list[list[Candidate]]:
    """Candidates that belong together, by sender and by contended contract (union-find)."""
    parent: dict[Address, Address] = {}

    def find(key: Address) -> Address:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for candidate in candidates:
        group = contention.group(candidate.to) if candidate.to is not None else None
        if group is not None:
            parent[find(candidate.sender)] = find(group)
    chains: dict[Address, list[Candidate]] = {}
    for candidate in candidates:
        chains.setdefault(find(candidate.sender), []).append(candidate)
    return list(chains.values())
