"""A bounded cache that keeps what was used lately."""

from collections.abc import Callable
from typing import Generic, TypeVar

from chain.messages.storage import CacheUse

K = TypeVar("K")
V = TypeVar("V")


class RecentlyUsed(Generic[K, V]):
    """Two generations of at most `size` each: what is read from the old one moves to the young one, and when the
    young one is full the old one is dropped. Costs one dictionary access where an ordered list would cost three.

    `size` counts entries, or what `weigh` says of them together, such as bytes where values differ much. Who reads
    knows what a hit is worth, and counts `hits` and `misses`.
    """

    def __init__(self, size: int, weigh: Callable[[V], int] | None = None) -> None:
        self.size = size
        self.hits = 0
        self.misses = 0
        self._weigh = weigh
        self._weight = 0
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        weight = 1 if self._weigh is None else self._weigh(value)
        if self._weight + weight > self.size:
            self._old, self._young, self._weight = self._young, {}, 0
        if key not in self._young:
            self._weight += weight
        self._young[key] = value

    def clear(self) -> None:
        self._young = {}
        self._old = {}
        self._weight = 0

    def use(self, name: str) -> CacheUse:
        return CacheUse(name, self.hits, self.misses, len(self))

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
