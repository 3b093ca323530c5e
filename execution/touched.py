"""What a transaction will probably read: a guess, from what transactions like it read lately.

A contract function reads two sorts of slots: some are the same in every call (a supply, reserves), others are entries
of mappings under the caller or an argument (balances, allowances). The first are remembered as they are. Of the others
the *shape* is remembered: Solidity keeps `m[key]` at keccak256(key, base) and `m[a][b]` at
keccak256(b, keccak256(a, base)), so that a few tries find the base and where the keys come from, and the next call's
slots can be computed before it runs. A wrong guess costs a read.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from chain.keccak import keccak256
from chain.transactions import Transaction
from chain.types import Address
from execution.outcome import Slot

MAX_KINDS = 512
MAX_FIXED_SLOTS = 64
MAX_SHAPES = 16
SELECTOR_SIZE = 4
WORD = 32
MAX_ARGUMENTS = 4
MAX_BASE = 12
LEARNING_RUNS = 6
"""How many runs of a function are searched for shapes: a search takes up to a millisecond."""
FAMILIAR_RUNS = 32
SAMPLED_SHARE = 16
"""Of a function that ran often, only one run in this many is looked at."""

Kind: TypeAlias = tuple[Address, bytes]
"""The contract and the function of it that a transaction calls."""
Shape: TypeAlias = tuple[Address, int, tuple[int, ...]]
"""A mapping entry: contract, base slot, and which word (0 the sender, then the arguments) each key is."""


@dataclass(slots=True)
class _Touched:
    fixed: OrderedDict[Slot, None] = field(default_factory=OrderedDict)
    shapes: dict[Shape, None] = field(default_factory=dict)
    seen: int = 0
    searched: int = 0
    edition: int = 0
    """Counts the changes of `fixed`."""


class TouchedSlots:
    """The slots that runs of the same function read lately. Bounded."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[Kind, _Touched] = OrderedDict()

    def fixed(self, kind: Kind) -> tuple[int, Iterable[Slot]]:
        """The slots that calls of this function read whoever calls it, and a number that changes when they do."""
        touched = self._kinds.get(kind)
        return (0, ()) if touched is None else (touched.edition, touched.fixed)

    def entries(self, kind: Kind, transaction: Transaction, sender: Address) -> list[Slot]:
        """The mapping entries that this very call probably reads."""
        touched = self._kinds.get(kind)
        if touched is None or not touched.shapes:
            return []
        words = words_of(transaction, sender)
        slots: list[Slot] = []
        numbers: dict[tuple[int, tuple[int, ...]], int] = {}
        for contract, base, keys in touched.shapes:
            if max(keys) < len(words):
                number = numbers.get((base, keys))
                if number is None:
                    number = numbers[(base, keys)] = mapping_entry(base, [words[key] for key in keys])
                slots.append((contract, number))
        return slots

    def remember(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None:
        """A run of this transaction read these."""
        kind = kind_of(transaction)
        if kind is None:
            return
        touched = self._kinds.setdefault(kind, _Touched())
        self._kinds.move_to_end(kind)
        if len(self._kinds) > MAX_KINDS:
            self._kinds.popitem(last=False)
        touched.seen += 1
        if touched.seen > FAMILIAR_RUNS and touched.seen % SAMPLED_SHARE:
            return
        guessed = set(self.entries(kind, transaction, sender))
        unexplained = [key for key in slots if key not in guessed and key not in touched.fixed]
        if unexplained and touched.searched < LEARNING_RUNS and len(touched.shapes) < MAX_SHAPES:
            touched.searched += 1
            found = find_shapes(words_of(transaction, sender), unexplained)
            touched.shapes.update(dict.fromkeys(found.values()))
            unexplained = [key for key in unexplained if key not in found]
        if unexplained:
            touched.edition += 1
        touched.fixed.update(dict.fromkeys(unexplained))
        while len(touched.fixed) > MAX_FIXED_SLOTS:
            touched.fixed.popitem(last=False)


def kind_of(transaction: Transaction) -> Kind | None:
    """What the transaction calls; None for a creation."""
    return None if transaction.to is None else (transaction.to, transaction.data[:SELECTOR_SIZE])


def words_of(transaction: Transaction, sender: Address) -> list[bytes]:
    """The sender, then the arguments: what the keys of mappings are made of."""
    arguments = transaction.data[SELECTOR_SIZE : SELECTOR_SIZE + MAX_ARGUMENTS * WORD]
    whole = len(arguments) // WORD
    return [sender.rjust(WORD, b"\0"), *(arguments[at * WORD : (at + 1) * WORD] for at in range(whole))]


def mapping_entry(base: int, keys: Sequence[bytes]) -> int:
    """The slot of `m[key]`, `m[a][b]` and so on, where the mapping stands at `base`."""
    place = base.to_bytes(WORD, "big")
    for key in keys:
        place = keccak256(key + place)
    return int.from_bytes(place, "big")


def find_shapes(words: Sequence[bytes], slots: Sequence[Slot]) -> dict[Slot, Shape]:
    """The slots that are mapping entries under these words, each with its shape."""
    contracts: dict[int, list[Address]] = {}
    for contract, number in slots:
        contracts.setdefault(number, []).append(contract)
    found: dict[Slot, Shape] = {}
    for base, keys in _possible_shapes(len(words)):
        number = mapping_entry(base, [words[key] for key in keys])
        for contract in contracts.get(number, ()):
            found.setdefault((contract, number), (contract, base, keys))
        if len(found) == len(slots):
            break
    return found


def _possible_shapes(words: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    for base in range(MAX_BASE):
        for outer in range(words):
            yield base, (outer,)
    for base in range(MAX_BASE):
        for outer in range(words):
            for inner in range(words):
                yield base, (outer, inner)
