"""Values of official tests' JSON: numbers and bytes in 0x hex, numbers sometimes decimal or empty."""

from typing import Any

from chain.types import Address
from node.conformance.outcomes import Failed


def data(value: Any) -> bytes:
    """Bytes in hex, with or without 0x. Raises Failed."""
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError):
        raise Failed(f"the test's file has {value!r:.60} where bytes belong") from None


def number(value: Any) -> int:
    """A number in hex or decimal; nothing counts as zero. Raises Failed."""
    if isinstance(value, int):
        return value
    try:
        text = value.removeprefix("0x:bigint ")
        return int(text, 16 if text.startswith("0x") else 10) if text not in ("", "0x") else 0
    except (AttributeError, ValueError):
        raise Failed(f"the test's file has {value!r:.60} where a number belongs") from None


def address(value: Any) -> Address:
    return Address(data(value).rjust(20, b"\0"))
