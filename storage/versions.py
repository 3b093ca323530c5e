"""Keys that carry a version: the newest first, so that the value at a version is one seek.

A versioned key is a name and the complement of a version in 8 bytes. The first key at or after (name, version) is the
newest one that is not newer than the version. Versions are below 2**56, so the suffix begins with 0xff; names of
varying length (paths of hexadecimal digits) therefore sort before the versions of their beginnings, never among them.
"""

from collections.abc import Iterator

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


def filled(store: KeyValue, prefix: bytes, version: Version, after: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """The names with this beginning that have something at `version`, with it; `after` is a name to begin behind."""
    return ((name, value) for name, _, value in known(store, prefix, version, after) if value)


def known(
    store: KeyValue, prefix: bytes, version: Version, after: bytes = b""
) -> Iterator[tuple[bytes, Version, bytes]]:
    """The names with this beginning that had a value by `version`, empty if that is gone, with the version that it is
    of: by two seeks a name however many versions it has. What is written meanwhile, as newer versions, changes nothing.
    """
    found = store.first_from(behind(after) if after else prefix)
    while found is not None and found[0].startswith(prefix):
        name = found[0][:-SUFFIX_BYTES]
        at_version = newest(store, name, suffix(version))
        if at_version is not None:
            yield name, version_of(at_version[0]), at_version[1]
        found = store.first_from(behind(name))


def behind(name: bytes) -> bytes:
    """A key behind all versions of a name."""
    return name + b"\xff" * (SUFFIX_BYTES + 1)


def filled_names(store: KeyValue, prefix: bytes, version: Version) -> Iterator[bytes]:
    """The names with this beginning that have something at `version`."""
    return (name for name, _ in filled(store, prefix, version))
