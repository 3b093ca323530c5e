"""Where transactions met lately, and which calls will meet there again.

A conflict names a key of the state. Which other calls will come to that key is told by what those that did had in
common: two swaps meet in a pair's reserves and both name its tokens, two transfers meet in a balance and both name its
owner, and increments of a counter meet without naming anything. So for each function and key the words (sender,
arguments) are kept that were in every call which met there.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from chain.transactions import Transaction
from chain.types import Address
from execution.touched import Kind, kind_of

MAX_KINDS, MAX_KEYS = 256, 64
"""How many functions are remembered, and how many keys of each."""
FORGET_AFTER_BLOCKS = 256
"""A key that cooled down is tried again."""
CONTENDED_SHARE = 4
"""Where calls meet without a word in common, more than one in this many of the function's must have lost there."""
MANY_LOST = 8
"""Or so many in one block: those that ran one after the other on one worker did not lose, and yet met."""
SELECTOR_SIZE, WORD, MAX_WORDS = 4, 32, 16

Key: TypeAlias = tuple[Address, int]
"""A slot, or an account with WHOLE_ACCOUNT."""
WHOLE_ACCOUNT = -1


class Call(NamedTuple):
    """A transaction and who sent it."""

    transaction: Transaction
    sender: Address


@dataclass(slots=True)
class _Meeting:
    """What all calls named that met at a key, and up to which block others are expected there."""

    words: frozenset[bytes]
    expected_until: int = 0


class Contention:
    """Remembers the keys at which the calls of each function met. Bounded."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[Kind, OrderedDict[Key, _Meeting]] = OrderedDict()
        self._ran: dict[Kind, int] = {}
        self._lost: dict[tuple[Kind, Key], int] = {}
        self._block = 0

    def keys(self, call: Call) -> tuple[Key, ...]:
        """Where this call will probably meet others."""
        kind = kind_of(call.transaction)
        meetings = None if kind is None else self._kinds.get(kind)
        if not meetings:
            return ()
        words, block = _words(call), self._block
        return tuple([key for key, met in meetings.items() if met.expected_until > block and met.words <= words])

    def ran(self, call: Call) -> None:
        """A speculative run of the call was validated."""
        kind = kind_of(call.transaction)
        if kind is not None:
            self._ran[kind] = self._ran.get(kind, 0) + 1

    def lost(self, loser: Call, writer: Call | None, key: Key) -> None:
        """The loser had read what the writer changed later, which is None if that is no transaction of the block."""
        words = _words(loser)
        if writer is not None:
            if kind_of(writer.transaction) == kind_of(loser.transaction):
                words &= _words(writer)
            else:
                self._meet(writer, key, _words(writer))
        self._meet(loser, key, words)

    def end_block(self) -> None:
        """Judge where the block's calls met."""
        for (kind, key), count in self._lost.items():
            meetings = self._kinds.get(kind)
            met = None if meetings is None else meetings.get(key)
            many = count >= MANY_LOST or count * CONTENDED_SHARE > self._ran.get(kind, 0)
            if met is not None and (met.words or many):
                met.expected_until = self._block + FORGET_AFTER_BLOCKS
        self._block += 1
        self._ran, self._lost = {}, {}

    def _meet(self, call: Call, key: Key, words: frozenset[bytes]) -> None:
        kind = kind_of(call.transaction)
        if kind is None:
            return
        meetings = self._kinds.setdefault(kind, OrderedDict())
        self._kinds.move_to_end(kind)
        met = meetings.setdefault(key, _Meeting(words))
        meetings.move_to_end(key)
        met.words &= words
        self._lost[(kind, key)] = self._lost.get((kind, key), 0) + 1
        if len(meetings) > MAX_KEYS:
            meetings.popitem(last=False)
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)


def _words(call: Call) -> frozenset[bytes]:
    """The sender and the arguments, as far as they are whole words."""
    data = call.transaction.data[: SELECTOR_SIZE + MAX_WORDS * WORD]
    arguments = [data[at : at + WORD] for at in range(SELECTOR_SIZE, len(data) - WORD + 1, WORD)]
    return frozenset((call.sender.rjust(WORD, b"\0"), *arguments))
