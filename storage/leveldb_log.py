"""LevelDB's log format, which its write-ahead logs and its manifests share, read strictly.

LevelDB itself reads on after some kinds of damage without a word: zeros in place of a record's header make it skip the
rest of that block. Two logs may be read at a start, and a loss at the end of the first one would be a hole. What is
read here is whole from the beginning of the file to its end, or to a record that was not written to its end.
Source: doc/log_format.md, db/log_reader.cc, db/version_edit.cc of LevelDB.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import google_crc32c

from storage.keyvalue import CorruptStore

BLOCK_BYTES = 32_768
HEADER_BYTES = 7
BATCH_HEADER_BYTES = 12
_MASK_DELTA = 0xA282EAD8


class _Piece(IntEnum):
    """Where in a record the bytes of one block stand."""

    ZERO = 0
    FULL = 1
    FIRST = 2
    MIDDLE = 3
    LAST = 4


class _Field(IntEnum):
    """What a field of a manifest's record says."""

    COMPARATOR = 1
    LOG_NUMBER = 2
    NEXT_FILE = 3
    LAST_SEQUENCE = 4
    COMPACTED_UP_TO = 5
    TABLE_GONE = 6
    NEW_TABLE = 7
    LOG_BEFORE = 9


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which files make up the database: the oldest log still needed, and the tables with their sizes in bytes."""

    log_number: int
    tables: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LogBatches:
    """The changes in a log, up to its end or its first damage: LevelDB numbers them without a break.

    `first` is the first one's number and `after` the number that comes next, None without any. `end` is the byte after
    the last whole record.
    """

    first: int | None
    after: int | None
    end: int
    damage: CorruptStore | None


def has_checksum(stored: int, data: bytes) -> bool:
    """Whether `stored` is LevelDB's masked CRC-32C of `data`."""
    crc: int = google_crc32c.value(data)
    return stored == ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def read_file(path: Path) -> bytes:
    """Raises CorruptStore."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorruptStore(path, error.strerror or str(error)) from error


def log_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """The records of a file, each with the offset where it ends. Raises CorruptStore."""
    data = read_file(path)
    offset, begun = 0, b""
    in_record = False
    while (piece := _piece_at(path, data, offset)) is not None:
        kind, content, offset = piece
        if in_record != (kind in (_Piece.MIDDLE, _Piece.LAST)):
            raise CorruptStore(path, f"pieces of different records follow each other before byte {offset}")
        begun = begun + content if in_record else content
        in_record = kind in (_Piece.FIRST, _Piece.MIDDLE)
        if not in_record:
            yield offset, begun


def _piece_at(path: Path, data: bytes, offset: int) -> tuple[int, bytes, int] | None:
    """The piece there: kind, content, and where it ends. None at the end, also in a piece that was cut off."""
    left = BLOCK_BYTES - offset % BLOCK_BYTES
    if left < HEADER_BYTES:
        offset, left = offset + left, BLOCK_BYTES
    begin = offset + HEADER_BYTES
    if begin > len(data):
        return None
    length, kind = int.from_bytes(data[offset + 4 : offset + 6], "little"), data[offset + 6]
    if kind == _Piece.ZERO and length == 0 and not any(data[offset:]):
        return None  # room that the file system gave and nobody wrote to
    if kind not in (_Piece.FULL, _Piece.FIRST, _Piece.MIDDLE, _Piece.LAST) or length > left - HEADER_BYTES:
        raise CorruptStore(path, f"no record begins at byte {offset}")
    end = begin + length
    if end > len(data):
        return None
    if not has_checksum(int.from_bytes(data[offset : offset + 4], "little"), data[offset + 6 : end]):
        raise CorruptStore(path, f"the record at byte {offset} has another checksum")
    return kind, data[begin:end], end


def read_log(path: Path) -> LogBatches:
    """What is in a write-ahead log. Changes missing in its midst are damage too."""
    first = after = None
    end = 0
    try:
        for next_end, record in log_records(path):
            sequence, after_it = _batch(path, end, record)
            if after is not None and sequence != after:
                raise CorruptStore(path, f"changes {after} to {sequence - 1} are missing at byte {end}")
            first, after, end = sequence if first is None else first, after_it, next_end
    except CorruptStore as damage:
        return LogBatches(first, after, end, damage)
    return LogBatches(first, after, end, None)


def _batch(path: Path, begin: int, record: bytes) -> tuple[int, int]:
    """The number of a batch's first change, and that after its last one."""
    if len(record) < BATCH_HEADER_BYTES:
        raise CorruptStore(path, f"the record at byte {begin} is too short")
    sequence, count = int.from_bytes(record[:8], "little"), int.from_bytes(record[8:BATCH_HEADER_BYTES], "little")
    return sequence, sequence + count


def read_manifest(path: Path) -> Manifest:
    """Raises CorruptStore."""
    log_number: int | None = None
    tables: dict[int, int] = {}
    for end, record in log_records(path):
        try:
            log_number = _take_edit(record, tables, log_number)
        except (IndexError, ValueError) as error:
            raise CorruptStore(path, f"the record before byte {end} cannot be read") from error
    if log_number is None:
        raise CorruptStore(path, "it ends before it says which log is the newest")
    return Manifest(log_number, tables)


def _take_edit(record: bytes, tables: dict[int, int], log_number: int | None) -> int | None:
    """Follows one change of the set of files. Raises IndexError and ValueError."""
    at = 0
    while at < len(record):
        field, at = varint(record, at)
        match field:
            case _Field.COMPARATOR:
                at = _after_bytes(record, at)
            case _Field.LOG_NUMBER:
                log_number, at = varint(record, at)
            case _Field.NEXT_FILE | _Field.LAST_SEQUENCE | _Field.LOG_BEFORE:
                _, at = varint(record, at)
            case _Field.COMPACTED_UP_TO:
                _, at = varint(record, at)
                at = _after_bytes(record, at)
            case _Field.TABLE_GONE:
                _, at = varint(record, at)
                number, at = varint(record, at)
                tables.pop(number, None)
            case _Field.NEW_TABLE:
                _, at = varint(record, at)
                number, at = varint(record, at)
                tables[number], at = varint(record, at)
                at = _after_bytes(record, _after_bytes(record, at))
            case _:
                raise ValueError(field)
    return log_number


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of varying length, and where it ends. Raises IndexError."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _after_bytes(data: bytes, at: int) -> int:
    length, at = varint(data, at)
    if at + length > len(data):
        raise IndexError
    return at + length
