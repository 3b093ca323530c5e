"""Forgetting the states of old blocks, when only so many are to be kept.

The *floor* is the oldest version that can be read. It rises a version at a time: what the journal says was written at
the new floor has superseded what was there before, so the older records of those names are deleted, and empty records
themselves with them; storage.kept says which stay. The floor and the deletions it allows are one batch, so that after a
kill at any moment every version from the floor on is whole; the rest of a version's deletions is found in the journal.

Blocks, transactions, receipts, logs and records stay; so does code, which accounts share by its hash.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from time import monotonic

from chain.types import ZERO_HASH, BlockNumber, Hash32, Version
from storage.blocks import Blocks
from storage.errors import StatePruned
from storage.holds import Holds
from storage.journal import Journal, Part
from storage.kept import SWEEP_KEY, Pins, Superseded, Sweep, nothing_pinned
from storage.keyvalue import Batch, CorruptStore, KeyValue
from storage.number_keys import NUMBER_BYTES, number_key
from storage.versions import GENESIS_VERSION

FLOOR_KEY = b"Mfloor"
KEPT_HEIGHTS = 16
"""The states after the newest heights stay whatever is set: execution and its workers read those they began with."""
NAMES_A_STEP = 16


class Pruning:
    """Which states of a chain are kept: that of the newest block and of `kept` before it, or all if that is None."""

    def __init__(
        self,
        store: KeyValue,
        blocks: Blocks,
        kept: int | None,
        forked: bool = False,
        pins: Pins = nothing_pinned,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._blocks = blocks
        self._journal = Journal(store)
        self._kept = kept
        self._forked = forked
        self._pins = pins
        self._holds = Holds(clock)
        self._sweep: Sweep | None = None
        self.floor = GENESIS_VERSION
        self.oldest = BlockNumber(0)
        """The oldest block whose state can be read."""
        self.deleted = 0

    def load(self) -> None:
        """Take the floor from the disk. Raises CorruptStore."""
        data = self._store.get(FLOOR_KEY)
        if data is not None and len(data) != NUMBER_BYTES:
            raise CorruptStore("the record of what was pruned", f"it has {len(data)} bytes")
        self.floor = GENESIS_VERSION if data is None else Version(int.from_bytes(data, "big"))
        self.reconsider()

    def reconsider(self) -> None:
        """After the chain went back: its blocks are others, and what was kept to go back there may have to go."""
        self.oldest = self._first_at(self.floor)
        self._sweep = None if self._store.get(SWEEP_KEY) is None else Sweep(self._store)

    @contextmanager
    def reading(self, version: Version) -> Iterator[None]:
        """While this lasts the version is kept, and one that is old for some seconds more. Raises StatePruned."""
        self.check(version)
        is_new = version >= self._after_height(KEPT_HEIGHTS // 2)
        with self._holds.hold(version) if is_new else self._holds.read(version):
            yield

    @contextmanager
    def holding(self, version: Version) -> Iterator[None]:
        """While this lasts, however long, the version is kept. Raises StatePruned."""
        self.check(version)
        with self._holds.hold(version):
            yield

    @contextmanager
    def going_back(self, version: Version) -> Iterator[None]:
        """As `reading`, for a version that is asked about to go back to it; pinned ones are kept anyway.

        Raises StatePruned.
        """
        if version in self._pins():
            yield
        else:
            with self.reading(version):
                yield

    def leads_back_to(self, version: Version) -> bool:
        """Whether everything that changed since has the value that it had at the version."""
        return version >= self.floor or version in self._pins()

    def check(self, version: Version) -> None:
        """Raises StatePruned."""
        if version < self.floor:
            raise StatePruned(version, self._root(version), self.oldest)

    def behind(self) -> int:
        """How many versions the floor has still to rise."""
        return self._target() - self.floor

    def is_due(self) -> bool:
        """Whether there is something to delete."""
        return self.behind() > 0 or self._sweep is not None

    def next_batch(self) -> Generator[None, None, Batch | None]:
        """What to delete next, in one write; None when there is nothing to prune.

        From here on the floor is where the batch puts it. If the write fails, `load` takes the floor from the disk.
        """
        part = self._next_part()
        superseded = Superseded(self._store, self._forked, self._pins())
        if part is None:
            return (yield from self._swept(superseded))
        batch: dict[bytes, bytes | None] = {part.key: None}
        for count, (name, is_empty) in enumerate(part.written.names()):
            batch.update(dict.fromkeys(superseded.by(name, part.version, is_empty)))
            if count % NAMES_A_STEP == 0:
                yield
        return self._counted(batch)

    def _counted(self, batch: dict[bytes, bytes | None]) -> Batch:
        self.deleted += len(batch)
        batch[FLOOR_KEY] = number_key(self.floor)
        return batch

    def _swept(self, superseded: Superseded) -> Generator[None, None, Batch | None]:
        """What to delete next of what was kept for versions that are not pinned any more."""
        if self._sweep is None:
            return None
        batch = yield from self._sweep.next_batch(superseded, self.floor)
        if SWEEP_KEY in batch:
            self._sweep = None
        return self._counted(batch)

    def _next_part(self) -> Part | None:
        """Part of what the next version wrote. Nobody can begin to read any more what that supersedes."""
        part = None if self._kept is None else self._journal.first(self.floor)
        if part is None or part.version > self._target():
            return None
        if part.version > self.floor:
            self.floor = part.version
            self.oldest = self._first_at(self.floor)
        return part

    def _target(self) -> Version:
        """How far the floor may rise now."""
        kept = None if self._kept is None else self._blocks.version(self._blocks.newest - self._kept)
        if kept is None:
            return self.floor
        held = self._holds.oldest()
        least = min([kept, self._after_height(KEPT_HEIGHTS), *([] if held is None else [held])])
        return max(self.floor, least)

    def _after_height(self, before: int) -> Version:
        """The version of the state after the height so many before the newest."""
        row = self._blocks.height(self._blocks.newest_height - before)
        return GENESIS_VERSION if row is None else row.version

    def _first_at(self, version: Version) -> BlockNumber:
        """The first block after which the state has this version or a newer one."""
        numbers = range(self._blocks.newest + 1)
        return BlockNumber(
            bisect_left(numbers, int(version), key=lambda number: int(self._blocks.version(number) or 0))
        )

    def _root(self, version: Version) -> Hash32:
        """The root of the state at a version that is not kept; that of its block, if operations came after it."""
        stored = self._blocks.header(self._first_at(version))
        return ZERO_HASH if stored is None else stored.header.state_root
