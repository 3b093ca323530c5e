"""What a contract's interface (ABI) says of calls to it: function names by selector, such as transfer(address,uint256).

docs.soliditylang.org, "Contract ABI Specification".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.keccak import keccak256

SELECTOR_BYTES = 4
MAX_ENTRIES = 4_096
MAX_DEPTH = 16
MAX_SIGNATURE = 10_000
Signatures = Mapping[bytes, str]
"""Signatures by selector."""


class BadInterface(Exception):
    """A value that is no ABI as compilers write it."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What an ABI has selectors for."""

    functions: Signatures
    errors: Signatures


def interface_from(abi: Any) -> Interface:
    """Raises BadInterface."""
    if not isinstance(abi, list) or len(abi) > MAX_ENTRIES:
        raise BadInterface(f"an ABI is a list of at most {MAX_ENTRIES} entries")
    found: dict[str, dict[bytes, str]] = {"function": {}, "error": {}}
    for entry in abi:
        if not isinstance(entry, dict):
            raise BadInterface(f"{entry!r:.80} is no entry of an ABI")
        kind = entry.get("type", "function")
        if not isinstance(kind, str):
            raise BadInterface(f"{kind!r:.80} is no type of an ABI's entry")
        if kind in found:
            signature = _signature(entry)
            found[kind][selector_of(signature)] = signature
    return Interface(found["function"], found["error"])


def selector_of(signature: str) -> bytes:
    return keccak256(signature.encode())[:SELECTOR_BYTES]


def function_called(data: bytes, functions: Signatures) -> str | None:
    """The function that calldata calls, if it is among these or everybody knows it."""
    selector = data[:SELECTOR_BYTES]
    return functions.get(selector) or WELL_KNOWN.get(selector)


def _signature(entry: Mapping[str, Any]) -> str:
    name = entry.get("name")
    if not isinstance(name, str):
        raise BadInterface("a function or error of the ABI has no name")
    signature = f"{name}({_types(entry.get('inputs', []), name, 0)})"
    if len(signature) > MAX_SIGNATURE or not signature.isprintable():
        raise BadInterface(f"a signature has at most {MAX_SIGNATURE} printable characters, not as {signature!r:.80}")
    return signature


def _types(inputs: Any, function: str, depth: int) -> str:
    if not isinstance(inputs, list) or depth > MAX_DEPTH:
        raise BadInterface(f"the inputs of {function!r:.80} are no list of an ABI")
    return ",".join(_type(value, function, depth) for value in inputs)


def _type(value: Any, function: str, depth: int) -> str:
    type = value.get("type") if isinstance(value, dict) else None
    if not isinstance(type, str):
        raise BadInterface(f"an input of {function!r:.80} has no type")
    if not type.startswith("tuple"):
        return type
    return f"({_types(value.get('components'), function, depth + 1)}){type.removeprefix('tuple')}"


_STANDARD = (
    # ERC-20, ERC-2612, WETH
    "transfer(address,uint256)", "approve(address,uint256)", "transferFrom(address,address,uint256)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", "deposit()", "withdraw(uint256)",
    # ERC-721, ERC-1155
    "safeTransferFrom(address,address,uint256)", "safeTransferFrom(address,address,uint256,bytes)",
    "setApprovalForAll(address,bool)", "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    # ERC-4626
    "deposit(uint256,address)", "mint(uint256,address)", "withdraw(uint256,address,address)",
    "redeem(uint256,address,address)",
)  # fmt: skip
WELL_KNOWN = {selector_of(signature): signature for signature in _STANDARD}
"""Functions of the token standards: what calls them is named without knowing the contract."""
