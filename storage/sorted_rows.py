"""Sorts more rows than fit in memory: sorted runs in temporary files, merged when they are read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import IO, NamedTuple

RUN_BYTES = 16 << 20
"""Rows of so many bytes are held in memory at a time, which are some five times more with the objects around them."""
LENGTH_BYTES = 4


class Row(NamedTuple):
    key: bytes
    value: bytes


class SortedRows:
    """Rows in any order in, and out again by key; of rows that are equal, one. `close` removes the temporary files.

    `folder` is where these are made, without a name: they vanish with the process.
    """

    def __init__(self, folder: Path, run_bytes: int = RUN_BYTES) -> None:
        self._folder = folder
        self._run_bytes = run_bytes
        self._held: list[Row] = []
        self._held_bytes = 0
        self._files = ExitStack()
        self._runs: list[IO[bytes]] = []

    def add(self, key: bytes, value: bytes) -> None:
        """Raises OSError when a run cannot be written."""
        self._held.append(Row(key, value))
        self._held_bytes += len(key) + len(value)
        if self._held_bytes >= self._run_bytes:
            self._write_run()

    def _write_run(self) -> None:
        self._held.sort()
        run = self._files.enter_context(self._nameless_file())
        for row in self._held:
            for part in row:
                run.write(len(part).to_bytes(LENGTH_BYTES, "big") + part)
        self._runs.append(run)
        self._held = []
        self._held_bytes = 0

    def _nameless_file(self) -> IO[bytes]:
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        os.unlink(name)
        return os.fdopen(descriptor, "w+b")

    def rows(self) -> Iterator[Row]:
        """All of them by key, once; nothing is added any more."""
        self._held.sort()
        before = None
        for row in merge(self._held, *map(_rows_of, self._runs)):
            if row != before:
                yield row
            before = row

    def close(self) -> None:
        self._files.close()


def _rows_of(run: IO[bytes]) -> Iterator[Row]:
    run.seek(0)
    while (key := _part(run)) is not None:
        value = _part(run)
        assert value is not None, "a run ends within a row"
        yield Row(key, value)


def _part(run: IO[bytes]) -> bytes | None:
    length = run.read(LENGTH_BYTES)
    return run.read(int.from_bytes(length, "big")) if length else None
