"""Walks along rows of the log index by position in the chain. What is not far is walked to, what is further sought."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from itertools import islice
from typing import Protocol

from storage.keyvalue import CorruptStore, Reads
from storage.logs import ADDRESS_BYTES, OF_ADDRESS

END = b"\xff" * 16
"""Beyond every position."""
STEPS_BEFORE_SEEK = 8
"""So many steps along a name's rows take as long as a seek."""
WALKS_A_STEP = 64
MAX_COPY_WALKS = 64
STEPS_BEFORE_GET = 2
"""So many steps take as long as reading one row by its key."""


class LogWalk(Protocol):
    """Stands at one row: `name` and `at`, its position, are its key, `value` what it has. `at` is END past the last."""

    @property
    def name(self) -> bytes: ...

    @property
    def at(self) -> bytes: ...

    @property
    def value(self) -> bytes: ...

    def reach(self, position: bytes) -> bool:
        """Go to the first row at or after `position`. False: a pause is due, call it again after that."""
        ...


class NameWalk:
    """The rows of one name."""

    def __init__(self, store: Reads, name: bytes, stop: bytes) -> None:
        self.name = name
        self._store = store
        self._stop = name + stop
        self._pairs: Iterator[tuple[bytes, bytes]] | None = None
        self.at = b""
        self.value = b""

    def reach(self, position: bytes) -> bool:
        steps = 0
        while self.at < position:
            if self._pairs is None or steps == STEPS_BEFORE_SEEK:
                self._pairs = self._store.pairs(self.name + position, self._stop)
            found = next(self._pairs, None)
            if found is None:
                self.at, self.value = END, b""
            else:
                self.at, self.value = found[0][len(self.name) :], found[1]
            steps += 1
        return True


class AnyWalk:
    """The rows of several names, merged. They must have no position in common."""

    def __init__(self, walks: Sequence[NameWalk]) -> None:
        self._walks = [(walk.at, index, walk) for index, walk in enumerate(walks)]
        heapify(self._walks)

    @property
    def name(self) -> bytes:
        return self._walks[0][2].name

    @property
    def at(self) -> bytes:
        return self._walks[0][0]

    @property
    def value(self) -> bytes:
        return self._walks[0][2].value

    def reach(self, position: bytes) -> bool:
        for _ in range(WALKS_A_STEP):
            at, index, walk = self._walks[0]
            if at >= position:
                return True
            walk.reach(position)
            heapreplace(self._walks, (walk.at, index, walk))
        return self.at >= position


def walk_along(store: Reads, names: Sequence[bytes], stop: bytes) -> LogWalk:
    """Along the rows of any of the names before the position `stop`."""
    walks = [NameWalk(store, name, stop) for name in dict.fromkeys(names)]
    return walks[0] if len(walks) == 1 else AnyWalk(walks)


class Copies:
    """The copies of logs before a position, read in the order of the chain.

    Who emitted one that is wanted often emitted the next ones too: each address is walked along until that is wrong.
    """

    def __init__(self, store: Reads, stop: bytes) -> None:
        self._store = store
        self._stop = stop
        self._walks: dict[bytes, Iterator[tuple[bytes, bytes]] | None] = {}

    def get(self, name: bytes) -> bytes:
        """The copy that stands under an address and a position."""
        key, address = OF_ADDRESS + name, name[:ADDRESS_BYTES]
        if address not in self._walks:
            full = len(self._walks) == MAX_COPY_WALKS
            self._walks[address] = None if full else self._store.pairs(key, OF_ADDRESS + address + self._stop)
        walk = self._walks[address]
        if walk is not None:
            for found, copied in islice(walk, STEPS_BEFORE_GET):
                if found == key:
                    return copied
            self._walks[address] = None
        there = self._store.get(key)
        if there is None:
            raise CorruptStore("the index of logs", f"it names a log that is not there, {name.hex()}")
        return there
