"""Who reads which version of the state: a version that is being read is not pruned.

A call, a trace or a batch of requests reads one version by several requests, so a version is held for a while after
each of them. Not for ever: one who reads the same old version again and again must not keep everything since.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from chain.types import Version

HELD_AFTER_READ_S = 15.0
"""Longer than the longest pause between two reads of one reader: a trace may take ten seconds."""
HELD_AT_MOST_S = 60.0
"""Counted from the first read."""
MAX_HELD = 1024
"""Versions remembered after a read; of more, the one whose reading began first goes."""


@dataclass(slots=True)
class _Read:
    first_s: float
    last_s: float


class Holds:
    """`clock` tells seconds, as time.monotonic does."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._held: dict[Version, int] = {}
        self._read: dict[Version, _Read] = {}

    @contextmanager
    def hold(self, version: Version) -> Iterator[None]:
        """While this lasts, the state of `version` and later ones is kept."""
        self._held[version] = self._held.get(version, 0) + 1
        try:
            yield
        finally:
            self._held[version] -= 1
            if not self._held[version]:
                del self._held[version]

    @contextmanager
    def read(self, version: Version) -> Iterator[None]:
        """One request of a reader, who may be going to ask for more."""
        now = self._clock()
        before = self._read.get(version)
        if before is None:
            self._read[version] = _Read(now, now)
            if len(self._read) > MAX_HELD:
                del self._read[next(iter(self._read))]
        else:
            before.last_s = now
        with self.hold(version):
            yield

    def oldest(self) -> Version | None:
        """The oldest version that is held; None if none is."""
        now = self._clock()
        ended = [v for v, r in self._read.items() if _has_ended(r, now)]
        for version in ended:
            del self._read[version]
        return min([*self._held, *self._read], default=None)


def _has_ended(read: _Read, now: float) -> bool:
    return now - read.last_s >= HELD_AFTER_READ_S or now - read.first_s >= HELD_AT_MOST_S
