"""From a storage slot back to where it was computed from.

Solidity puts a mapping's value at keccak(key . slot), the elements of a dynamic array and the bytes of a long string at
keccak(slot) and after (docs.soliditylang.org, "Layout of State Variables in Storage"). A hash is only met again by who
hashed the same bytes, so a preimage near below a slot is where that slot comes from, with certainty for practical ends.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.types import Hash32

WORD = 32
NEAR = 2**64
"""How far above a hash what begins there may reach. Hashes are further apart than that but for luck beyond hope."""
MAX_HOPS = 16
MAX_PREIMAGE_BYTES = 1024
"""Longer preimages are of code and of calldata, not of slots."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One step outwards from a slot: it lies `offset` slots after the hash of `preimage`."""

    preimage: bytes
    offset: int

    @property
    def key(self) -> bytes:
        """What precedes the slot: a mapping's key, nothing for an array."""
        return self.preimage[:-WORD]

    @property
    def base(self) -> int:
        """The slot of the mapping or array."""
        return int.from_bytes(self.preimage[-WORD:], "big")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a slot comes from: a slot that is no hash, and the hops from there to it, outermost first."""

    root: int
    hops: tuple[Hop, ...]


class Preimages:
    """What was hashed, to be found by a number at or a little above the hash. At most `limit`, oldest out first."""

    def __init__(self, known: Mapping[Hash32, bytes] | None = None, limit: int = 32_768) -> None:
        self._limit = limit
        self._by_hash: dict[int, bytes] = {}
        self._sorted: list[int] = []
        self.add(known or {})

    def add(self, more: Mapping[Hash32, bytes]) -> None:
        """Remember these too."""
        known = self._by_hash
        if all(int.from_bytes(hash, "big") in known for hash in more):
            return
        for hash, preimage in more.items():
            if WORD <= len(preimage) <= MAX_PREIMAGE_BYTES or _is_text(preimage):
                known[int.from_bytes(hash, "big")] = preimage
        if len(known) > self._limit:
            self._by_hash = dict(list(known.items())[-self._limit :])
        self._sorted = sorted(self._by_hash)

    def of(self, digest: Hash32) -> bytes | None:
        return self._by_hash.get(int.from_bytes(digest, "big"))

    def near_below(self, slot: int) -> Hop | None:
        """The hop that leads to the slot, if its hash is known."""
        place = bisect_right(self._sorted, slot) - 1
        if place < 0 or slot - self._sorted[place] >= NEAR:
            return None
        hash = self._sorted[place]
        return Hop(self._by_hash[hash], slot - hash)

    def __len__(self) -> int:
        return len(self._by_hash)


def origin_of(slot: int, sources: Sequence[Preimages]) -> Origin:
    """Follows hashes from the slot back as far as their preimages are known."""
    hops: list[Hop] = []
    while len(hops) < MAX_HOPS:
        found = [hop for source in sources if (hop := source.near_below(slot)) is not None]
        if not found:
            break
        hop = min(found, key=lambda hop: hop.offset)
        hops.append(hop)
        if len(hop.preimage) < WORD:
            break
        slot = hop.base
    return Origin(slot, tuple(reversed(hops)))


def _is_text(preimage: bytes) -> bool:
    """Whether it may be a name that somebody hashed for a slot of its own."""
    return 0 < len(preimage) < WORD and preimage.isascii() and preimage.decode().isprintable()
