"""The records that nobody needs, by the plain meaning of pruning: every version is looked at, for every name."""

from collections.abc import Collection, Iterator
from itertools import groupby

from chain.types import Version
from storage.keyvalue import KeyValue
from storage.latest import LATEST, VERSION_BYTES
from storage.state import ACCOUNTS, SLOTS
from storage.tries import ACCOUNT_TRIE
from storage.versions import SUFFIX_BYTES, version_of

TRIES = (ACCOUNT_TRIE, b"u")


def superfluous(keyvalue: KeyValue, floor: Version, pinned: Collection[Version]) -> list[bytes]:
    """Keys without which every version from the floor on reads the same, and of accounts and slots pinned ones too."""
    found: list[bytes] = []
    for kind in (ACCOUNTS, SLOTS, *TRIES):
        versions = {floor} if kind in TRIES else {floor, *pinned}
        for _, group in groupby(keyvalue.with_prefix(kind), key=lambda pair: pair[0][:-SUFFIX_BYTES]):
            found += _superfluous(list(group), floor, versions)
    for key, value in keyvalue.with_prefix(LATEST):
        version = Version(int.from_bytes(value[:VERSION_BYTES], "big"))
        records = list(keyvalue.with_prefix(key[len(LATEST) :]))
        if not records or version_of(records[0][0]) != version:
            found.append(key)
    return found


def _superfluous(records: list[tuple[bytes, bytes]], floor: Version, versions: Collection[Version]) -> Iterator[bytes]:
    """Of one name, the newest first."""
    needed = {key for key, _ in records if version_of(key) > floor}
    for version in versions:
        needed.update([key for key, _ in records if version_of(key) <= version][:1])
    hides_nothing = True
    for key, record in reversed(records):
        if version_of(key) <= floor and not record and hides_nothing:
            needed.discard(key)
        hides_nothing = hides_nothing and key not in needed
    yield from (key for key, _ in records if key not in needed)
