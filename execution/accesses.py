"""Which keys a transaction will probably read and write: what a strategy that plans ahead goes by.

A transaction says it itself by its access list (EIP-2930), or transactions like it have shown it. Of the runs of one
function two sorts of keys are remembered: those that the sender and the arguments explain (an account named by a word,
a mapping's entry, see execution.touched) and all others, which are expected again from the run that was most like the
transaction: the one whose input has most words in common with its own. A wrong guess costs time, never a result.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from chain.records import AccessKind
from chain.transactions import Transaction
from chain.types import Address
from execution.outcome import Outcome
from execution.reader import created_address
from execution.touched import (
    FAMILIAR_RUNS,
    LEARNING_RUNS,
    SAMPLED_SHARE,
    SELECTOR_SIZE,
    WORD,
    Kind,
    Shape,
    find_shapes,
    kind_of,
    mapping_entry,
    words_of,
)

MAX_KINDS = 512
MAX_RUNS = 16
"""Runs remembered of one function."""
MAX_KEYS = 128
"""Of one run, for reading and for writing."""
MAX_RULES = 48
MAX_COMPARED_WORDS = 16

Key: TypeAlias = tuple[AccessKind, Address, int]
"""A part of the state; the number is a slot's, else 0."""
Keys: TypeAlias = dict[Key, None]
Rule: TypeAlias = tuple[AccessKind, int] | Shape
"""Of which words of a transaction a key is made: the account that a word names, or a mapping's entry."""


@dataclass(frozen=True, slots=True)
class Accesses:
    """Keys read and written, in the order they were met."""

    reads: Keys
    writes: Keys


@dataclass(slots=True)
class _Function:
    """What the runs of one function have shown."""

    read_rules: dict[Rule, None] = field(default_factory=dict)
    written_rules: dict[Rule, None] = field(default_factory=dict)
    runs: OrderedDict[tuple[bytes, ...], Accesses] = field(default_factory=OrderedDict)
    seen: int = 0
    searched: int = 0

    def expected(self, transaction: Transaction, sender: Address) -> Accesses:
        words = words_of(transaction, sender)
        alike = self._most_alike(_compared_words(transaction, sender))
        return Accesses(
            dict.fromkeys((*_keys_by(self.read_rules, words), *alike.reads)),
            dict.fromkeys((*_keys_by(self.written_rules, words), *alike.writes)),
        )

    def remember(self, transaction: Transaction, sender: Address, shown: Accesses) -> None:
        words = words_of(transaction, sender)
        ruled = {*_keys_by(self.read_rules, words), *_keys_by(self.written_rules, words)}
        unexplained = [key for key in (shown.reads | shown.writes) if key not in ruled]
        if unexplained and self.searched < LEARNING_RUNS and len(self.read_rules | self.written_rules) < MAX_RULES:
            self.searched += 1
            found = _find_rules(words, unexplained)
            self.read_rules.update((rule, None) for key, rule in found.items() if key in shown.reads)
            self.written_rules.update((rule, None) for key, rule in found.items() if key in shown.writes)
            ruled |= found.keys()
        compared = _compared_words(transaction, sender)
        self.runs[compared] = Accesses(_without(shown.reads, ruled), _without(shown.writes, ruled))
        self.runs.move_to_end(compared)
        if len(self.runs) > MAX_RUNS:
            self.runs.popitem(last=False)

    def _most_alike(self, words: tuple[bytes, ...]) -> Accesses:
        """The newest of the runs with most words in common."""
        run = self.runs.get(words)
        if run is not None:
            return run
        return max(reversed(self.runs.items()), key=lambda entry: _common(words, entry[0]))[1]


class LearnedAccesses:
    """What transactions declare, and what runs of the same function have shown. Bounded."""

    def __init__(self) -> None:
        self._functions: OrderedDict[Kind, _Function] = OrderedDict()

    def expected(self, transaction: Transaction, sender: Address) -> Accesses:
        """The keys that the transaction probably reads and writes, among them those that every transaction does."""
        certain = _certain(transaction, sender)
        kind = kind_of(transaction)
        function = None if kind is None else self._functions.get(kind)
        learned = None if function is None else function.expected(transaction, sender)
        if transaction.access_list:
            declared = _declared(transaction)
            writes = declared if learned is None else learned.writes
            return Accesses(certain.reads | declared, certain.writes | writes)
        if learned is None:
            return certain
        return Accesses(certain.reads | learned.reads, certain.writes | learned.writes)

    def knows(self, transaction: Transaction) -> bool:
        """Whether there is more to go by than what every transaction does."""
        return bool(transaction.access_list) or kind_of(transaction) in self._functions

    def remember(self, transaction: Transaction, sender: Address, outcome: Outcome, *, surprised: bool) -> None:
        """A run of this transaction counted. `surprised`: something was not as expected. Else only a few are looked at
        of a function that ran often.
        """
        kind = kind_of(transaction)
        if kind is None:
            return
        function = self._functions.setdefault(kind, _Function())
        self._functions.move_to_end(kind)
        if len(self._functions) > MAX_KINDS:
            self._functions.popitem(last=False)
        function.seen += 1
        if surprised or function.seen <= FAMILIAR_RUNS or function.seen % SAMPLED_SHARE == 0:
            function.remember(transaction, sender, accesses_of(outcome))


def accesses_of(outcome: Outcome) -> Accesses:
    """The keys that a run read and wrote. Being paid and paying are writes of a balance, and read none of it."""
    reads, writes = outcome.reads, outcome.writes
    slot, code, balance, nonce = AccessKind.SLOT, AccessKind.CODE, AccessKind.BALANCE, AccessKind.NONCE
    read: Keys = {}
    read.update(((slot, *key), None) for key in reads.slots)
    read.update(((code, address, 0), None) for address in reads.code_hashes)
    read.update(((balance, address, 0), None) for address in reads.balances)
    written: Keys = {}
    written.update(((slot, *key), None) for key in writes.slots)
    written.update(((code, address, 0), None) for address in writes.codes)
    written.update(((balance, address, 0), None) for address in writes.balances)
    written.update(((nonce, address, 0), None) for address in writes.nonces)
    return Accesses(_first(read), _first(written))


def _certain(transaction: Transaction, sender: Address) -> Accesses:
    """What the envelope alone says, but for its authorizations: recovering their signers takes longer than a retry."""
    reads: Keys = {(AccessKind.CODE, sender, 0): None}
    writes: Keys = {(AccessKind.NONCE, sender, 0): None, (AccessKind.BALANCE, sender, 0): None}
    if transaction.to is None:
        writes[AccessKind.CODE, created_address(sender, transaction.nonce), 0] = None
    else:
        reads[AccessKind.CODE, transaction.to, 0] = None
        if transaction.value:
            writes[AccessKind.BALANCE, transaction.to, 0] = None
    return Accesses(reads, writes)


def _declared(transaction: Transaction) -> Keys:
    slots = ((AccessKind.SLOT, entry.address, slot) for entry in transaction.access_list for slot in entry.slots)
    return _first(dict.fromkeys(slots))


def _compared_words(transaction: Transaction, sender: Address) -> tuple[bytes, ...]:
    data = transaction.data
    places = range(SELECTOR_SIZE, min(len(data), SELECTOR_SIZE + MAX_COMPARED_WORDS * WORD), WORD)
    return (sender, *(data[at : at + WORD] for at in places))


def _common(words: Sequence[bytes], others: Sequence[bytes]) -> int:
    return sum(map(bytes.__eq__, words, others))


def _keys_by(rules: Iterable[Rule], words: Sequence[bytes]) -> Iterable[Key]:
    for rule in rules:
        if len(rule) == 2:
            kind, word = rule
            if word < len(words):
                yield kind, Address(words[word][-20:]), 0
        else:
            contract, base, keys = rule
            if max(keys) < len(words):
                yield AccessKind.SLOT, contract, mapping_entry(base, [words[key] for key in keys])


def _find_rules(words: Sequence[bytes], keys: Iterable[Key]) -> dict[Key, Rule]:
    """The keys that these words explain, each with its rule."""
    found: dict[Key, Rule] = {}
    slots = []
    for key in keys:
        kind, address, slot = key
        if kind == AccessKind.SLOT:
            slots.append((address, slot))
        else:
            padded = address.rjust(WORD, b"\0")
            if padded in words:
                found[key] = (kind, words.index(padded))
    found.update({(AccessKind.SLOT, *slot): shape for slot, shape in find_shapes(words, slots).items()})
    return found


def _without(keys: Keys, others: set[Key]) -> Keys:
    return {key: None for key in keys if key not in others}


def _first(keys: Keys) -> Keys:
    return keys if len(keys) <= MAX_KEYS else dict.fromkeys(list(keys)[:MAX_KEYS])
