"""What is kept below the floor: values that a state which can still be gone back to has and later ones have not.

Such a version is *pinned*: that of the first block, for ever, and those of snapshots. What a record at one version and
the next record of its name at a later one hide from everybody is kept while a pinned version lies between them. Of
trie nodes nothing is kept: going back works on the newest trie.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from chain.types import Version
from storage.keyvalue import KeyValue, end_of_prefix
from storage.latest import latest, latest_key
from storage.state import ACCOUNTS, CLEARED, SLOTS
from storage.versions import SUFFIX_BYTES, newest, suffix, version_of

VALUES = (ACCOUNTS, CLEARED, SLOTS)
SWEEP_KEY = b"Msweep"
"""There while what a pinned version needed may be left over, because it is not pinned any more."""
RECORDS_A_STEP = 128
STEPS_A_BATCH = 8

Pins = Callable[[], Sequence[Version]]
"""The pinned versions, sorted."""
Deleted = dict[bytes, bytes | None]


def nothing_pinned() -> Sequence[Version]:
    return ()


class Superseded:
    """Finds what may be deleted. On a fork empty values stay: they hide what the remote has."""

    def __init__(self, store: KeyValue, forked: bool, pins: Sequence[Version]) -> None:
        self._store = store
        self._forked = forked
        self._pins = pins

    def is_pinned(self, since: Version, until: Version) -> bool:
        """Whether a pinned version reads what was written at `since` and again at `until`."""
        at = bisect_left(self._pins, until)
        return at > 0 and self._pins[at - 1] >= since

    def by(self, name: bytes, version: Version, is_empty: bool) -> Iterator[bytes]:
        """The keys that nobody needs once `version`, which wrote the name, is the floor."""
        before = self._before(name, version)
        is_value = name.startswith(VALUES)
        stays = before is not None and is_value and self.is_pinned(before, version)
        if before is not None and not stays:
            yield name + suffix(before)
            stays = is_empty and is_value and self._before(name, before) is not None
        if is_empty and not stays:
            yield from self.empty(name, version)

    def empty(self, name: bytes, version: Version) -> Iterator[bytes]:
        """The keys of what says that a name has nothing since `version`, with nothing below: nothing says so, too."""
        if self._forked and name.startswith((ACCOUNTS, SLOTS)):
            return
        yield name + suffix(version)
        if name.startswith((ACCOUNTS, SLOTS)):
            written_last = latest(self._store, name)
            if written_last is not None and written_last[0] == version:
                yield latest_key(name)

    def _before(self, name: bytes, version: Version) -> Version | None:
        """When the name was written before `version`."""
        found = newest(self._store, name, suffix(Version(version - 1)))
        return None if found is None else version_of(found[0])


@dataclass(slots=True)
class _Below:
    """What a name has up to the floor, as far as it was looked at: its newest record there, and the last one seen."""

    name: bytes
    newest: Version
    is_empty: bool
    last: Version
    stays: bool = False
    """Whether an older one is pinned."""


class Sweep:
    """Looks at the records of all values, from the first on, for what was left over.

    A batch looks at so many and the next one goes on behind them, also within a name. Of what is newer than the floor
    it sees RECORDS_A_STEP of a name at most.
    """

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._at = b""
        self._below: _Below | None = None

    def next_batch(self, superseded: Superseded, floor: Version) -> Generator[None, None, Deleted]:
        """What to delete next, which may be nothing; at the end also the key that says that there is something."""
        batch: Deleted = {}
        self._look_again(superseded, floor)
        for _ in range(STEPS_A_BATCH):
            some = list(islice(self._records(), RECORDS_A_STEP))
            for key, record in some:
                batch.update(dict.fromkeys(self._left_over(key, record, superseded, floor)))
            if not some:
                batch.update(dict.fromkeys(self._left_at_end(superseded)))
                batch[SWEEP_KEY] = None
                break
            last = some[-1][0]
            self._at = max(last + b"\x00", last[:-SUFFIX_BYTES] + suffix(floor))
            yield
        return batch

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        """Of all values, those that were not looked at yet."""
        return chain.from_iterable(
            self._store.pairs(max(kind, self._at), end_of_prefix(kind))
            for kind in VALUES
            if self._at < end_of_prefix(kind)
        )

    def _left_over(self, key: bytes, record: bytes, superseded: Superseded, floor: Version) -> Iterator[bytes]:
        name, version = key[:-SUFFIX_BYTES], version_of(key)
        if version > floor:
            return
        below = self._below
        if below is None or below.name != name:
            yield from self._left_at_end(superseded)
            self._below = _Below(name, version, not record, version)
            return
        if superseded.is_pinned(version, below.last):
            below.stays = True
        else:
            yield key
        below.last = version

    def _left_at_end(self, superseded: Superseded) -> Iterator[bytes]:
        """Once all records of a name were seen: what says that it has nothing, if that hides nothing."""
        below = self._below
        if below is not None and below.is_empty and not below.stays:
            yield from superseded.empty(below.name, below.newest)

    def _look_again(self, superseded: Superseded, floor: Version) -> None:
        """The floor may have risen since the batch before, past another record of the name that was looked at last."""
        below = self._below
        if below is not None:
            found = newest(self._store, below.name, suffix(floor))
            below.is_empty = found is not None and not found[1]
            if found is not None:
                version = version_of(found[0])
                if version != below.newest:
                    below.stays |= superseded.is_pinned(below.newest, version)
                    below.newest = version
