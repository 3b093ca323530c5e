"""Where transactions met lately, and which calls will meet there again.

Two transactions of a block meet at a key of the state that one writes and a later one reads, wherever they ran: they
conflict if they run side by side. Which other calls will come to that key is told by what those that did had in
common: two swaps meet in a pair's reserves and both name its tokens, two transfers meet in a balance and both name its
owner, and increments of a counter meet without naming anything. So for each function and key the words (sender,
arguments) are kept that were in every call which met there.
"""

import itertools
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
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
"""Where calls meet without a word in common, more than one in this many of the function's must have met there."""
MANY_MET = 8
"""Or so many in one block."""
SELECTOR_SIZE, WORD, MAX_WORDS = 4, 32, 16

Key: TypeAlias = tuple[Address, int]
"""A slot, or an account with WHOLE_ACCOUNT."""
WHOLE_ACCOUNT = -1
_Expected: TypeAlias = tuple[Key, frozenset[bytes]]
"""A key, and the words that a call must name to be expected there."""


class Call(NamedTuple):
    """A transaction and who sent it."""

    transaction: Transaction
    sender: Address


@dataclass(slots=True)
class _Meeting:
    """What all calls named that met at a key, and up to which block others are expected there."""

    words: frozenset[bytes]
    expected_until: int = 0


class _Function:
    """Where the calls of one function met, and what follows for others: some meet all others, some those alike.

    The latter are found by one word of those they have in common.
    """

    __slots__ = ("everybodys", "meetings", "of_some", "until")

    def __init__(self) -> None:
        self.meetings: OrderedDict[Key, _Meeting] = OrderedDict()
        self.everybodys: tuple[Key, ...] = ()
        self.of_some: dict[bytes, list[_Expected]] = {}
        self.until = 0

    def conclude(self, block: int) -> bool:
        """Whom to expect where from now on, until one of the meetings is forgotten. Whether that is anything new."""
        before = {*self.everybodys, *self._expected_of_some()}
        expected = [(key, met) for key, met in self.meetings.items() if met.expected_until > block]
        self.everybodys = tuple([key for key, met in expected if not met.words])
        self.of_some = _by_rarest_word([(key, met.words) for key, met in expected if met.words])
        self.until = min((met.expected_until for _, met in expected), default=0)
        return not before.issuperset((*self.everybodys, *self._expected_of_some()))

    def keys(self, call: Call) -> tuple[Key, ...]:
        """Where this call is expected."""
        if not self.of_some:
            return self.everybodys
        words = _words(call)
        found = [self.of_some[word] for word in words if word in self.of_some]
        return (*self.everybodys, *[key for alike in found for key, named in alike if named <= words])

    def _expected_of_some(self) -> Iterator["_Expected"]:
        return itertools.chain.from_iterable(self.of_some.values())


class Contention:
    """Remembers the keys at which the calls of each function met. Bounded."""

    def __init__(self) -> None:
        self._functions: OrderedDict[Kind, _Function] = OrderedDict()
        self._ran: Counter[Kind] = Counter()
        self._met: Counter[tuple[Kind, Key]] = Counter()
        self._block = 0

    def keys(self, call: Call) -> tuple[Key, ...]:
        """Where this call will probably meet others."""
        kind = kind_of(call.transaction)
        function = None if kind is None else self._functions.get(kind)
        if function is None:
            return ()
        if self._block >= function.until > 0:
            function.conclude(self._block)
        return function.keys(call)

    def ran(self, call: Call) -> None:
        """It is known where the call met others."""
        kind = kind_of(call.transaction)
        if kind is not None:
            self._ran[kind] += 1

    def met(self, reader: Call, writer: Call | None, key: Key) -> None:
        """The reader depends on what the writer left there, which is None if that is no transaction of the block."""
        words = _words(reader)
        if writer is not None:
            if kind_of(writer.transaction) == kind_of(reader.transaction):
                words &= _words(writer)
            else:
                self._meet(writer, key, _words(writer))
        self._meet(reader, key, words)

    def met_again(self, call: Call, key: Key) -> None:
        """The call met another where both were expected."""
        kind = kind_of(call.transaction)
        function = None if kind is None else self._functions.get(kind)
        if function is not None and key in function.meetings:
            function.meetings[key].expected_until = self._block + FORGET_AFTER_BLOCKS

    def end_looked(self) -> bool:
        """Judge where the calls of a block met that was looked through. Whether that was anything new."""
        for (kind, key), count in self._met.items():
            function = self._functions.get(kind)
            met = None if function is None else function.meetings.get(key)
            many = count >= MANY_MET or count * CONTENDED_SHARE > self._ran[kind]
            if met is not None and (met.words or many):
                met.expected_until = self._block + FORGET_AFTER_BLOCKS
        functions = [self._functions[kind] for kind in {kind for kind, _ in self._met} if kind in self._functions]
        learnt = [function.conclude(self._block) for function in functions]
        self._ran.clear()
        self._met.clear()
        return any(learnt)

    def end_block(self) -> None:
        """Another block is done; what was seen long ago is forgotten."""
        self._block += 1

    def _meet(self, call: Call, key: Key, words: frozenset[bytes]) -> None:
        kind = kind_of(call.transaction)
        if kind is None:
            return
        function = self._functions.get(kind)
        if function is None:
            function = self._functions[kind] = _Function()
        self._functions.move_to_end(kind)
        meetings = function.meetings
        met = meetings.setdefault(key, _Meeting(words))
        meetings.move_to_end(key)
        met.words &= words
        self._met[(kind, key)] += 1
        if len(meetings) > MAX_KEYS:
            meetings.popitem(last=False)
        if len(self._functions) > MAX_KINDS:
            self._functions.popitem(last=False)


def _by_rarest_word(expected: Sequence[_Expected]) -> dict[bytes, list[_Expected]]:
    counts = Counter(word for _, named in expected for word in named)
    by_word: dict[bytes, list[_Expected]] = {}
    for key, named in expected:
        by_word.setdefault(min(named, key=lambda word: (counts[word], word)), []).append((key, named))
    return by_word


def _words(call: Call) -> frozenset[bytes]:
    """The sender and the arguments, as far as they are whole words."""
    data = call.transaction.data[: SELECTOR_SIZE + MAX_WORDS * WORD]
    arguments = [data[at : at + WORD] for at in range(SELECTOR_SIZE, len(data) - WORD + 1, WORD)]
    return frozenset((call.sender.rjust(WORD, b"\0"), *arguments))
