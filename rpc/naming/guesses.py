"""What a contract hashes for sure, whoever calls it: where its dynamic arrays and long strings begin.

With the layout alone these can be named without having seen them hashed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chain.keccak import keccak256
from chain.types import Hash32
from rpc.naming.layout import BYTES, DYNAMIC_ARRAY, INPLACE, MAPPING, Layout, Member, Type
from rpc.naming.preimages import Preimages

MAX_GUESSES = 2_048
MAX_STEPS = 100_000
"""So many values are looked into: a layout that no compiler made may lead to more of them than anybody can wait for."""
MAX_DEPTH = 4
SMALL_INDICES = 16
"""So many elements of an array are looked into, and so many keys of a mapping whose keys are numbers."""


def guessable(layout: Layout) -> Preimages:
    """The preimages that the layout alone gives away, at most MAX_GUESSES."""
    found: dict[Hash32, bytes] = {}
    for preimage in _Walk(layout).members(layout.variables, 0, 0):
        found[keccak256(preimage)] = preimage
        if len(found) >= MAX_GUESSES:
            break
    return Preimages(found)


@dataclass(slots=True)
class _Walk:
    """Goes through all values whose place the layout alone tells."""

    layout: Layout
    steps: int = 0

    def members(self, members: tuple[Member, ...], slot: int, depth: int) -> Iterator[bytes]:
        for member in members:
            yield from self._value(self.layout.types[member.type], slot + member.slot, depth)

    def _value(self, type: Type, slot: int, depth: int) -> Iterator[bytes]:
        self.steps += 1
        if depth > MAX_DEPTH or slot >= 2**256 or self.steps > MAX_STEPS:
            return
        if type.encoding in (DYNAMIC_ARRAY, BYTES):
            preimage = slot.to_bytes(32, "big")
            yield preimage
            if type.encoding == DYNAMIC_ARRAY:
                begins = int.from_bytes(keccak256(preimage), "big")
                yield from self._elements(self.layout.types[type.base], begins, SMALL_INDICES, depth)
        elif type.encoding == MAPPING:
            yield from self._small_keys(type, slot, depth)
        elif type.length is not None:
            yield from self._elements(self.layout.types[type.base], slot, min(type.length, SMALL_INDICES), depth)
        else:
            yield from self.members(type.members, slot, depth + 1)

    def _elements(self, element: Type, begins: int, count: int, depth: int) -> Iterator[bytes]:
        if element.is_packable or (element.encoding == INPLACE and not element.members and element.length is None):
            return
        for index in range(count):
            yield from self._value(element, begins + index * element.slots, depth + 1)

    def _small_keys(self, type: Type, slot: int, depth: int) -> Iterator[bytes]:
        if not self.layout.types[type.key].label.startswith(("uint", "int", "enum ", "bool")):
            return
        for key in range(SMALL_INDICES):
            preimage = key.to_bytes(32, "big") + slot.to_bytes(32, "big")
            yield preimage
            begins = int.from_bytes(keccak256(preimage), "big")
            yield from self._value(self.layout.types[type.value], begins, depth + 1)
