"""The storage process: answers reads at any version, and applies blocks one at a time between them.

One event loop does everything but the write itself, which LevelDB does on a thread of its own. A large block is worked
out in slices of a millisecond, reads being answered between them. Reads name a version, so what they answer does not
depend on how far a block has come.
"""

import asyncio
from collections import Counter

from chain.links import Peer
from chain.messages import Message
from chain.messages.storage import ReadStorageStatus, StorageStatus
from storage.applying import Applying
from storage.awaited import Awaited
from storage.chain_answers import ChainAnswers
from storage.errors import StorageClosed, UnknownRequest
from storage.handlers import Handlers
from storage.keyvalue import CorruptStore
from storage.remote import RemoteChain
from storage.remote_below import RemoteBelow
from storage.state_answers import StateAnswers
from storage.store import OLDEST_BLOCK, Store


class StorageService:
    """What storage offers on its socket. `close` when no more is asked; it closes the store too.

    `remote` is the chain that a fork was forked from; it is closed as well.
    """

    def __init__(self, store: Store, remote: RemoteChain | None = None) -> None:
        self._store = store
        self._remote = None if remote is None else RemoteBelow(remote, store)
        self._awaited = Awaited(store)
        self._applying = Applying(store, self._remote, self._awaited, self._met)
        self._closed = False
        self.damage: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises CorruptStore once something damaged was met: no more is to be served from it then."""
        self._counters: Counter[str] = Counter()
        self._answers: Handlers = {
            ReadStorageStatus: self._read_status,
            **self._applying.handlers(),
            **ChainAnswers(store, self._remote, self._awaited).handlers(),
            **StateAnswers(store, self._remote, self._awaited).handlers(),
        }

    async def answer(self, message: Message, peer: Peer) -> Message:
        kind = type(message)
        handler = self._answers.get(kind)
        if handler is None:
            raise UnknownRequest(kind.__name__)
        if self._closed:
            raise StorageClosed
        self._counters[kind.__name__] += 1
        try:
            return await handler(message)
        except CorruptStore as error:
            self._met(error)
            raise

    def _met(self, damage: CorruptStore) -> None:
        if not self.damage.done():
            self.damage.set_exception(damage)

    def joined(self, peer: Peer) -> None:
        """Nothing is kept for a peer."""

    def left(self, peer: Peer) -> None:
        """Nothing is kept for a peer."""

    async def close(self) -> None:
        """Finish the block being applied, refuse the rest, and close the store."""
        self._closed = True
        self.damage.cancel()
        self._applying.stop()
        self._awaited.close()
        if self._remote is not None:
            await self._remote.close()
        await self._applying.close()
        self._store.close()

    async def _read_status(self, read: ReadStorageStatus) -> StorageStatus:
        store = self._store
        counters = {
            **self._counters,
            "state_hits": store.state.hits,
            "state_gets": store.state.gets,
            "state_seeks": store.state.seeks,
            "trie_hits": store.tries.hits,
            "trie_seeks": store.tries.seeks,
            "pruned_records": store.pruning.deleted,
            "waits": self._awaited.waits,
            "waiting_reads": self._awaited.waiting,
            **({} if self._remote is None else self._remote.counters()),
        }
        head = store.head
        oldest = store.pruning.oldest
        caches = (*store.state.cache_use(), store.tries.cache_use(), store.blocks.cache_use())
        return StorageStatus(head.number, head.version, OLDEST_BLOCK, oldest, store.disk_bytes(), counters, caches)
