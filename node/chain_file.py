"""A file of Ethereum blocks in RLP, one after the other, as geth's `export` writes it; also packed with gzip."""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from node.errors import NodeError

GZIP_MAGIC = b"\x1f\x8b"
SHORT_LIST, LONG_LIST = 0xC0, 0xF7
MAX_BLOCK_BYTES = 64 * 1024 * 1024
"""More than any block that Ethereum's rules have allowed (EIP-7934 has 8 MiB)."""


class BadChainFile(NodeError):
    """A file that holds no blocks, or ends in the middle of one."""


class ChainFile:
    """The blocks of a file, read as they are asked for. Raises BadChainFile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw = self._opened()
        self._blocks = self._unpacked()
        self.size = os.fstat(self._raw.fileno()).st_size

    @property
    def position(self) -> int:
        """Bytes of the file that are read."""
        return self._raw.tell()

    def __enter__(self) -> "ChainFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def blocks(self) -> Iterator[bytes]:
        """Each block's RLP, in order."""
        count = 0
        while True:
            try:
                block = self._next(count)
            except (OSError, EOFError, zlib.error) as error:
                raise BadChainFile(f"{self._path} cannot be read after block {count} of it: {error}") from None
            if block is None and count == 0:
                raise BadChainFile(f"{self._path} is empty: give a file of blocks, as geth's export writes it")
            if block is None:
                return
            count += 1
            yield block

    def _opened(self) -> IO[bytes]:
        try:
            return open(self._path, "rb")
        except OSError as error:
            raise BadChainFile(f"{self._path} cannot be read ({error.strerror}): give a file of blocks") from None

    def _unpacked(self) -> IO[bytes] | gzip.GzipFile:
        packed = self._raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        self._raw.seek(0)
        return gzip.GzipFile(fileobj=self._raw, mode="rb") if packed else self._raw

    def _next(self, count: int) -> bytes | None:
        head = self._blocks.read(1)
        if not head:
            return None
        if head[0] < SHORT_LIST:
            raise BadChainFile(
                f"{self._path}: no block stands after block {count} of it (0x{head.hex()} begins no RLP list): "
                "give a file as geth's export writes it"
            )
        length = head[0] - SHORT_LIST
        if head[0] > LONG_LIST:
            more = self._exactly(head[0] - LONG_LIST, count)
            head, length = head + more, int.from_bytes(more, "big")
        if length > MAX_BLOCK_BYTES:
            raise BadChainFile(f"{self._path}: block {count + 1} of it would have {length} bytes: the file is damaged")
        return head + self._exactly(length, count)

    def _exactly(self, length: int, count: int) -> bytes:
        data = self._blocks.read(length)
        if len(data) < length:
            raise BadChainFile(
                f"{self._path} ends in the middle of block {count + 1} of it: "
                f"{length - len(data)} bytes are missing; take a whole copy"
            )
        return data
