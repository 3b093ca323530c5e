"""Which transactions run together, in tasks of what size, and whether workers pay. Pure planning.

A sender's transactions form one chain, and so do those that will probably meet at a key (after Bor's rule, which looks
at contracts): on one worker each sees what the one before it left, so that a fully dependent block conflicts nowhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.types import Address
from execution.contention import Key

MAX_TASK_TRANSACTIONS = 128
TASK_US = 2_500
"""No task is cut shorter than what may take this long: its messages cost both sides some 400 microseconds."""

COMMON_US, HERE_US, WORKER_US = 60, 80, 80
"""What a transaction costs the execution process besides its run however it runs, what it costs it more if a worker
runs it, and what it costs that worker besides the run: CPU time, as `scripts/bench execution` shows it."""
WORTH_SHARE = 0.85
"""Of the time that running everything here takes, the workers must be expected to need less than this: a block also
begins with work that none of them can begin before."""

CHAIN_SHARE = 0.8


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


def pays(chains: Sequence[Sequence[Candidate]], workers: int, cores: int) -> bool:
    """Whether to run the chains on workers will probably be faster than to run everything in the execution process.

    That one prepares, checks and merges while the workers run; on few cores it takes turns with them.
    """
    times_us = [[candidate.expected_us for candidate in chain] for chain in chains]
    count, total_us = sum(map(len, times_us)), sum(map(sum, times_us))
    loads_us = total_us + count * WORKER_US
    longest_us = max(sum(times) + len(times) * WORKER_US for times in times_us)
    here_us = count * (COMMON_US + HERE_US)
    parallel_us = max(longest_us, loads_us / workers, here_us, (loads_us + here_us) / cores)
    return parallel_us < WORTH_SHARE * (total_us + count * COMMON_US)


def is_one_chain(chains: Sequence[Sequence[Candidate]]) -> bool:
    """Whether nearly all of the work is one chain, so that it is known already who waits for whom."""
    times_us = [sum(candidate.expected_us for candidate in chain) for chain in chains]
    return max(times_us) >= CHAIN_SHARE * sum(times_us)


def chains_of(candidates: Sequence[Candidate], meets_at: Mapping[int, Sequence[Key]]) -> list[list[Candidate]]:
    """Candidates that belong together, by sender and by the keys at which they will probably meet (union-find)."""
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
