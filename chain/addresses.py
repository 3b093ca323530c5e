"""How people read an address."""

from chain.keccak import keccak256
from chain.types import Address


def checksummed(address: Address) -> str:
    """0x and 40 hex digits, whose capital letters are a checksum (EIP-55)."""
    text = address.hex()
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(c.upper() if d in "89abcdef" else c for c, d in zip(text, digest, strict=False))
