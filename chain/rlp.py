"""Recursive-length prefix, Ethereum's canonical encoding (yellow paper, appendix B).

Our own few lines, because the `rlp` package imports pydantic, which validators and storage must not carry, and takes
several times as long on the hot paths. `tests/chain/test_rlp.py` holds the two against each other.
"""

from collections.abc import Sequence
from typing import TypeAlias, Union

from chain.errors import DecodeError

Item: TypeAlias = Union[bytes, "Sequence[Item]"]
"""What RLP can say: bytes, or a list of items."""

MAX_DEPTH = 64


class RLPError(DecodeError):
    """Bytes that are not the canonical encoding of anything."""


def encode_length(length: int, offset: int) -> bytes:
    if length < 56:
        return bytes((offset + length,))
    size = (length.bit_length() + 7) // 8
    return bytes((offset + 55 + size,)) + length.to_bytes(size, "big")


def encode_bytes(value: bytes) -> bytes:
    """The encoding of one byte string."""
    length = len(value)
    if length == 1 and value[0] < 0x80:
        return value
    if length < 56:
        return bytes((0x80 + length,)) + value
    return encode_length(length, 0x80) + value


def encode_int(value: int) -> bytes:
    """The encoding of a natural number: its shortest big-endian bytes."""
    if value < 0x80:
        return b"\x80" if value == 0 else bytes((value,))
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes((0x80 + len(data),)) + data


def encode_list(encoded_items: Sequence[bytes]) -> bytes:
    """The encoding of a list whose items are encoded already."""
    body = b"".join(encoded_items)
    return encode_length(len(body), 0xC0) + body


def encode(item: Item | int) -> bytes:
    """The encoding of bytes, a natural number, or a (nested) list of them."""
    if isinstance(item, bytes):
        return encode_bytes(item)
    if isinstance(item, int):
        return encode_int(item)
    return encode_list([encode(part) for part in item])


def decode(data: bytes) -> Item:
    """The one item that `data` encodes. Raises RLPError if it is not canonical or if bytes are left over."""
    item, end = _decode_at(data, 0, len(data), 0)
    if end != len(data):
        raise RLPError("input contains more than one value")
    return item


def decode_int(item: Item) -> int:
    """The natural number in an item. Raises RLPError for a list or leading zeros."""
    if not isinstance(item, bytes):
        raise RLPError("expected input string or byte: a list where a number belongs")
    if item[:1] == b"\0":
        raise RLPError("non-canonical integer (leading zero bytes)")
    return int.from_bytes(item, "big")


def decode_uint64(item: Item) -> int:
    """As `decode_int`, of at most 64 bits."""
    value = decode_int(item)
    if value >= 2**64:
        raise RLPError(f"{value} does not fit into 64 bits")
    return value


def decode_bytes(item: Item, length: int | None = None) -> bytes:
    """The bytes in an item, of exactly `length` if given. Raises RLPError otherwise."""
    if not isinstance(item, bytes):
        raise RLPError("expected input string or byte: a list where bytes belong")
    if length is not None and len(item) != length:
        size = "short" if len(item) < length else "long"
        raise RLPError(f"input string too {size}: {len(item)} bytes where {length} belong: 0x{item[:40].hex()}")
    return item


def decode_list(item: Item, length: int | None = None) -> Sequence[Item]:
    """The items of a list, exactly `length` if given. Raises RLPError otherwise."""
    if isinstance(item, bytes):
        raise RLPError("expected input list: bytes where a list belongs")
    if length is not None and len(item) != length:
        raise RLPError(f"a list of {len(item)} where {length} items belong")
    return item


def _long_length(data: bytes, at: int, size: int, end: int) -> int:
    if at + size > end:
        raise RLPError("the data ends inside a length")
    if data[at] == 0:
        raise RLPError("a length with leading zeros")
    length = int.from_bytes(data[at : at + size], "big")
    if length < 56:
        raise RLPError(f"a long length for {length} bytes")
    return length


def _decode_at(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    if at >= end:
        raise RLPError("the data ends where an item should begin")
    prefix = data[at]
    if prefix < 0x80:
        return data[at : at + 1], at + 1
    is_list = prefix >= 0xC0
    short = prefix - (0xC0 if is_list else 0x80)
    start, length = at + 1, short
    if short > 55:
        length = _long_length(data, start, short - 55, end)
        start += short - 55
    stop = start + length
    if stop > end:
        raise RLPError("value size exceeds available input length")
    if not is_list:
        if length == 1 and data[start] < 0x80:
            raise RLPError(f"the byte 0x{data[start]:02x} encoded with a prefix")
        return data[start:stop], stop
    if depth >= MAX_DEPTH:
        raise RLPError(f"lists nested more than {MAX_DEPTH} deep")
    items: list[Item] = []
    while start < stop:
        prefix = data[start]
        if prefix < 0x80:
            items.append(data[start : start + 1])
            start += 1
        elif 0x81 < prefix < 0xB8 and start + prefix - 0x80 < stop:  # a short string, as most are: 3 times faster so
            items.append(data[start + 1 : start + prefix - 0x7F])
            start += prefix - 0x7F
        elif prefix == 0x80 or prefix == 0xC0:  # nothing, or a list of nothing
            items.append(b"" if prefix == 0x80 else [])
            start += 1
        else:
            item, start = _decode_at(data, start, stop, depth + 1)
            items.append(item)
    return items, stop
