"""What transactions like this one read lately: a guess at the slots to fetch before running it."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from chain.transactions import Transaction
from chain.types import Address
from execution.outcome import Slot

MAX_KINDS = 512
MAX_SLOTS_PER_KIND = 256
SELECTOR_SIZE = 4

Kind: TypeAlias = tuple[Address, bytes]
"""The contract and the function of it that a transaction calls."""


class TouchedSlots:
    """The slots that runs of the same (contract, selector) read lately, the newest kept. Bounded."""

    def __init__(self) -> None:
        self._slots: OrderedDict[Kind, OrderedDict[Slot, None]] = OrderedDict()

    def of(self, transaction: Transaction) -> Iterable[Slot]:
        """The guess for this transaction; empty for a contract not seen lately."""
        kind = kind_of(transaction)
        return () if kind is None else self._slots.get(kind, ())

    def remember(self, transaction: Transaction, slots: Iterable[Slot]) -> None:
        """A run of this transaction read these."""
        kind = kind_of(transaction)
        if kind is None:
            return
        kept = self._slots.setdefault(kind, OrderedDict())
        self._slots.move_to_end(kind)
        for key in slots:
            kept[key] = None
            kept.move_to_end(key)
        while len(kept) > MAX_SLOTS_PER_KIND:
            kept.popitem(last=False)
        while len(self._slots) > MAX_KINDS:
            self._slots.popitem(last=False)


def kind_of(transaction: Transaction) -> Kind | None:
    """What the transaction calls; None for a creation."""
    return None if transaction.to is None else (transaction.to, transaction.data[:SELECTOR_SIZE])
