"""Writes files in LevelDB's log format, as doc/log_format.md of LevelDB has it."""

from collections.abc import Iterable
from pathlib import Path

import google_crc32c

from storage.leveldb_log import BLOCK_BYTES, HEADER_BYTES

FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def write_log(path: Path, records: Iterable[bytes]) -> None:
    data = bytearray()
    for record in records:
        begun = False
        while True:
            left = BLOCK_BYTES - len(data) % BLOCK_BYTES
            if left < HEADER_BYTES:
                data += bytes(left)
                left = BLOCK_BYTES
            piece, record = record[: left - HEADER_BYTES], record[left - HEADER_BYTES :]
            kind = (MIDDLE if begun else FIRST) if record else (LAST if begun else FULL)
            data += _header(kind, piece) + piece
            begun = True
            if not record:
                break
    path.write_bytes(data)


def _header(kind: int, piece: bytes) -> bytes:
    crc: int = google_crc32c.value(bytes((kind,)) + piece)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked.to_bytes(4, "little") + len(piece).to_bytes(2, "little") + bytes((kind,))
