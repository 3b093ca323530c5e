"""The key-value interface on LevelDB, which one process at a time may open.

What LevelDB does by itself and this file works around:
- it opens a damaged log by dropping what it cannot read, unless told to be paranoid;
- it reads damaged blocks without a word, unless told to verify (0.6 microseconds a read);
- it makes a new database over an old one whose CURRENT file is gone, and misses neither a log nor a part of one
  (`leveldb_check.py` does);
- plyvel's iterators pass over a damaged block, or end there, without a word: only its raw ones tell;
- of a damaged block it does not say in which file it is: all are read then to find it;
- after a write that failed, its log may end in half a record, and later records would be lost with it at the next
  start: it must be opened anew before it is written again.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plyvel

from storage.keyvalue import (
    Batch,
    CorruptStore,
    DiskFull,
    FolderInUse,
    FolderUnreadable,
    StoreError,
    end_of_prefix,
)
from storage.leveldb_check import check_before_opening, damaged_tables

BLOOM_BITS_PER_KEY = 10
CACHE_BYTES = 128 << 20
"""Of unpacked blocks of tables, as they are read; a small chain fills little of it. Unpacking a block takes
longer than the get from it; of a million accounts and slots 64 MB hold the newest values of half."""
RECOVERY_MARGIN_BYTES = 1 << 20

_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_FORBIDDEN = tuple(os.strerror(code) for code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST))
_DAMAGED = ("Corruption", os.strerror(errno.ENOENT), os.strerror(errno.EINVAL))


class LevelDB:
    """One open database. Reads belong to one thread; `write` may run on another meanwhile.

    Not `durable` (a temporary folder): writes are never forced to the disk. The death of the process loses nothing
    even so, because the kernel has the bytes; only a loss of power would.
    """

    def __init__(
        self, folder: Path, durable: bool = True, write_buffer_bytes: int = 4 << 20, cache_bytes: int = CACHE_BYTES
    ) -> None:
        self.folder = folder
        self.durable = durable
        self._write_buffer_bytes = write_buffer_bytes
        self._cache_bytes = cache_bytes
        self._failure: StoreError | None = None
        self._writes = 0
        self._cursor_writes = -1
        self._check_folder()
        self._cursor: Any = None
        self._db = self._open()

    def _check_folder(self) -> None:
        """Makes it if it is missing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            check_before_opening(self.folder)
        except OSError as error:
            raise _meaning(self.folder, f"{error.filename}: {error.strerror}") from error
        except CorruptStore:
            if _is_in_use(self.folder):  # whoever writes there changes the files while they are looked at
                raise FolderInUse(self.folder) from None
            raise

    def _open(self) -> plyvel.DB:
        try:
            return plyvel.DB(
                str(self.folder),
                create_if_missing=True,
                paranoid_checks=True,
                write_buffer_size=self._write_buffer_bytes,
                lru_cache_size=self._cache_bytes,
                bloom_filter_bits=BLOOM_BITS_PER_KEY,
            )
        except plyvel.Error as error:
            raise self._trouble(_text(error)) from error

    def get(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._db.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self._read_failed(error) from error
        return found

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        try:
            if self._cursor_writes != self._writes:
                self._renew_cursor()
            cursor = self._cursor
            cursor.seek(key)
            found: tuple[bytes, bytes] | None = cursor.item() if cursor.valid() else None
        except (plyvel.Error, RuntimeError) as error:
            raise self._read_failed(error) from error
        return found

    def _renew_cursor(self) -> None:
        """A cursor sees the database as it was when it was made. Making one takes as long as a seek, so it is kept.

        The count is read first: a write that ends in between makes the cursor old, never wrongly new.
        """
        writes = self._writes
        self._cursor = self._db.raw_iterator(verify_checksums=True)
        self._cursor_writes = writes

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._pairs_of(self._db, start, stop)

    def snapshot(self) -> "_Snapshot":
        try:
            return _Snapshot(self, self._db.snapshot())
        except (plyvel.Error, RuntimeError) as error:
            raise self._read_failed(error) from error

    def _pairs_of(self, source: Any, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Of the database or a snapshot."""
        try:
            cursor = source.raw_iterator(verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self._read_failed(error) from error
        return self._walk(cursor, start, stop)

    def _walk(self, cursor: Any, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        try:
            cursor.seek(start)
            while cursor.valid():
                pair: tuple[bytes, bytes] = cursor.item()
                if pair[0] >= stop:
                    return
                yield pair
                cursor.next()
        except (plyvel.Error, RuntimeError) as error:
            raise self._read_failed(error) from error

    def with_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self.pairs(prefix, end_of_prefix(prefix))

    def write(self, batch: Batch, sync: bool = True) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            changes = self._db.write_batch(sync=sync and self.durable)
            put = changes.put
            for key, value in batch.items():
                if value is not None:
                    put(key, value)
                else:
                    changes.delete(key)
            changes.write()
        except plyvel.Error as error:
            self._failure = self._trouble(_text(error))
            raise self._failure from error
        finally:
            self._writes += 1

    def recover(self) -> None:
        if self._failure is None:
            return
        self._check_room()
        self._let_go()
        self._db = self._open()
        self._writes += 1
        self._failure = None

    def _check_room(self) -> None:
        """Opening rewrites the log as a table. Without the room for that the open database goes on serving reads."""
        disk = os.statvfs(self.folder)
        log_bytes = sum(entry.stat().st_size for entry in self.folder.glob("*.log"))
        free_bytes = disk.f_bavail * disk.f_frsize
        if free_bytes < log_bytes + RECOVERY_MARGIN_BYTES:
            raise DiskFull(self.folder, f"{free_bytes} bytes are free")

    def approximate_bytes(self) -> int:
        """What the folder takes on the disk."""
        total = 0
        with os.scandir(self.folder) as entries:
            for entry in entries:
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:
                    continue  # compacted away since it was listed
        return total

    def close(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self._cursor = None
        self._cursor_writes = -1
        self._db.close()

    def _read_failed(self, error: Exception) -> StoreError:
        if isinstance(error, plyvel.Error):
            return self._trouble(_text(error))
        return self._failure or StoreError(f"{self.folder} is closed")

    def _trouble(self, text: str) -> StoreError:
        """The error for what LevelDB said, naming the damaged file."""
        meaning = _meaning(self.folder, text)
        if isinstance(meaning, CorruptStore) and meaning.what == self.folder:
            return next(damaged_tables(self.folder), meaning)
        return meaning


class _Snapshot:
    """The database as it was when this was taken."""

    def __init__(self, database: LevelDB, taken: Any) -> None:
        self._database = database
        self._taken = taken

    def get(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._taken.get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError) as error:
            raise self._database._read_failed(error) from error
        return found

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._database._pairs_of(self._taken, start, stop)


def _is_in_use(folder: Path) -> bool:
    """Whether another process has the database open."""
    try:
        with open(folder / "LOCK", "ab") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _text(error: Exception) -> str:
    """plyvel carries LevelDB's words as bytes."""
    first = error.args[0] if error.args else ""
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _meaning(folder: Path, text: str) -> StoreError:
    """The error class for what LevelDB or the system said. LevelDB tells causes apart by their text alone."""
    if text.startswith("IO error: lock "):
        return FolderInUse(folder)
    if any(words in text for words in _FULL):
        return DiskFull(folder, text)
    if any(words in text for words in _FORBIDDEN):
        return FolderUnreadable(folder, text)
    if any(words in text for words in _DAMAGED):
        named = re.search(rf"{re.escape(str(folder))}/\S+?(?=[:\s]|$)", text)
        return CorruptStore(Path(named.group()) if named else folder, text)
    return StoreError(f"{folder}: {text}")
