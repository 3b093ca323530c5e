"""The newest blocks, whole, in memory: most requests ask for what has just happened."""

from collections import deque
from dataclasses import dataclass
from itertools import accumulate

from chain.messages.storage import StoredBlock, StoredTransaction
from chain.types import BlockNumber, Hash32

MAX_BLOCKS = 1_024
MAX_TRANSACTIONS = 16_000
MAX_BYTES = 64 << 20
"""Of transactions and logs, which are all that can be large."""


@dataclass(frozen=True, slots=True)
class _Recent:
    block: StoredBlock
    first_logs: tuple[int, ...]
    size: int


class RecentBlocks:
    """A contiguous run of blocks up to the head, each with its receipts: at most so many, with so many bytes in all.

    The head itself is always there.
    """

    def __init__(
        self, max_blocks: int = MAX_BLOCKS, max_transactions: int = MAX_TRANSACTIONS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._max_blocks = max_blocks
        self._max_transactions = max_transactions
        self._max_bytes = max_bytes
        self._bytes = 0
        self._blocks: deque[_Recent] = deque()
        self._by_hash: dict[Hash32, _Recent] = {}
        self._transactions: dict[Hash32, tuple[_Recent, int]] = {}

    def add(self, block: StoredBlock) -> None:
        """Put the new head on top. Blocks that it replaces, or that do not join it, are forgotten."""
        while self._blocks and self._blocks[-1].block.header.number >= block.header.number:
            self._forget(self._blocks.pop())
        if self._blocks and self._blocks[-1].block.header.number != block.header.number - 1:
            self.clear()
        recent = _Recent(block, _first_logs(block), _size(block))
        self._blocks.append(recent)
        self._bytes += recent.size
        self._by_hash[block.hash] = recent
        self._transactions.update((hash_, (recent, i)) for i, hash_ in enumerate(block.hashes))
        while len(self._blocks) > 1 and self._is_over_limit():
            self._forget(self._blocks.popleft())

    def above(self, number: BlockNumber) -> tuple[StoredBlock, ...]:
        """Those after this one, newest first."""
        return tuple(r.block for r in reversed(self._blocks) if r.block.header.number > number)

    def between(self, first: BlockNumber, last: BlockNumber, most_logs: int) -> list[StoredBlock] | None:
        """These blocks if all of them are here and have no more than so many logs together."""
        if not self._blocks or first < self._blocks[0].block.header.number:
            return None
        start = self._blocks[0].block.header.number
        if last - start >= len(self._blocks):
            return None
        found = [self._blocks[at] for at in range(first - start, last - start + 1)]
        few = sum(recent.first_logs[-1] for recent in found) <= most_logs
        return [recent.block for recent in found] if few else None

    def clear(self) -> None:
        self._blocks.clear()
        self._bytes = 0
        self._by_hash.clear()
        self._transactions.clear()

    def by_number(self, number: BlockNumber) -> StoredBlock | None:
        if not self._blocks:
            return None
        offset = number - self._blocks[0].block.header.number
        return self._blocks[offset].block if 0 <= offset < len(self._blocks) else None

    def by_hash(self, block_hash: Hash32) -> StoredBlock | None:
        recent = self._by_hash.get(block_hash)
        return None if recent is None else recent.block

    def transaction(self, transaction_hash: Hash32) -> StoredTransaction | None:
        found = self._transactions.get(transaction_hash)
        if found is None:
            return None
        recent, index = found
        return transaction_at(recent.block, index, recent.first_logs[index])

    def _is_over_limit(self) -> bool:
        return (
            len(self._blocks) > self._max_blocks
            or len(self._transactions) > self._max_transactions
            or self._bytes > self._max_bytes
        )

    def _forget(self, recent: _Recent) -> None:
        self._bytes -= recent.size
        self._by_hash.pop(recent.block.hash, None)
        for transaction_hash in recent.block.hashes:
            self._transactions.pop(transaction_hash, None)


def _first_logs(block: StoredBlock) -> tuple[int, ...]:
    """For each transaction, how many logs come before its own in the block; at the end, how many there are."""
    return tuple(accumulate((len(receipt.logs) for receipt in block.receipts), initial=0))


def _size(block: StoredBlock) -> int:
    logs = sum(receipt.logs_size for receipt in block.receipts)
    return logs + sum(map(len, block.transactions))


def transaction_at(block: StoredBlock, index: int, first_log: int) -> StoredTransaction:
    """One transaction of a block that was read with its receipts."""
    return StoredTransaction(
        raw=block.transactions[index],
        sender=block.senders[index],
        header=block.header,
        block_hash=block.hash,
        index=index,
        first_log=first_log,
        receipt=block.receipts[index],
    )
