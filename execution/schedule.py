"""Which transactions run together, on which worker, in tasks of what size, and whether that pays. Pure planning.

A sender's transactions form one chain, and so do those that will probably meet at a key (after Bor's rule, which looks
at contracts): on one worker each sees what the one before it left, so that a fully dependent block conflicts nowhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chain.types import Address
from execution.contention import Key

MAX_TASK_TRANSACTIONS = 128
TASK_SHARE = 2
"""A task takes one in so many parts of what its worker has left to do."""
TASK_US = 2_500
"""No task is cut shorter than what may take this long: its messages cost both sides some 400 microseconds."""

COMMON_US, HERE_US, WORKER_US = 60, 60, 50
"""What a transaction costs the execution process besides its run however it runs, what it costs it more if a worker
runs it, and what it costs that worker besides the run: CPU time, as `scripts/bench execution` shows it."""
WORTH_SHARE = 0.95
"""Of the time that running everything here takes, a plan must be expected to take less than this."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transaction to run speculatively: its position, its sender, and how long it may take."""

    index: int
    sender: Address
    expected_us: int


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """Positions to run in order on one worker."""

    worker: str
    indices: tuple[int, ...]


def plan(
    candidates: Sequence[Candidate], workers: Sequence[str], meets_at: Mapping[int, Sequence[Key]]
) -> list[PlannedTask]:
    """Tasks for the workers, those of the earliest transactions first. `meets_at` is where a candidate meets others."""
    loads: dict[str, list[Candidate]] = {worker: [] for worker in workers}
    sums = dict.fromkeys(workers, 0)
    weighed = [(sum(c.expected_us for c in chain), chain) for chain in _chains(candidates, meets_at)]
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


def pays(candidates: Sequence[Candidate], planned: Sequence[PlannedTask], cores: int) -> bool:
    """Whether the plan will probably be faster than running everything in the execution process.

    That one prepares, checks and merges while the workers run; on few cores it takes turns with them.
    """
    expected_us = {candidate.index: candidate.expected_us for candidate in candidates}
    loads: dict[str, int] = {}
    for task in planned:
        load_us = sum(expected_us[index] + WORKER_US for index in task.indices)
        loads[task.worker] = loads.get(task.worker, 0) + load_us
    count, total_us = len(candidates), sum(expected_us.values())
    here_us = count * (COMMON_US + HERE_US)
    parallel_us = max(*loads.values(), here_us, (sum(loads.values()) + here_us) // cores)
    return parallel_us < WORTH_SHARE * (total_us + count * COMMON_US)


def _cut(load: Sequence[Candidate]) -> Iterator[tuple[int, ...]]:
    """A worker's load in tasks that get shorter: few messages, and little left to validate when the last one ends."""
    task: list[int] = []
    left_us = sum(candidate.expected_us for candidate in load)
    enough_us, expected_us = max(TASK_US, left_us // TASK_SHARE), 0
    for candidate in load:
        task.append(candidate.index)
        expected_us += candidate.expected_us
        if len(task) == MAX_TASK_TRANSACTIONS or expected_us >= enough_us:
            yield tuple(task)
            left_us -= expected_us
            task, enough_us, expected_us = [], max(TASK_US, left_us // TASK_SHARE), 0
    if task:
        yield tuple(task)


def _chains(candidates: Sequence[Candidate], meets_at: Mapping[int, Sequence[Key]]) -> list[list[Candidate]]:
    """Candidates that belong together, by sender and by the keys they meet at (union-find)."""
    parent: dict[Address | Key, Address | Key] = {}

    def find(key: Address | Key) -> Address | Key:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for candidate in candidates:
        for key in meets_at.get(candidate.index, ()):
            parent[find(candidate.sender)] = find(key)
    chains: dict[Address | Key, list[Candidate]] = {}
    for candidate in candidates:
        chains.setdefault(find(candidate.sender), []).append(candidate)
    return list(chains.values())
