"""How long transactions like this one took lately, in microseconds of thread time: what scheduling weighs them by."""

from collections import OrderedDict

from chain.transactions import Transaction
from execution.touched import Kind, kind_of

MAX_KINDS = 2048
UNKNOWN_CALL_US = 300
UNKNOWN_CREATION_US = 1500
NEW_SHARE = 4
"""A new time moves the average by one in this many parts."""


class RunTimes:
    """A moving average for each (contract, selector). Bounded."""

    def __init__(self) -> None:
        self._times: OrderedDict[Kind, int] = OrderedDict()

    def expected_us(self, transaction: Transaction) -> int:
        kind = kind_of(transaction)
        if kind is None:
            return UNKNOWN_CREATION_US
        return self._times.get(kind, UNKNOWN_CALL_US)

    def took(self, transaction: Transaction, thread_us: int) -> None:
        """A run of this transaction took so long."""
        kind = kind_of(transaction)
        if kind is None:
            return
        before = self._times.get(kind, thread_us)
        self._times[kind] = before + (thread_us - before) // NEW_SHARE
        self._times.move_to_end(kind)
        while len(self._times) > MAX_KINDS:
            self._times.popitem(last=False)
