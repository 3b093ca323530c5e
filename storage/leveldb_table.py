"""LevelDB's tables: whether every block of one has the checksum that was written with it.

LevelDB checks a block when it reads it, so damage shows only then, and it does not say in which file.
Source: doc/table_format.md of LevelDB, format_description.txt of Snappy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from storage.keyvalue import CorruptStore
from storage.leveldb_log import has_checksum, read_file, varint

FOOTER_BYTES = 48
TRAILER_BYTES = 5
MAGIC = bytes.fromhex("57fb808b247547db")
SNAPPY = 1
"""The compression that a block's trailer names; 0 is none."""


class _Handle(NamedTuple):
    offset: int
    size: int


def check_table(path: Path, size: int) -> None:
    """Whether a table of that many bytes is whole. Raises CorruptStore."""
    data = read_file(path)[:size]
    if len(data) < size:
        raise CorruptStore(path, f"it has {len(data)} bytes where {size} were written")
    if size < FOOTER_BYTES or data[-len(MAGIC) :] != MAGIC:
        raise CorruptStore(path, "it does not end as a table does")
    try:
        metaindex, at = _handle(data, size - FOOTER_BYTES)
        index, _ = _handle(data, at)
        for directory in (index, metaindex):
            for value in _values(_block(path, data, directory)):
                handle, _ = _handle(value, 0)
                _block(path, data, handle)
    except (IndexError, ValueError) as error:
        raise CorruptStore(path, "its index cannot be read") from error


def _handle(data: bytes, at: int) -> tuple[_Handle, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return _Handle(offset, size), at


def _block(path: Path, data: bytes, handle: _Handle) -> bytes:
    """A block as it was before it was compressed. Raises CorruptStore."""
    end = handle.offset + handle.size
    if end + TRAILER_BYTES > len(data):
        raise CorruptStore(path, f"a block would reach to byte {end} of {len(data)}")
    stored = int.from_bytes(data[end + 1 : end + TRAILER_BYTES], "little")
    if not has_checksum(stored, data[handle.offset : end + 1]):
        raise CorruptStore(path, f"the block at byte {handle.offset} has another checksum")
    content = data[handle.offset : end]
    return unpack_snappy(content) if data[end] == SNAPPY else content


def _values(block: bytes) -> Iterator[bytes]:
    """The values of a block's entries."""
    restarts = int.from_bytes(block[-4:], "little")
    end, at = len(block) - 4 * (restarts + 1), 0
    while at < end:
        _, at = varint(block, at)
        key_bytes, at = varint(block, at)
        value_bytes, at = varint(block, at)
        at += key_bytes
        yield block[at : at + value_bytes]
        at += value_bytes


def unpack_snappy(data: bytes) -> bytes:
    """Raises IndexError or ValueError when it is not Snappy's format."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            size, at = _literal_size(data, tag >> 2, at)
            out += data[at : at + size]
            at += size
            continue
        size, back, at = _copied(data, tag, at)
        if not 0 < back <= len(out):
            raise ValueError(back)
        for _ in range(size):
            out.append(out[-back])
    if len(out) != length:
        raise ValueError(length)
    return bytes(out)


def _literal_size(data: bytes, code: int, at: int) -> tuple[int, int]:
    if code < 60:
        return code + 1, at
    width = code - 59
    return int.from_bytes(data[at : at + width], "little") + 1, at + width


def _copied(data: bytes, tag: int, at: int) -> tuple[int, int, int]:
    """How many bytes come again from how far back, and where the tag ends."""
    if tag & 3 == 1:
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little"), at + width
