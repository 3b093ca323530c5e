"""Solana's scheduling: a transaction locks whole accounts, for reading or for writing, before it runs.

Whoever comes later in the block waits while an account is locked in a way that excludes it. Which accounts those are is
declared by the access list or learnt from earlier runs; of a contract never seen, the sender and the contract itself
are locked for writing. Locks are exclusive however the slots lie, so that two holders of one token wait for each other:
on Solana their balances would be accounts of their own. Fees lock nothing, as on Solana.
"""

from collections.abc import Iterable, Mapping, Sequence

from chain.records import AccessKind
from chain.types import Address
from execution.attempts import Waited
from execution.dependency_rule import DependencyRule, Expected


def accounts() -> DependencyRule:
    return DependencyRule("accounts", dependencies_by_account)


def dependencies_by_account(expected: Sequence[Expected]) -> Mapping[int, tuple[Waited, ...]]:
    """Who holds a lock that a candidate needs."""
    locks = Locks()
    return {each.index: locks.take(each.index, *accounts_of(each)) for each in expected}


class Locks:
    """Who holds each account, in the order of the block: a later transaction queues behind all who exclude it."""

    def __init__(self) -> None:
        self._writer: dict[Address, int] = {}
        self._readers: dict[Address, list[int]] = {}

    def take(self, index: int, written: Iterable[Address], read: Iterable[Address]) -> tuple[Waited, ...]:
        """The locks of the transaction at `index`, and whom it waits for to get them."""
        waits: dict[int, Waited] = {}
        for address in written:
            for holder in self._readers.pop(address, ()) or self._last_writer(address):
                waits.setdefault(holder, Waited(AccessKind.ACCOUNT, address, 0, holder))
            self._writer[address] = index
        for address in read:
            for holder in self._last_writer(address):
                waits.setdefault(holder, Waited(AccessKind.ACCOUNT, address, 0, holder))
            self._readers.setdefault(address, []).append(index)
        return tuple([waits[holder] for holder in sorted(waits)])

    def _last_writer(self, address: Address) -> tuple[int, ...]:
        return (self._writer[address],) if address in self._writer else ()


def accounts_of(expected: Expected) -> tuple[Sequence[Address], Sequence[Address]]:
    """The accounts that the transaction locks for writing, and for reading only.

    An access list does not tell the one from the other, so what it names is locked for writing.
    """
    transaction, accesses = expected.transaction, expected.accesses
    written = dict.fromkeys(address for _, address, _ in accesses.writes)
    written.update(dict.fromkeys(entry.address for entry in transaction.access_list))
    if not expected.is_known and transaction.to is not None:
        written[transaction.to] = None
    read = dict.fromkeys(address for _, address, _ in accesses.reads if address not in written)
    return tuple(written), tuple(read)
