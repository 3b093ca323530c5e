"""What each version wrote: the names of its records, so that whoever asks what changed, or what is superseded, need not
search the whole state for it.

The first version has no entry: everything is there since then.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chain.codec import pack, unpack
from chain.types import Version
from storage.keyvalue import KeyValue, end_of_prefix
from storage.versions import SUFFIX_BYTES

JOURNAL = b"j"


class Written(NamedTuple):
    """Names as in a versioned key: of records with something in them, and of empty ones, which say it is gone."""

    filled: Sequence[bytes]
    emptied: Sequence[bytes]


def journal_key(version: int) -> bytes:
    return JOURNAL + version.to_bytes(SUFFIX_BYTES, "big")


def encode_written(written: Written) -> bytes:
    return pack([list(written.filled), list(written.emptied)])


class Journal:
    def __init__(self, store: KeyValue) -> None:
        self._store = store

    def entries(self, first: Version, last: Version | None = None) -> Iterator[tuple[Version, Written]]:
        """What was written by versions first..last, oldest first; up to the newest if no last one is given."""
        stop = end_of_prefix(JOURNAL) if last is None else journal_key(last + 1)
        for key, data in self._store.pairs(journal_key(first), stop):
            yield Version(int.from_bytes(key[1:], "big")), Written(*unpack(data))

    def first(self) -> tuple[Version, Written] | None:
        """The oldest entry that is there."""
        found = self._store.first_from(JOURNAL)
        if found is None or not found[0].startswith(JOURNAL):
            return None
        return Version(int.from_bytes(found[0][1:], "big")), Written(*unpack(found[1]))
