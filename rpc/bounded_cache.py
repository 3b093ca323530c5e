"""A mapping that forgets its oldest entries."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """At most `limit` entries, or by `weigh` entries that weigh so much together, such as bytes where values differ.

    First in first out: what is read here ages with the chain, so age is the right measure, and a hit costs one
    dictionary look-up. The newest entry stays, whatever it weighs.
    """

    def __init__(self, limit: int, weigh: Callable[[V], int] | None = None) -> None:
        assert limit > 0
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._entries: OrderedDict[K, V] = OrderedDict()  # a dict finds its first entry only past all that are gone

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        entries, count, weigh = self._entries, len(self._entries), self._weigh
        former = entries.setdefault(key, value)  # keys may be large, so look one up once
        if len(entries) == count:
            self._weight -= self._weight_of(former)
            entries[key] = value
        self._weight += 1 if weigh is None else weigh(value)
        while self._weight > self._limit and len(entries) > 1:
            self._weight -= self._weight_of(self._entries.popitem(last=False)[1])

    def clear(self) -> None:
        self._entries.clear()
        self._weight = 0

    def _weight_of(self, value: V) -> int:
        return 1 if self._weigh is None else self._weigh(value)

    def __len__(self) -> int:
        return len(self._entries)
