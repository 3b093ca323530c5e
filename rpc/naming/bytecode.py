"""Which contract a piece of runtime bytecode is of, though it differs from what the compiler gave.

A deployment fills in immutables and the addresses of libraries, a library's code begins with its own address, and solc
appends metadata whose hash changes with every comment (docs.soliditylang.org, "Contract Metadata").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ADDRESS_BYTES = 20
PUSH20 = 0x73
MAX_CODE_BYTES = 1024 * 1024
STRANGE_REFERENCES = "immutableReferences are not as solc writes them"
_METADATA = re.compile(rb"(\xa2\x64ipfs\x58\x22\x12\x20).{32}(\x64solc\x43).{3}(\x00\x33)", re.DOTALL)
_METADATA_BLANK = rb"\g<1>" + bytes(32) + rb"\g<2>" + bytes(3) + rb"\g<3>"
_LIBRARY = re.compile(r"__.{36}__")
_HEX = re.compile(r"[0-9a-fA-F]*")

Hole = tuple[int, int]
"""Where bytes are filled in when a contract is deployed: from, to."""


class BadBytecode(Exception):
    """A text that is no bytecode as compilers write it."""


@dataclass(frozen=True, slots=True)
class CodePattern:
    """Runtime bytecode as compiled: `body` without metadata, zero in its holes; `metadata` as it was compiled."""

    body: bytes
    holes: tuple[Hole, ...]
    metadata: bytes

    def matches(self, body: bytes) -> bool:
        """Whether code whose body this is was deployed from it."""
        return len(body) == len(self.body) and _with_holes(body, self.holes) == self.body


def pattern_from(text: str, immutables: Mapping[str, Any] | None = None) -> CodePattern | None:
    """The pattern in `deployedBytecode` and `immutableReferences` of a compiler; None if there is no code.

    Raises BadBytecode.
    """
    digits = text.removeprefix("0x")
    libraries = [(m.start() // 2, m.end() // 2) for m in _LIBRARY.finditer(digits)]
    digits = _LIBRARY.sub("0" * 2 * ADDRESS_BYTES, digits)
    if len(digits) % 2 or len(digits) > 2 * MAX_CODE_BYTES or not _HEX.fullmatch(digits):
        raise BadBytecode(f"{text[:40]!r} is no bytecode: give 0x and hex digits")
    code = bytes.fromhex(digits)
    if not code:
        return None
    holes = _joined([*libraries, *_immutable_holes(immutables or {}), *_own_address(code)])
    body, metadata = without_metadata(code)
    return CodePattern(_with_holes(body, holes), holes, metadata)


def without_metadata(code: bytes) -> tuple[bytes, bytes]:
    """The code and the metadata behind it, which ends in its own length; those of contracts it creates are blanked."""
    length = int.from_bytes(code[-2:], "big") + 2 if len(code) > 2 else 0
    trailer = code[-length:] if 2 < length <= len(code) else b""
    is_metadata = trailer[:1] in (b"\xa1", b"\xa2", b"\xa3") and (b"solc" in trailer or b"bzzr" in trailer)
    body, metadata = (code[:-length], trailer) if is_metadata else (code, b"")
    return _METADATA.sub(_METADATA_BLANK, body), metadata


def _immutable_holes(references: Mapping[str, Any]) -> list[Hole]:
    """Raises BadBytecode."""
    try:
        places = [(place["start"], place["length"]) for group in references.values() for place in group]
    except (AttributeError, KeyError, TypeError):
        raise BadBytecode(STRANGE_REFERENCES) from None
    if not all(isinstance(number, int) and 0 <= number <= MAX_CODE_BYTES for place in places for number in place):
        raise BadBytecode(STRANGE_REFERENCES)
    return [(start, start + length) for start, length in places]


def _own_address(code: bytes) -> list[Hole]:
    """A library begins with its own address, which is zero until it is deployed."""
    is_library = code[0] == PUSH20 and code[1 : 1 + ADDRESS_BYTES] == bytes(ADDRESS_BYTES)
    return [(1, 1 + ADDRESS_BYTES)] if is_library else []


def _joined(holes: Sequence[Hole]) -> tuple[Hole, ...]:
    """In order and apart from each other, so that no byte is looked at twice."""
    joined: list[Hole] = []
    for start, end in sorted(holes):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _with_holes(body: bytes, holes: Sequence[Hole]) -> bytes:
    if not holes:
        return body
    blanked = bytearray(body)
    for start, end in holes:
        end = min(end, len(blanked))
        if start < end:
            blanked[start:end] = bytes(end - start)
    return bytes(blanked)
