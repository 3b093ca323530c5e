"""Words for a slot of a contract without a storage layout, from what was hashed: "mapping at slot 0, key 0x…"."""

from rpc.naming.namespaces import well_known
from rpc.naming.preimages import NEAR, Hop, Origin
from rpc.naming.values import untyped_key


def described(slot: int, origin: Origin) -> str | None:
    """What the slot is, as far as its origin says; None if that is nothing."""
    known = well_known(slot)
    if known is not None:
        return known
    place, hops = _beginning(origin)
    if place is None:
        return None
    after_key = False
    for hop in hops:
        place = _after(place, hop, after_key)
        after_key = bool(hop.key) and hop.offset == 0
    return place


def _beginning(origin: Origin) -> tuple[str | None, tuple[Hop, ...]]:
    """Where the way to the slot begins, in words, and the hops from there."""
    if origin.root < NEAR:
        return (f"slot {origin.root}", origin.hops) if _is_slot(origin) else _hashed(origin.hops)
    known = well_known(origin.root)
    if known is not None:
        return known, origin.hops
    first = _vyper(origin.hops[0]) if origin.hops else None
    if first is not None:
        return first, origin.hops[1:]
    return _hashed(origin.hops)


def _is_slot(origin: Origin) -> bool:
    return not origin.hops or len(origin.hops[0].preimage) >= 32


def _vyper(hop: Hop) -> str | None:
    """Vyper hashes a mapping's slot before its key."""
    number = int.from_bytes(hop.preimage[:32], "big")
    if len(hop.preimage) != 64 or number >= NEAR:
        return None
    return f"mapping at slot {number}, key {untyped_key(hop.preimage[32:])}" + _plus(hop.offset)


def _hashed(hops: tuple[Hop, ...]) -> tuple[str | None, tuple[Hop, ...]]:
    """A slot chosen by hashing something that is no slot: a name, or a key with a seed."""
    if not hops:
        return None, ()
    preimage = hops[0].preimage
    is_text = preimage.isascii() and preimage.decode().isprintable()
    shown = f'"{preimage.decode()}"' if is_text else f"0x{preimage.hex()}"
    return f"keccak256({shown})" + _plus(hops[0].offset), hops[1:]


def _after(place: str, hop: Hop, after_key: bool) -> str:
    if after_key and hop.key:
        return f"{place}, key {untyped_key(hop.key)}" + _plus(hop.offset)
    inner = f"({place})" if "," in place else place
    if hop.key:
        return f"mapping at {inner}, key {untyped_key(hop.key)}" + _plus(hop.offset)
    return f"array at {inner}, index {hop.offset}"


def _plus(offset: int) -> str:
    """The slot of a struct's later fields."""
    return f", slot +{offset}" if offset else ""
