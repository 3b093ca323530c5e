"""Those who read a version that is not applied yet."""

import asyncio

from chain.types import Version
from storage.errors import StorageClosed, TooManyWaiting, VersionOutOfRange
from storage.store import Store
from storage.versions import GENESIS_VERSION

MAX_WAITING_READS = 10_000
MAX_VERSIONS_AHEAD = 256
"""No reader is that far ahead of storage; a version further away is a mistake, and would be waited for forever."""


class Awaited:
    """Lets readers wait until `wake` says that their version is there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events: dict[Version, asyncio.Event] = {}
        self._closed = False
        self.waiting = 0
        """How many wait."""
        self.waits = 0
        """How many have waited so far, these among them."""

    async def reached(self, version: Version | None) -> Version:
        """The version to read at, once it is applied. Raises VersionOutOfRange, TooManyWaiting, StorageClosed."""
        newest = self._store.head.version
        if version is None:
            return newest
        if not GENESIS_VERSION <= version <= newest + MAX_VERSIONS_AHEAD:
            raise VersionOutOfRange(version, GENESIS_VERSION, newest)
        if version > newest:
            await self._wait_for(version)
        return version

    async def _wait_for(self, version: Version) -> None:
        if self.waiting >= MAX_WAITING_READS:
            raise TooManyWaiting(MAX_WAITING_READS)
        self.waits += 1
        self.waiting += 1
        try:
            await self._events.setdefault(version, asyncio.Event()).wait()
        finally:
            self.waiting -= 1
        if self._closed:
            raise StorageClosed

    def wake(self, version: Version) -> None:
        """This version is applied, and all before it."""
        for reached in [awaited for awaited in self._events if awaited <= version]:
            self._events.pop(reached).set()

    def close(self) -> None:
        """Nothing more is applied."""
        self._closed = True
        for event in self._events.values():
            event.set()
