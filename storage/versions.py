"""Keys that carry a version: the newest first, so that the value at a version is one seek.

A versioned key is a name and the complement of a version in 8 bytes. The first key at or after (name, version) is the
newest one that is not newer than the version. Versions are below 2**56, so the suffix begins with 0xff; names of
varying length (paths of hexadecimal digits) therefore sort before the versions of their beginnings, never among them.
"""

from chain.types import Version
from storage.keyvalue import KeyValue

GENESIS_VERSION = Version(1)
SUFFIX_BYTES = 8
_COMPLEMENT = 2**64 - 1


def suffix(version: Version) -> bytes:
    return (_COMPLEMENT - version).to_bytes(SUFFIX_BYTES, "big")


def version_of(key: bytes) -> Version:
    return Version(_COMPLEMENT - int.from_bytes(key[-SUFFIX_BYTES:], "big"))


def newest(store: KeyValue, name: bytes, at: bytes) -> tuple[bytes, bytes] | None:
    """The versioned key and value of `name` at the version whose suffix is `at`; None if it had none yet.

    An empty value says that there is nothing at that version any more.
    """
    found = store.first_from(name + at)
    return found if found is not None and found[0][:-SUFFIX_BYTES] == name else None
