"""Answers that wait for a pooled transaction to get its block, for a moment at most.

ethers keeps the answer to each request for 250 ms, while a block takes 10 ms here. It asks for the receipt of what it
has just sent, is told null, hears of the new block, reads the null it has kept, and waits for good, because no further
block comes. An answer that is null only after more than 250 ms is no longer kept when the next block is heard of.
"""

import asyncio

from chain.types import Hash32

MAX_WAIT_S = 0.5
"""Above the 250 ms for which ethers keeps answers (`cacheTimeout`), with room for a slow machine."""
MAX_WAITING = 4_096
"""Answers that wait at a time; further ones are given at once."""


class AwaitedTransactions:
    """Who waits for which transaction to leave the pool."""

    def __init__(self) -> None:
        self._waiting: dict[Hash32, set[asyncio.Future[None]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    async def until_gone(self, transaction_hash: Hash32, limit_s: float = MAX_WAIT_S) -> None:
        """Wait until the transaction has left the pool, at most `limit_s`."""
        if self._count >= MAX_WAITING:
            return
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(transaction_hash, set()).add(gone)
        self._count += 1
        try:
            await asyncio.wait((gone,), timeout=limit_s)
        finally:
            self._count -= 1
            self._forget(transaction_hash, gone)

    def gone(self, transaction_hash: Hash32) -> None:
        """The transaction has left the pool."""
        for waiting in self._waiting.pop(transaction_hash, ()):
            waiting.set_result(None)

    def _forget(self, transaction_hash: Hash32, gone: "asyncio.Future[None]") -> None:
        waiting = self._waiting.get(transaction_hash)
        if waiting is not None:
            waiting.discard(gone)
            if not waiting:
                del self._waiting[transaction_hash]
