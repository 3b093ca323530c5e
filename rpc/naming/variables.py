"""From a slot's origin and a contract's storage layout to the variables that lie in the slot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rpc.naming.layout import BYTES, DYNAMIC_ARRAY, MAPPING, WORD, Layout, Member, Type
from rpc.naming.preimages import Hop, Origin
from rpc.naming.values import typed_key

MAX_DEPTH = 32
MAX_STEPS = 128
"""So many variables and fields are looked into for one slot. In what solc lays out, at most 32 share one."""
MAX_SHOWN = 4
"""So many elements of a packed array are named one by one; more as a range."""
ALL_BYTES = (1 << 8 * WORD) - 1


def changed_bits(before: int | None, after: int | None) -> int:
    """A slot's bits that differ, all of them where that is unknown or none does: what a reader could have meant."""
    if before is None or after is None or before == after:
        return ALL_BYTES
    return before ^ after


def variables_at(layout: Layout, origin: Origin, changed: int = ALL_BYTES) -> list[str]:
    """The variables in a slot some of whose `changed` bits are theirs; none if the layout has nothing there."""
    walk = _Walk(layout, origin.hops, changed)
    return list(walk.members(layout.variables, "", origin.root, 0, 0))


def places_at(layout: Layout, origin: Origin) -> dict[str, tuple[int, int]]:
    """Of each number, address and the like in a slot: where it begins and its size, in bits."""
    walk = _Walk(layout, origin.hops, ALL_BYTES)
    for _ in walk.members(layout.variables, "", origin.root, 0, 0):
        pass
    return walk.places


def length_at(layout: Layout, origin: Origin) -> Type | None:
    """The dynamic array, string or bytes whose length is in a slot, beside the content of up to 31 bytes."""
    walk = _Walk(layout, origin.hops, ALL_BYTES)
    for _ in walk.members(layout.variables, "", origin.root, 0, 0):
        if walk.measured is not None:
            return walk.measured
    return None


@dataclass(slots=True)
class _Walk:
    """A way down the types. `at` counts slots from where a value begins, `hop` the hops taken so far. `measured` is
    the type whose length was found last, `places` where plain values lie in the slot: first bit and size.
    """

    layout: Layout
    hops: Sequence[Hop]
    changed: int
    steps: int = 0
    measured: Type | None = None
    places: dict[str, tuple[int, int]] = field(default_factory=dict)

    def members(self, members: Sequence[Member], path: str, at: int, hop: int, depth: int) -> Iterator[str]:
        for member in members:
            type = self.layout.types[member.type]
            if member.slot <= at < member.slot + type.slots and depth < MAX_DEPTH and self.steps < MAX_STEPS:
                self.steps += 1
                named = f"{path}.{member.label}" if path else member.label
                yield from self._value(type, named, at - member.slot, member.offset, hop, depth + 1)

    def _value(self, type: Type, path: str, at: int, offset: int, hop: int, depth: int) -> Iterator[str]:
        """What lies `at` slots into a value that begins `offset` bytes above the low end of its slot."""
        if type.encoding == MAPPING:
            yield from self._mapped(type, path, at, hop, depth)
        elif type.encoding == DYNAMIC_ARRAY:
            yield from self._dynamic(type, path, at, hop, depth)
        elif type.encoding == BYTES:
            yield from self._bytes(type, path, at, hop)
        elif type.length is not None:
            yield from self._elements(type, path, at, type.length, hop, depth)
        elif type.members:
            yield from self.members(type.members, path, at, hop, depth)
        elif hop == len(self.hops) and self._is_changed(offset, type.size):
            self.places[path] = (8 * offset, 8 * type.size)
            yield path

    def _mapped(self, type: Type, path: str, at: int, hop: int, depth: int) -> Iterator[str]:
        if at or hop == len(self.hops):
            return
        taken = self.hops[hop]
        key = typed_key(self.layout.types[type.key].label, taken.key)
        value = self.layout.types[type.value]
        if taken.offset < value.slots and depth < MAX_DEPTH:
            yield from self._value(value, f"{path}[{key}]", taken.offset, 0, hop + 1, depth + 1)

    def _dynamic(self, type: Type, path: str, at: int, hop: int, depth: int) -> Iterator[str]:
        if at:
            return
        if hop == len(self.hops):
            self.measured = type
            yield f"{path}.length"
        elif not self.hops[hop].key:
            yield from self._elements(type, path, self.hops[hop].offset, None, hop + 1, depth)

    def _bytes(self, type: Type, path: str, at: int, hop: int) -> Iterator[str]:
        """Up to 31 bytes lie in the slot itself; of longer ones their length does, and they begin at its hash."""
        if at:
            return
        if hop == len(self.hops):
            self.measured = type
            yield path
        elif hop + 1 == len(self.hops) and not self.hops[hop].key:
            first = WORD * self.hops[hop].offset
            yield f"{path} bytes {first}..{first + WORD - 1}"

    def _elements(self, type: Type, path: str, at: int, length: int | None, hop: int, depth: int) -> Iterator[str]:
        element = self.layout.types[type.base]
        if element.is_packable:
            if hop == len(self.hops):
                yield from self._packed(element, path, at, length)
            return
        index, inside = divmod(at, element.slots)
        if (length is None or index < length) and depth < MAX_DEPTH:
            yield from self._value(element, f"{path}[{index}]", inside, 0, hop, depth + 1)

    def _packed(self, element: Type, path: str, at: int, length: int | None) -> Iterator[str]:
        per_slot = WORD // element.size
        first = at * per_slot
        end = first + per_slot if length is None else min(first + per_slot, length)
        self.places |= {f"{path}[{i}]": (8 * (i - first) * element.size, 8 * element.size) for i in range(first, end)}
        hit = [i for i in range(first, end) if self._is_changed((i - first) * element.size, element.size)]
        if len(hit) <= MAX_SHOWN:
            yield from (f"{path}[{index}]" for index in hit)
        else:
            yield f"{path}[{hit[0]}..{hit[-1]}]"

    def _is_changed(self, offset: int, size: int) -> bool:
        return bool(self.changed >> (8 * offset) & ((1 << 8 * size) - 1))
