"""The newest value of each account and slot under its name alone, with the version it was written at.

The versioned records say all of it, but finding the newest one takes a seek, which LevelDB answers by looking into
every level. A get is led past levels without the key by their Bloom filters, and the newest values lie side by side.
So this is a second copy, written in the same batch. Without one a name was never written, or its value is gone and
pruned: on a fork, never written here.
"""

from collections.abc import Iterator
from struct import Struct

from chain.types import Version
from storage.keyvalue import KeyValue

LATEST = b"L"
VERSION_BYTES = 8
_WRITTEN = Struct(">Q")


def latest_key(name: bytes) -> bytes:
    return LATEST + name


def latest_prefix(version: Version) -> bytes:
    """What stands before the record that was written at this version."""
    return version.to_bytes(VERSION_BYTES, "big")


def latest(store: KeyValue, name: bytes) -> tuple[Version, bytes] | None:
    """When a name was written last, and what: nothing where it was emptied."""
    data = store.get(LATEST + name)
    if data is None:
        return None
    (written,) = _WRITTEN.unpack_from(data)
    return written, data[VERSION_BYTES:]


def latest_versions(store: KeyValue, prefix: bytes) -> Iterator[tuple[bytes, Version]]:
    """The names with this beginning, and when each was written last."""
    for key, data in store.with_prefix(LATEST + prefix):
        yield key[len(LATEST) :], Version(int.from_bytes(data[:VERSION_BYTES], "big"))
