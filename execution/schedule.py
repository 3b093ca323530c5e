"""Which transactions run together, in tasks of what size, and whether workers pay. Pure planning.

A sender's transactions form one chain, and so do those that will probably meet at a key (after Bor's rule, which looks
at contracts): on one worker each sees what the one before it left, so that a fully dependent block conflicts nowhere.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from chain.types import Address
from execution.attempts import Waited
from execution.contention import Key

MAX_TASK_TRANSACTIONS = 128
TASK_US = 2_500
"""No task is cut shorter than what may take this long: its messages cost both sides some 300 microseconds."""

COMMON_US, HERE_US, WORKER_US = 60, 80, 80
"""What a transaction costs the execution process besides its run however it runs, what it costs it more if a worker
runs it, and what it costs that worker besides the run: CPU time, as `scripts/bench execution` shows it."""
WORTH_SHARE = 0.85
"""Of the time that running everything here takes, the workers must be expected to need less than this: a block also
begins with work that none of them can begin before."""

BEGIN_US = 1_000
"""How long execution waits at the beginning of a block until workers have run something."""


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


@dataclass(frozen=True, slots=True)
class _Loads:
    """How long execution, all workers and the longest chain on one of them are expected to take, in microseconds."""

    workers: int
    slowness: float
    here_us: int
    workers_us: int = 0
    longest_us: int = 0

    @property
    def end_us(self) -> float:
        return max(self.here_us, self.workers_us / self.workers, self.longest_us)

    def with_sent(self, chain: Sequence[Candidate]) -> "_Loads":
        """Once the chain runs on a worker instead of here."""
        run_us = sum([candidate.expected_us for candidate in chain])
        load_us = int((run_us + len(chain) * WORKER_US) * self.slowness)
        here_us = self.here_us - run_us + len(chain) * HERE_US
        return _Loads(self.workers, self.slowness, here_us, self.workers_us + load_us, max(self.longest_us, load_us))


def for_workers(
    chains: Sequence[Sequence[Candidate]],
    workers: int,
    slowness: float = 1.0,
    theirs: Collection[int] = (),
    spared_us: int = 0,
) -> list[Sequence[Candidate]]:
    """The chains to run on so many workers, such that they and execution, which runs the others, end at the same time.
    Of one of them it may be the beginning only.

    None if that is not expected to be clearly faster than to run everything in the execution process. The longest
    runs go first, since sending costs the same for long and short ones; of like ones every so-manieth, because what
    execution awaits in the order of the block must not all come first. But before those of like ones the chains at the
    places `theirs` go, whose values workers have from the block before. `spared_us` is what execution has to do less
    than usual beside this block.
    """
    alone_us = sum(candidate.expected_us + COMMON_US for chain in chains for candidate in chain)
    loads = _Loads(workers, slowness, alone_us - spared_us)
    sent: list[Sequence[Candidate]] = []
    too_long: list[Sequence[Candidate]] = []
    for chain in _in_order(chains, theirs):
        if _mean_us(chain) <= HERE_US:
            continue
        then = loads.with_sent(chain)
        if then.end_us > then.here_us:
            too_long.append(chain)
        else:
            loads = then
            sent.append(chain)
    for chain in too_long:
        loads, beginning = _with_beginning(loads, chain)
        if beginning:
            sent.append(beginning)
            break
    return sent if loads.end_us + BEGIN_US < WORTH_SHARE * alone_us else []


def _with_beginning(loads: _Loads, chain: Sequence[Candidate]) -> tuple[_Loads, Sequence[Candidate]]:
    """The loads with as much of the chain's beginning on a worker as makes the block end earlier. What follows runs
    here once that is merged, so it must not be what the block waits for.
    """
    before, length = loads, 0
    while length < len(chain) and (then := loads.with_sent(chain[length : length + 1])).end_us < loads.end_us:
        loads, length = then, length + 1
    alone_us = sum([candidate.expected_us for candidate in chain]) * loads.slowness
    if alone_us > loads.end_us:
        return before, ()
    return loads, chain[:length]


def pays(candidates: Sequence[Candidate], waits: Mapping[int, Sequence[Waited]], workers: int) -> bool:
    """Whether to run these on so many workers, each after those it waits for, is expected to be clearly faster than to
    run them in the execution process.
    """
    ends_us: dict[int, int] = {}
    for candidate in candidates:
        begins_us = max([ends_us.get(waited.writer, 0) for waited in waits.get(candidate.index, ())], default=0)
        ends_us[candidate.index] = begins_us + candidate.expected_us + WORKER_US
    run_us = sum([candidate.expected_us for candidate in candidates])
    count = len(candidates)
    end_us = max(count * (COMMON_US + HERE_US), (run_us + count * WORKER_US) / workers, *ends_us.values())
    return end_us + BEGIN_US < WORTH_SHARE * (run_us + count * COMMON_US)


def _mean_us(chain: Sequence[Candidate]) -> int:
    return sum([candidate.expected_us for candidate in chain]) // len(chain)


def _in_order(chains: Sequence[Sequence[Candidate]], first: Collection[int]) -> list[Sequence[Candidate]]:
    """Longest runs first. Of like ones (to a factor of two) those at the places `first`, then others, scattered."""
    order = sorted(
        (-_mean_us(chain).bit_length(), at not in first, _reversed_bits(at), at) for at, chain in enumerate(chains)
    )
    return [chains[at] for *_, at in order]


def _reversed_bits(number: int) -> int:
    """The first few of 0, 1, 2, … in this order are spread evenly over all (van der Corput)."""
    return int(f"{number:032b}"[::-1], 2)


class Staying:
    """The positions that execution runs itself. Each may be run ahead of its turn once the one is merged which is given
    for it: the last before it in its chain that was sent, or -1.
    """

    def __init__(self, behind: Mapping[int, int]) -> None:
        self._behind = behind
        self._left = sorted(behind)

    def next(self, turn: int) -> int | None:
        """The next one after the transaction whose turn it is; None if none is left, or if they all must wait."""
        while self._left and self._left[0] <= turn:
            del self._left[0]
        for at, position in enumerate(self._left):
            if self._behind[position] < turn:
                return self._left.pop(at)
        return None


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
