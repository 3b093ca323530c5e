"""Code that runs another contract's code on its own storage: names come from that other contract's layout."""

from chain.types import Address
from rpc.naming.contract import Contract
from rpc.naming.namespaces import BEACON_SLOT, IMPLEMENTATION_SLOT, PROXIABLE_SLOT

POINTING_SLOTS = (IMPLEMENTATION_SLOT, BEACON_SLOT, PROXIABLE_SLOT)
"""The slots that say whose code a proxy runs."""

_CLONES = (
    # EIP-1167, also with immutable arguments behind it
    ("363d3d373d3d3d363d73", "5af43d82803e903d91602b57fd5bf3"),
    # Solady's shorter one, and that with PUSH0
    ("3d3d3d3d363d3d37363d73", "5af43d3d93803e602a57fd5bf3"),
    ("365f5f375f5f365f73", "5af43d5f5f3e5f3d91602a57fd5bf3"),
    # EIP-7702: an account that runs a contract's code
    ("ef0100", ""),
)
"""What stands before and behind the address of the code that runs."""
_PATTERNS = [(bytes.fromhex(before), bytes.fromhex(behind)) for before, behind in _CLONES]


def delegate_in(code: bytes) -> Address | None:
    """Whose code a clone or a delegated account runs: it says so in its own."""
    for before, behind in _PATTERNS:
        end = len(before) + 20
        if len(code) >= end and code.startswith(before) and code.startswith(behind, end):
            return Address(code[len(before) : end])
    return None


def address_in(word: int) -> Address | None:
    """The address that a slot holds; None if it holds none."""
    return Address(word.to_bytes(20, "big")) if 0 < word < 2**160 else None


def implementation_slot(beacon: Contract) -> int | None:
    """Where a beacon keeps the implementation, if its layout says so."""
    for variable in beacon.layout.variables if beacon.layout else ():
        if variable.label in ("_implementation", "implementation") and variable.offset == 0:
            return variable.slot
    return None
