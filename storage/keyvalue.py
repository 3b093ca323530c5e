"""The small key-value interface that everything durable stands on, and why it can fail.

A backend is one file behind `KeyValue`: `leveldb.py` for processes, `memory.py` for tests.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

Batch: TypeAlias = Mapping[bytes, bytes | None]
"""What one write changes: each key's new value, None to delete it."""


class Reads(Protocol):
    """What can be read of ordered bytes to bytes."""

    def get(self, key: bytes) -> bytes | None: ...

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The pairs with start <= key < stop, in order, as they were at the call."""
        ...


class KeyValue(Reads, Protocol):
    """Ordered bytes to bytes. Keys compare as bytes do. A value read never changes under the reader."""

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        """The first pair whose key is at or after `key`."""
        ...

    def snapshot(self) -> Reads:
        """All as it is at the call, for several reads that must fit together whatever is written meanwhile."""
        ...

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The pairs whose key begins with `prefix`, in order, as they were at the call."""
        ...

    def write(self, batch: Batch, sync: bool = True) -> None:
        """All of the batch or nothing. With `sync` it survives a loss of power once this returns.

        May be called on another thread while this one reads. After it raised, `recover` before the next write.
        """
        ...

    def recover(self) -> None:
        """Find out, after a write that raised, what the store holds; then it can be written again."""
        ...

    def approximate_bytes(self) -> int: ...

    def close(self) -> None: ...


def end_of_prefix(prefix: bytes) -> bytes:
    """The first key after all that begin with `prefix`, which must not be 0xff bytes alone."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes((trimmed[-1] + 1,))


class StoreError(Exception):
    """Something storage cannot do. Subclasses name the cause; the text says what to do."""


class FolderInUse(StoreError):
    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"the data folder {folder} is in use by another process: stop that one, or choose another folder"
        )
        self.folder = folder


class FolderUnreadable(StoreError):
    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"the data folder {folder} cannot be read and written ({reason}): change its permissions, or choose another"
        )
        self.folder = folder


class CorruptStore(StoreError):
    """`what` is the damaged file where it is known, else the folder."""

    def __init__(self, what: Path | str, reason: str) -> None:
        super().__init__(
            f"{what} is damaged ({reason}): run `tandem repair` on the data folder, or put a backup in its place"
        )
        self.what = what
        self.reason = reason


class NewerFormat(StoreError):
    def __init__(self, folder: str, found: int, known: int) -> None:
        super().__init__(
            f"{folder} has data format {found}, this version of Tandem knows up to {known}: "
            "use the newer version that wrote it, or choose another folder"
        )
        self.found = found
        self.known = known


class OlderFormat(StoreError):
    def __init__(self, folder: str, found: int, known: int) -> None:
        super().__init__(
            f"{folder} has data format {found}, which this version of Tandem cannot read (it reads {known}): "
            "use the older version that wrote it, or choose another folder"
        )
        self.found = found
        self.known = known


class OtherChain(StoreError):
    def __init__(self, folder: str, found: bytes, expected: bytes) -> None:
        super().__init__(
            f"{folder} belongs to another chain (genesis {found.hex()[:16]}…, not {expected.hex()[:16]}…): "
            "start with the options it was made with, or choose another folder"
        )
        self.found = found
        self.expected = expected


class DiskFull(StoreError):
    """The text is the same however a write failed, so that who repeats it can be told once; `reason` says how."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"no room left to write to {folder}: free some space, the chain goes on by itself then")
        self.folder = folder
        self.reason = reason
