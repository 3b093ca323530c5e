"""Keys of mappings as people read them: in their type where it is known, else as what they look like."""

import json
import re

from chain.addresses import checksummed
from chain.types import Address

WORD = 32
PLAIN_NUMBER_LIMIT = 2**64
MAX_SHOWN = 48
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\b")
_WIDTH = re.compile(r"\d+")


def typed_key(label: str, key: bytes) -> str:
    """A key whose type solc calls `label`, such as address, int8, bytes4, string or enum Game.Color."""
    if label == "string":
        return _quoted(key)
    if label == "bytes":
        return _shortened_hex(key)
    if len(key) != WORD:
        return "0x" + key.hex()
    number = int.from_bytes(key, "big")
    if label.startswith(("address", "contract ")):
        return checksummed(Address(key[12:]))
    if label == "bool":
        return "true" if number else "false"
    if label.startswith("int"):
        return str(number - 2**256 if number >= 2**255 else number)
    if label.startswith(("uint", "enum ")):
        return str(number)
    if label.startswith("bytes"):
        width = _WIDTH.search(label)
        return "0x" + key[: int(width[0]) if width else WORD].hex()
    return untyped_key(key)


def untyped_key(key: bytes) -> str:
    """A key of unknown type: small numbers in decimal, what is long enough for an address as one, texts in quotes."""
    if len(key) != WORD:
        return _quoted(key) if key and key.isascii() and key.decode().isprintable() else _shortened_hex(key)
    number = int.from_bytes(key, "big")
    if number < PLAIN_NUMBER_LIMIT:
        return str(number)
    if key[:12] == bytes(12) and key[12:16] != bytes(4):
        return checksummed(Address(key[12:]))
    return "0x" + key.hex()


def shortened(name: str) -> str:
    """A name for a narrow place: 0x7099…79C8 for each address in it."""
    return _ADDRESS.sub(lambda found: f"{found[0][:6]}…{found[0][-4:]}", name)


def _quoted(key: bytes) -> str:
    text = key.decode("utf-8", "replace")
    quoted = json.dumps(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…", ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in quoted)


def _shortened_hex(data: bytes) -> str:
    if len(data) <= MAX_SHOWN:
        return "0x" + data.hex()
    return f"0x{data[:WORD].hex()}… ({len(data)} bytes)"
