"""Why a call reverted, in words: Solidity's reasons and panics, and custom errors by the contract's interface."""

from collections.abc import Mapping
from typing import Any

from chain.addresses import checksummed
from chain.revert_reasons import ERROR_SELECTOR, PANIC_SELECTOR, revert_reason
from chain.types import Address
from node.traffic.call_text import by_selector, types_of

STANDARD_ERRORS = by_selector((
    # ERC-6093
    "ERC20InsufficientBalance(address,uint256,uint256)", "ERC20InvalidSender(address)", "ERC20InvalidReceiver(address)",
    "ERC20InsufficientAllowance(address,uint256,uint256)", "ERC20InvalidApprover(address)",
    "ERC20InvalidSpender(address)", "ERC721InvalidOwner(address)", "ERC721NonexistentToken(uint256)",
    "ERC721IncorrectOwner(address,uint256,address)", "ERC721InvalidSender(address)", "ERC721InvalidReceiver(address)",
    "ERC721InsufficientApproval(address,uint256)", "ERC1155InsufficientBalance(address,uint256,uint256,uint256)",
    "ERC1155MissingApprovalForAll(address,address)",
    # OpenZeppelin
    "OwnableUnauthorizedAccount(address)", "AccessControlUnauthorizedAccount(address,bytes32)", "EnforcedPause()",
    "ReentrancyGuardReentrantCall()",
))  # fmt: skip
"""What many contracts revert with, known without their interface."""


class RevertWords:
    """Words for revert data. `errors` are the signatures of the contract's own, by selector."""

    def __init__(self, errors: Mapping[bytes, str]) -> None:
        self._errors = {**STANDARD_ERRORS, **errors}

    def of(self, message: str, data: Any) -> str:
        """What a node's error says, and what its data means: ERC20InsufficientBalance(0x…, 0, 7)."""
        output = _bytes_in(data)
        signature = self._errors.get(output[:4])
        return self.name_of(message, data) if signature is None else _with_values(signature, output[4:])

    def name_of(self, message: str, data: Any) -> str:
        """The same without a custom error's values: what calls that failed alike have in common."""
        output = _bytes_in(data)
        if not output:
            return message
        if output[:4] in (ERROR_SELECTOR, PANIC_SELECTOR):
            return revert_reason(output) or message
        return self._errors.get(output[:4], f"custom error 0x{output[:4].hex()}")


def _bytes_in(data: Any) -> bytes:
    """Revert data as a node gives it; empty where it gives none."""
    try:
        return bytes.fromhex(str(data or "").removeprefix("0x"))
    except ValueError:
        return b""


def _with_values(signature: str, arguments: bytes) -> str:
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    try:
        values = decode(types_of(signature), arguments)
    except DecodingError:
        return signature
    return f"{signature[: signature.index('(')]}({', '.join(map(_shown, values))})"


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    is_address = isinstance(value, str) and len(value) == 42 and value.startswith("0x")
    return checksummed(Address(bytes.fromhex(value[2:]))) if is_address else str(value)
