"""One sender's waiting transactions, by nonce, and what of them could go into the next proposal."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from chain.messages.mempool import PooledTransaction
from chain.types import Address, Gas, Height, Wei


@dataclass(slots=True)
class Entry:
    """A transaction held. `arrival` orders those that pay alike; `retries` counts how often a block left it out."""

    transaction: PooledTransaction
    arrival: int
    retries: int = 0

    @property
    def size(self) -> int:
        return len(self.transaction.raw)

    def tip(self, base_fee: Wei) -> int:
        """What the beneficiary gets per gas at that base fee; negative when the fee cap does not cover it."""
        return min(self.transaction.max_priority_fee, self.transaction.max_fee - base_fee)


def highest_cost(transaction: PooledTransaction) -> Wei:
    """The most a transaction can take from its sender."""
    return Wei(transaction.value + transaction.gas * transaction.max_fee)


@dataclass(slots=True)
class SenderQueue:
    """`nonce` and `balance` are the sender's after height `height`. `in_flight` holds, by nonce, the height of the
    unexecuted block that a transaction of this sender is in, and the most it can cost.

    The run is the transactions with consecutive nonces from `next_nonce` on: those that are not in flight yet and
    whose turn would come.
    """

    address: Address
    nonce: int = 0
    balance: Wei = Wei(0)
    height: Height = Height(-1)
    entries: dict[int, Entry] = field(default_factory=dict)
    in_flight: dict[int, tuple[Height, Wei]] = field(default_factory=dict)
    next_nonce: int = 0
    run_end: int = 0
    run_gas: Gas = Gas(0)
    run_bytes: int = 0

    @property
    def is_idle(self) -> bool:
        return not self.entries and not self.in_flight

    @property
    def head(self) -> Entry | None:
        """The transaction whose turn is next."""
        return self.entries.get(self.next_nonce) if self.next_nonce < self.run_end else None

    @property
    def run_length(self) -> int:
        return self.run_end - self.next_nonce

    @property
    def spendable(self) -> int:
        """The balance that is left if everything in flight costs the most it can."""
        return self.balance - sum(cost for height, cost in self.in_flight.values() if height > self.height)

    def run(self) -> Iterator[Entry]:
        for nonce in range(self.next_nonce, self.run_end):
            yield self.entries[nonce]

    def begin_run(self) -> None:
        """After the state or the branch changed, which say where the run begins. What stays in it is not counted anew,
        so that a block costs what it holds and not what waits behind it.
        """
        begin = self.nonce
        while begin in self.in_flight:
            begin += 1
        if self.next_nonce <= begin <= self.run_end:
            self._uncount(range(self.next_nonce, begin))
            self.next_nonce = begin
        else:
            self.next_nonce = self.run_end = begin
            self.run_gas, self.run_bytes = Gas(0), 0
        self.extend_run()

    def extend_run(self) -> None:
        """After an entry was added at the run's end."""
        while (entry := self.entries.get(self.run_end)) is not None:
            self.run_gas = Gas(self.run_gas + entry.transaction.gas)
            self.run_bytes += entry.size
            self.run_end += 1

    def in_run(self, nonce: int) -> bool:
        return self.next_nonce <= nonce < self.run_end

    def end_run(self, nonce: int) -> None:
        """Before the entry of that nonce, which is in the run, goes: the run ends before it."""
        self._uncount(range(nonce, self.run_end))
        self.run_end = nonce

    def _uncount(self, nonces: Iterable[int]) -> None:
        for nonce in nonces:
            entry = self.entries[nonce]
            self.run_gas = Gas(self.run_gas - entry.transaction.gas)
            self.run_bytes -= entry.size

    def update_state(self, nonce: int, balance: Wei, height: Height) -> bool:
        """Takes a newer state; an older one never replaces it."""
        if height < self.height or (height == self.height and nonce <= self.nonce and balance == self.balance):
            return False
        self.nonce, self.balance, self.height = nonce, balance, height
        return True
