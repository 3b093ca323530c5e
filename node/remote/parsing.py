"""What a remote's JSON says, as values. Everything is checked: a remote may be anything that answers."""

import re
from typing import Any

from chain.types import Hash32

MAX_CODE_BYTES = 1 << 20
"""Far more than EIP-170 allows; some chains allow more than Ethereum does."""
_HEX = re.compile(r"0x[0-9a-fA-F]*")


class NotWhatWasAsked(Exception):
    """A value of the wrong form; the text says what was there, and where."""

    def __init__(self, what: str, value: Any) -> None:
        super().__init__(f"{str(value)[:80]!r} as {what}")


def quantity(value: Any, what: str, bits: int = 256) -> int:
    """A number in hexadecimal digits, as JSON-RPC has them; leading zeros are let pass. Raises NotWhatWasAsked."""
    if not isinstance(value, str) or len(value) < 3 or len(value) > 2 + 64 or _HEX.fullmatch(value) is None:
        raise NotWhatWasAsked(what, value)
    number = int(value, 16)
    if number.bit_length() > bits:
        raise NotWhatWasAsked(what, value)
    return number


def data(value: Any, what: str, most_bytes: int) -> bytes:
    """Raises NotWhatWasAsked."""
    if not isinstance(value, str) or len(value) % 2 or len(value) > 2 + 2 * most_bytes or not _HEX.fullmatch(value):
        raise NotWhatWasAsked(what, value)
    return bytes.fromhex(value[2:])


def hash32(value: Any, what: str) -> Hash32:
    """Raises NotWhatWasAsked."""
    found = data(value, what, 32)
    if len(found) != 32:
        raise NotWhatWasAsked(what, value)
    return Hash32(found)
