"""The longest chain of transactions of a block that wait for each other whatever the strategy.

A transaction depends on an earlier one of the block that changed what it read. Where a read has only a condition (a
sender has at least so much, an account is empty or not), it depends on those before it only if the condition does not
hold at the start of the block; being paid depends on nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chain.block_case import CaseAccount
from chain.messages.traces import Access, TransactionTrace
from chain.records import AccessKind
from chain.types import Address

BALANCE, SLOT, AT_LEAST, EMPTINESS = (
    AccessKind.BALANCE,
    AccessKind.SLOT,
    AccessKind.BALANCE_AT_LEAST,
    AccessKind.EMPTINESS,
)
Key = tuple[AccessKind, Address, int]


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """Places in the block, in order, and how long those transactions take one after the other."""

    places: tuple[int, ...]
    us: int


def critical_path(
    transactions: Sequence[TransactionTrace], before: Mapping[Address, CaseAccount], thread_us: Sequence[int]
) -> CriticalPath:
    """The path through the block that takes longest; the first, if several do.

    `before` is the state before the block, `thread_us` how long each transaction takes.
    """
    chains = _Chains(before)
    for place, (trace, own_us) in enumerate(zip(transactions, thread_us, strict=True)):
        chains.add(place, trace, own_us)
    return chains.longest()


@dataclass(slots=True)
class _Chains:
    """For each transaction so far: when it ends if everything runs as early as it can, and whom it waits for."""

    before: Mapping[Address, CaseAccount]
    ends: list[int] = field(default_factory=list)
    waits_for: list[int | None] = field(default_factory=list)
    writers: dict[Key, int] = field(default_factory=dict)
    """Whom a later reader of a key waits for: the last that wrote it, of a balance the writer that ends last."""
    first_writers: dict[Address, int] = field(default_factory=dict)
    """Who first changed an account apart from its storage: brought it into existence, if it was empty."""

    def add(self, place: int, trace: TransactionTrace, own_us: int) -> None:
        last = max(
            (writer for read in trace.reads if (writer := self._writer(read)) is not None),
            key=lambda writer: (self.ends[writer], -writer),
            default=None,
        )
        self.ends.append(own_us + (0 if last is None else self.ends[last]))
        self.waits_for.append(last)
        self._wrote(place, trace.writes)

    def longest(self) -> CriticalPath:
        if not self.ends:
            return CriticalPath((), 0)
        us = max(self.ends)
        place: int | None = self.ends.index(us)
        places: list[int] = []
        while place is not None:
            places.append(place)
            place = self.waits_for[place]
        return CriticalPath(tuple(reversed(places)), us)

    def _writer(self, read: Access) -> int | None:
        address = read.address
        if read.kind == AT_LEAST:
            return None if self._balance_before(address) >= read.value else self.writers.get((BALANCE, address, 0))
        if read.kind == EMPTINESS:
            return None if self._empty_before(address) == bool(read.value) else self.first_writers.get(address)
        return self.writers.get((read.kind, address, read.slot))

    def _wrote(self, place: int, writes: Iterable[Access]) -> None:
        for write in writes:
            key = (write.kind, write.address, write.slot)
            if write.kind != SLOT:
                self.first_writers.setdefault(write.address, place)
            earlier = self.writers.get(key)
            if write.kind != BALANCE or earlier is None or self.ends[place] > self.ends[earlier]:
                self.writers[key] = place

    def _balance_before(self, address: Address) -> int:
        account = self.before.get(address)
        return 0 if account is None else account.balance

    def _empty_before(self, address: Address) -> bool:
        account = self.before.get(address)
        return account is None or not (account.nonce or account.balance or account.code)
