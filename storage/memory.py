"""The key-value interface in memory, for tests that need no disk."""

from bisect import bisect_left
from collections.abc import Iterator

from storage.keyvalue import Batch, end_of_prefix


class MemoryKeyValue:
    """A dictionary beside the sorted list of its keys."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        at = bisect_left(self._keys, key)
        if at == len(self._keys):
            return None
        found = self._keys[at]
        return found, self._values[found]

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        keys = self._keys[bisect_left(self._keys, start) : bisect_left(self._keys, stop)]
        return iter([(key, self._values[key]) for key in keys])

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self.pairs(prefix, end_of_prefix(prefix))

    def snapshot(self) -> "MemoryKeyValue":
        taken = MemoryKeyValue()
        taken._values, taken._keys = dict(self._values), self._keys
        return taken

    def write(self, batch: Batch, sync: bool = True) -> None:
        for key, value in batch.items():
            if value is not None:
                self._values[key] = value
            else:
                self._values.pop(key, None)
        self._keys = sorted(self._values)

    def recover(self) -> None:
        """Nothing can have gone wrong here."""

    def approximate_bytes(self) -> int:
        return sum(len(key) + len(value) for key, value in self._values.items())

    def close(self) -> None:
        """Nothing to let go of: what was written stays readable, so that a test can open it again."""
