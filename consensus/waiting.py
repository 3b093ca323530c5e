"""The transactions that a mempool holds: by hash, by sender and nonce, by price, and how much of them is ready."""

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from chain.messages.mempool import PooledTransaction
from chain.types import Address, Hash32, Wei
from consensus.sender_queue import Entry, SenderQueue

MAX_REMEMBERED = 16_384
"""Senders without waiting transactions that are still remembered."""


class Waiting:
    """`ready` are the senders whose next transaction may go into a proposal, `ready_count`, `ready_gas` and
    `ready_bytes` how many are in all of their runs and what they take. `changes` counts what may have changed these.
    """

    def __init__(self) -> None:
        self.entries: dict[Hash32, Entry] = {}
        self.queues: OrderedDict[Address, SenderQueue] = OrderedDict()
        self.ready: dict[Address, SenderQueue] = {}
        self.ready_count = 0
        self.ready_gas = 0
        self.ready_bytes = 0
        self.size_bytes = 0
        self.changes = 0
        self._arrivals = 0
        self._cheapest: list[_Priced] | None = None
        """A heap of them all, from when room is first sought. Of those that have left some are still in it."""

    def queue(self, address: Address) -> SenderQueue:
        queue = self.queues.get(address)
        if queue is None:
            queue = self.queues[address] = SenderQueue(address)
        return queue

    def transaction(self, hash: Hash32) -> PooledTransaction | None:
        entry = self.entries.get(hash)
        return None if entry is None else entry.transaction

    def arrived(self, transaction: PooledTransaction) -> Entry:
        """Takes in a transaction as the newest one."""
        entry = Entry(transaction, self._arrivals + 1)
        queue = self.insert(entry)
        if transaction.nonce == queue.run_end:
            self._untally(queue)
            queue.extend_run()
            self._tally(queue)
        return entry

    def insert(self, entry: Entry) -> SenderQueue:
        """Takes in a transaction, but not into its sender's run. Its sender's queue."""
        transaction = entry.transaction
        self._arrivals = max(self._arrivals, entry.arrival)
        self.entries[transaction.hash] = entry
        self.size_bytes += entry.size
        queue = self.queue(transaction.sender)
        queue.entries[transaction.nonce] = entry
        self.put_back((entry,))
        return queue

    def remove(self, entry: Entry) -> None:
        transaction = entry.transaction
        del self.entries[transaction.hash]
        self.size_bytes -= entry.size
        queue = self.queue(transaction.sender)
        if queue.in_run(transaction.nonce):
            self._untally(queue)
            queue.end_run(transaction.nonce)
            self._tally(queue)
        del queue.entries[transaction.nonce]

    def take_cheapest(self) -> Entry | None:
        """The one that pays least, the newest among equals; it is not found so again unless it is put back."""
        if self._cheapest is None:
            self._cheapest = [_priced(entry) for entry in self.entries.values()]
            heapq.heapify(self._cheapest)
        while self._cheapest:
            entry = self.entries.get(heapq.heappop(self._cheapest)[3])
            if entry is not None:
                return entry
        return None

    def put_back(self, entries: Iterable[Entry]) -> None:
        if self._cheapest is None:
            return
        for entry in entries:
            heapq.heappush(self._cheapest, _priced(entry))
        if len(self._cheapest) > 2 * len(self.entries) + 1024:
            self._cheapest = None

    def begin_run(self, queue: SenderQueue) -> None:
        """After the sender's state or what of it is in flight has changed."""
        self._untally(queue)
        self.ready.pop(queue.address, None)  # who is ready again goes behind the others
        queue.begin_run()
        self._tally(queue)

    def forget_idle(self) -> None:
        """Idle senders' states are kept a while, so that an older state said later does not replace them."""
        excess = len(self.queues) - MAX_REMEMBERED - len(self.entries)
        if excess > 0:
            idle = [address for address, queue in self.queues.items() if queue.is_idle]
            for address in idle[:excess]:
                del self.queues[address]

    def _untally(self, queue: SenderQueue) -> None:
        self.changes += 1
        if queue.address in self.ready:
            self.ready_count -= queue.run_length
            self.ready_gas -= queue.run_gas
            self.ready_bytes -= queue.run_bytes

    def _tally(self, queue: SenderQueue) -> None:
        if queue.head is not None:
            self.ready[queue.address] = queue
            self.ready_count += queue.run_length
            self.ready_gas += queue.run_gas
            self.ready_bytes += queue.run_bytes
        else:
            self.ready.pop(queue.address, None)


_Priced: TypeAlias = tuple[Wei, Wei, int, Hash32]
"""What one pays and when it came, the newest first among equals."""


def _priced(entry: Entry) -> _Priced:
    return *price(entry.transaction), -entry.arrival, entry.transaction.hash


def price(transaction: PooledTransaction) -> tuple[Wei, Wei]:
    """By which transactions compete for room."""
    return transaction.max_priority_fee, transaction.max_fee
