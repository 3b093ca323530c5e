"""What waited when a snapshot was taken: going back to it is to leave that waiting, and nothing that was sent since.

So Hardhat and ganache have it. The chain's state does not hold the pool, so this is remembered here: after a restart of
rpc, and of snapshots whose transactions are too many to be kept, the pool stays as it is.
"""

from collections.abc import Iterable

from chain.messages.mempool import PooledTransaction

MAX_SNAPSHOTS = 1_024
MAX_BYTES = 16 * 1024 * 1024
"""Of raw transactions, those of all snapshots together."""

Waiting = tuple[PooledTransaction, ...]


class PoolSnapshots:
    """By snapshot id, the newest last; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._waiting: dict[int, Waiting] = {}
        self._bytes = 0

    def taken(self, snapshot: int, waiting: Iterable[PooledTransaction]) -> None:
        self._waiting[snapshot] = tuple(waiting)
        self._bytes += _size(self._waiting[snapshot])
        while self._bytes > MAX_BYTES or len(self._waiting) > MAX_SNAPSHOTS:
            self._forget(next(iter(self._waiting)))

    def at(self, snapshot: int) -> Waiting | None:
        """None if that is not known."""
        return self._waiting.get(snapshot)

    def used(self, snapshot: int) -> None:
        """It is gone, and so are those taken after it."""
        for each in [known for known in self._waiting if known >= snapshot]:
            self._forget(each)

    def _forget(self, snapshot: int) -> None:
        self._bytes -= _size(self._waiting.pop(snapshot))


def _size(waiting: Waiting) -> int:
    return sum(len(transaction.raw) for transaction in waiting)
