"""State files: the whole state after one block, as `tandem dump` writes it and `tandem load` reads it.

    tandem state 1
    {"chainId": 31337, "forks": …, "number": 12, … "header": "0x…"}
    parts, each its length in 4 bytes and so many bytes of zlib; a part of length 0 ends them
    "end\\n" and the SHA-256 of everything before it

Two lines of text, so that `head -2` tells what a file is. A part is a `StatePart`: accounts by the hash of their
address, slots by the hash of their number, as the tries have them, so that who reads a file builds each region of a
trie once. An account whose slots do not fit into one part goes on in the next.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chain.codec import decode_value, encode_value
from chain.errors import ChainError, DecodeError
from chain.messages.state_pages import AccountPart
from chain.state_head import StateHead, head_from_json, head_json
from chain.types import Hash32
from storage.keyvalue import StoreError

FORMAT = 1
MAGIC = b"tandem state "
END = b"end\n"
MAX_FIRST_LINE_BYTES = 32
MAX_ABOUT_BYTES = 1 << 20
PART_BYTES = 1 << 20
"""A part is written once it has about so much."""
MAX_PART_BYTES = 64 << 20
LENGTH_BYTES = 4
DIGEST_BYTES = 32
COMPRESSION = 3
COPY_BYTES = 1 << 20


class NotAStateFile(StoreError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is no state file: give one that tandem dump wrote")


class OtherStateFormat(StoreError):
    def __init__(self, path: Path, found: str) -> None:
        super().__init__(
            f"{path} has state format {found}, this version of Tandem reads {FORMAT}: use the version that wrote it"
        )


class DamagedStateFile(StoreError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged ({reason}): copy it again, or make a new one with tandem dump")


class StateFileUnreadable(StoreError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot read {path}: {reason}")


class StateFileUnwritable(StoreError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot write {path}: {reason}; give another file, or make room")


@dataclass(frozen=True, slots=True)
class StatePart:
    """`headers` are encoded, of blocks before the one that the state is of, the newest last: what BLOCKHASH reads.

    `codes` come with or before the first account that has them.
    """

    headers: tuple[bytes, ...]
    codes: tuple[bytes, ...]
    accounts: tuple[AccountPart, ...]


class StateFileWriter:
    """Writes one state file. It stands under its name only when `finish` returns; `abandon` removes what there is."""

    def __init__(self, path: Path, head: StateHead) -> None:
        """Raises StateFileUnwritable."""
        if path.exists() and not path.is_file():
            raise StateFileUnwritable(path, "it is there and is no file")
        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        self._digest = hashlib.sha256()
        try:
            self._file = os.fdopen(os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError as error:
            raise StateFileUnwritable(path, error.strerror or str(error)) from error
        self._write(MAGIC + b"%d\n" % FORMAT + json.dumps(head_json(head)).encode() + b"\n")

    def add(self, part: StatePart) -> None:
        """Raises StateFileUnwritable."""
        packed = zlib.compress(encode_value(part), COMPRESSION)
        self._write(len(packed).to_bytes(LENGTH_BYTES, "big") + packed)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise StateFileUnwritable(self.path, error.strerror or str(error)) from error
        self._digest.update(data)

    def finish(self) -> Hash32:
        """The file is on disk, under its name; its checksum. Raises StateFileUnwritable."""
        self._write(bytes(LENGTH_BYTES))
        self._write(END)
        try:
            self._file.write(self._digest.digest())
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.rename(self.path)
        except OSError as error:
            raise StateFileUnwritable(self.path, error.strerror or str(error)) from error
        return Hash32(self._digest.digest())

    def abandon(self) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)


class StateFile:
    """A state file that is whole: its checksum was compared before anything of it is believed."""

    def __init__(self, path: Path) -> None:
        """Raises NotAStateFile, OtherStateFormat, DamagedStateFile, StateFileUnreadable."""
        self.path = path
        try:
            with open(path, "rb") as file:
                _check_format(path, file.readline(MAX_FIRST_LINE_BYTES))
                about = file.readline(MAX_ABOUT_BYTES)
                self._begin = file.tell()
                self.checksum = _checked(path, file)
        except OSError as error:
            raise StateFileUnreadable(path, error.strerror or str(error)) from error
        try:
            self.head = head_from_json(json.loads(about))
        except (ValueError, KeyError, TypeError, ChainError) as error:
            raise DamagedStateFile(path, f"its second line: {error}") from error

    def parts(self) -> Iterator[StatePart]:
        """Raises DamagedStateFile, StateFileUnreadable."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._begin)
                while length := int.from_bytes(file.read(LENGTH_BYTES), "big"):
                    yield _part(self.path, file.read(length))
        except OSError as error:
            raise StateFileUnreadable(self.path, error.strerror or str(error)) from error


def is_state_file(path: Path) -> bool:
    """Whether it begins as one. Raises StateFileUnreadable."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise StateFileUnreadable(path, error.strerror or str(error)) from error


def _check_format(path: Path, first_line: bytes) -> None:
    if not first_line.startswith(MAGIC):
        raise NotAStateFile(path)
    found = first_line[len(MAGIC) :].strip()
    if found != b"%d" % FORMAT:
        raise OtherStateFormat(path, found.decode(errors="replace"))


def _checked(path: Path, file: IO[bytes]) -> Hash32:
    """The file's checksum, which is that of its content."""
    size = file.seek(0, os.SEEK_END)
    content = size - DIGEST_BYTES
    file.seek(max(content - len(END), 0))
    if file.read(len(END)) != END:
        raise DamagedStateFile(path, "its end is missing")
    expected = file.read(DIGEST_BYTES)
    digest = hashlib.sha256()
    file.seek(0)
    while content > 0:
        data = file.read(min(content, COPY_BYTES))
        digest.update(data)
        content -= len(data)
    if digest.digest() != expected:
        raise DamagedStateFile(path, "its checksum is not that of its content")
    return Hash32(expected)


def _part(path: Path, packed: bytes) -> StatePart:
    unpacking = zlib.decompressobj()
    try:
        return decode_value(StatePart, unpacking.decompress(packed, MAX_PART_BYTES))
    except (zlib.error, DecodeError) as error:
        raise DamagedStateFile(path, str(error)) from error
