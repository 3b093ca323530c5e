"""What each version wrote: the names of its records, so that whoever asks what changed, or what is superseded, need not
search the whole state for it.

A version that wrote much has several parts, so that whoever works through it need not take it all at once. Each part
says how many come after it, so that none can go missing unnoticed. The first version has no entry: everything is there
since then.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from chain.codec import pack, unpack
from chain.types import Version
from storage.keyvalue import CorruptStore, KeyValue, end_of_prefix
from storage.versions import SUFFIX_BYTES

JOURNAL = b"j"
PART_BYTES = 4
NAMES_A_PART = 256


class Written(NamedTuple):
    """Names as in a versioned key: of records with something in them, and of empty ones, which say it is gone."""

    filled: Sequence[bytes]
    emptied: Sequence[bytes]

    def names(self) -> Iterator[tuple[bytes, bool]]:
        """Each with whether its record is empty."""
        return chain(zip(self.filled, repeat(False), strict=False), zip(self.emptied, repeat(True), strict=False))


class Part(NamedTuple):
    """One of a version's; `rest` more come after it."""

    key: bytes
    version: Version
    written: Written
    rest: int


def journal_rows(version: Version, filled: Sequence[bytes], emptied: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """What to write for a version: one part at least, in the order of their keys."""
    parts = max(1, -(-(len(filled) + len(emptied)) // NAMES_A_PART))
    for part in range(parts):
        start, stop = part * NAMES_A_PART, (part + 1) * NAMES_A_PART
        rest_of_filled = max(0, start - len(filled)), max(0, stop - len(filled))
        names = [filled[start:stop], emptied[slice(*rest_of_filled)]]
        yield _key(version, part), pack([*names, parts - 1 - part])


def _key(version: int, part: int = 0) -> bytes:
    return JOURNAL + version.to_bytes(SUFFIX_BYTES, "big") + part.to_bytes(PART_BYTES, "big")


class Journal:
    def __init__(self, store: KeyValue) -> None:
        self._store = store

    def parts(self, first: Version, last: Version | None = None) -> Iterator[Part]:
        """What was written by versions first..last, oldest first; up to the newest if no last one is given.

        Raises CorruptStore when a part of one of them is missing.
        """
        stop = end_of_prefix(JOURNAL) if last is None else _key(last + 1)
        before: Part | None = None
        for key, data in self._store.pairs(_key(first), stop):
            part = _part(key, data)
            _check_order(before, part)
            yield part
            before = part
        if before is not None and before.rest:
            raise _incomplete(before.version)

    def first(self, floor: Version) -> Part | None:
        """The oldest part that is there, of the floor or a later version."""
        found = self._store.first_from(_key(floor))
        return None if found is None or not found[0].startswith(JOURNAL) else _part(*found)


def _part(key: bytes, data: bytes) -> Part:
    filled, emptied, rest = unpack(data)
    version = Version(int.from_bytes(key[1 : 1 + SUFFIX_BYTES], "big"))
    return Part(key, version, Written(filled, emptied), rest)


def _check_order(before: Part | None, part: Part) -> None:
    begins = int.from_bytes(part.key[-PART_BYTES:], "big") == 0
    if before is None or not before.rest:
        if not begins:
            raise _incomplete(part.version)
    elif begins or (part.version, part.rest) != (before.version, before.rest - 1):
        raise _incomplete(before.version)


def _incomplete(version: Version) -> CorruptStore:
    return CorruptStore(f"version {version}", "the list of what it wrote is incomplete")
