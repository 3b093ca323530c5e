"""One sender's transactions in rpc's pool: which of them can be executed, what they cost, who holds them."""

from dataclasses import dataclass, field

from chain.messages.mempool import PooledTransaction, SenderState
from chain.replacement import has_blobs
from chain.types import Wei

EVERYONE = -1
"""The bit mask of all validators, however many there are."""


def cost_of(transaction: PooledTransaction) -> Wei:
    """The most that the transaction can take from its sender."""
    return Wei(transaction.value + transaction.gas * transaction.max_fee)


@dataclass(slots=True)
class Entry:
    """A pooled transaction, and the validators that may hold it, as a bit mask: all that have not said otherwise."""

    transaction: PooledTransaction
    cost: Wei
    holders: int = EVERYONE


@dataclass(slots=True)
class Sender:
    """A sender's newest state and its transactions by nonce.

    `next` is the first nonce from the state's on that is free; `cost` sums what the transactions from the state's nonce
    on can cost. The `executed` ones below it are in a block whose news is not here yet.
    """

    state: SenderState
    entries: dict[int, Entry] = field(default_factory=dict)
    next: int = 0
    cost: int = 0
    executed: int = 0
    blobs: int = 0
    """How many of them carry blobs."""

    def learn(self, state: SenderState) -> None:
        self.state = state
        self.next = state.nonce
        ahead = [entry.cost for nonce, entry in self.entries.items() if nonce >= state.nonce]
        self.cost, self.executed = sum(ahead), len(self.entries) - len(ahead)
        self._close_gap()

    def put(self, entry: Entry) -> None:
        """Add a transaction whose nonce is free and not below the state's."""
        nonce = entry.transaction.nonce
        assert nonce not in self.entries
        assert nonce >= self.state.nonce
        self.entries[nonce] = entry
        self.blobs += has_blobs(entry.transaction)
        self.cost += entry.cost
        self._close_gap()

    def take(self, nonce: int) -> None:
        """Remove the transaction of this nonce."""
        entry = self.entries.pop(nonce)
        self.blobs -= has_blobs(entry.transaction)
        if nonce < self.state.nonce:
            self.executed -= 1
        else:
            self.cost -= entry.cost
            self.next = min(self.next, nonce)

    def is_reserved_against(self, transaction: PooledTransaction) -> bool:
        """Whether blob transactions wait and this is none, or the other way round."""
        if len(self.entries) == self.executed:
            return False
        wanted = has_blobs(transaction)
        if self.blobs in (0, len(self.entries)):
            return (self.blobs > 0) != wanted
        waiting = (entry for nonce, entry in self.entries.items() if nonce >= self.state.nonce)
        return any(has_blobs(entry.transaction) != wanted for entry in waiting)

    def queued(self) -> int:
        """How many wait behind a gap."""
        return len(self.entries) - self.executed - (self.next - self.state.nonce)

    def _close_gap(self) -> None:
        while self.next in self.entries:
            self.next += 1
