"""What is kept below the floor: values that a state which can still be gone back to has and later ones have not.

Such a version is *pinned*: that of the first block, for ever, and those of snapshots. What a record at one version and
the next record of its name at a later one hide from everybody is kept while a pinned version lies between them. Of
trie nodes nothing is kept: going back works on the newest trie.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import chain, groupby

from chain.types import Version
from storage.keyvalue import KeyValue, end_of_prefix
from storage.latest import latest, latest_key
from storage.state import ACCOUNTS, CLEARED, SLOTS
from storage.versions import SUFFIX_BYTES, behind, newest, suffix, version_of

VALUES = (ACCOUNTS, CLEARED, SLOTS)
SWEEP_KEY = b"Msweep"
"""There while what a pinned version needed may be left over, because it is not pinned any more."""
NAMES_A_BATCH = 1_024
NAMES_A_STEP = 32

Pins = Callable[[], Sequence[Version]]
"""The pinned versions, sorted."""
Deleted = dict[bytes, bytes | None]


def nothing_pinned() -> Sequence[Version]:
    return ()


def is_pinned(pins: Sequence[Version], since: Version, until: Version) -> bool:
    """Whether a pinned version reads what was written at `since` and again at `until`."""
    at = bisect_left(pins, until)
    return at > 0 and pins[at - 1] >= since


class Superseded:
    """Finds what may be deleted. On a fork empty values stay: they hide what the remote has."""

    def __init__(self, store: KeyValue, forked: bool, pins: Sequence[Version]) -> None:
        self._store = store
        self._forked = forked
        self._pins = pins

    def by(self, name: bytes, version: Version, is_empty: bool) -> Iterator[bytes]:
        """The keys that nobody needs once `version`, which wrote the name, is the floor."""
        before = self._before(name, version)
        is_value = name.startswith(VALUES)
        stays = before is not None and is_value and is_pinned(self._pins, before, version)
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

    def among(self, name: bytes, records: Sequence[tuple[Version, bytes]]) -> Iterator[bytes]:
        """The keys that nobody needs of a name's records up to the floor, the newest first."""
        later, record = records[0]
        stays = False
        for version, _ in records[1:]:
            if is_pinned(self._pins, version, later):
                stays = True
            else:
                yield name + suffix(version)
            later = version
        if not record and not stays:
            yield from self.empty(name, records[0][0])

    def _before(self, name: bytes, version: Version) -> Version | None:
        """When the name was written before `version`."""
        found = newest(self._store, name, suffix(Version(version - 1)))
        return None if found is None else version_of(found[0])


class Sweep:
    """Looks at the records of all values, from the first on, for what was left over."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._after = b""

    def next_batch(self, superseded: Superseded, floor: Version) -> Generator[None, None, Deleted]:
        """What to delete next, which may be nothing; at the end also the key that says that there is something."""
        batch: Deleted = {}
        names = groupby(self._pairs(), key=lambda pair: pair[0][:-SUFFIX_BYTES])
        for count, (name, group) in enumerate(names, 1):
            records = [(version_of(key), record) for key, record in group]
            at_floor = [record for record in records if record[0] <= floor]
            if at_floor:
                batch.update(dict.fromkeys(superseded.among(name, at_floor)))
            if count == NAMES_A_BATCH:
                self._after = behind(name)
                return batch
            if count % NAMES_A_STEP == 0:
                yield
        batch[SWEEP_KEY] = None
        return batch

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """The records of all values that were not looked at yet."""
        return chain.from_iterable(
            self._store.pairs(max(kind, self._after), end_of_prefix(kind))
            for kind in VALUES
            if self._after < end_of_prefix(kind)
        )
