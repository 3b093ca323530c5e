"""Looking into a database that may be damaged, and taking out of it what is right, always in a copy.

A log is cut at its first damage: what remains ends with a whole batch. A lost or damaged manifest is made again from
the tables (LevelDB's own repair). What a damaged table held is not guessed at: such a database cannot be saved alone.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import plyvel

from storage.keyvalue import CorruptStore, FolderUnreadable, StoreError
from storage.leveldb import LevelDB
from storage.leveldb_check import check_before_opening, damaged_files, damaged_tables, log_files
from storage.leveldb_log import read_log

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Examined(Generic[T]):
    """What is wrong with a database, and what `look` found in a copy that holds what could be saved: None if nothing
    could be. Without damage the copy is as the database.
    """

    damage: tuple[CorruptStore, ...]
    saved: T | None


def examine(folder: Path, copy: Path, look: Callable[[LevelDB], T]) -> Examined[T]:
    """Copies a closed database, mends the copy if it must be, and looks into it. `look` raises CorruptStore.

    Raises FolderUnreadable, DiskFull and what else `look` raises.
    """
    _copy(folder, copy)
    damage = list(damaged_files(copy))
    try:
        if damage:
            salvage(copy)
        database = LevelDB(copy)
        try:
            return Examined(_named(damage, copy, folder), look(database))
        finally:
            database.close()
    except CorruptStore as error:
        return Examined(_named(damage or [error], copy, folder), None)
    except StoreError:
        if not damage:
            raise
        return Examined(_named(damage, copy, folder), None)  # what its last changes said is gone


def salvage(folder: Path) -> None:
    """Makes a damaged database one that opens, with an older state perhaps. Raises CorruptStore when tables are
    damaged.
    """
    for damage in damaged_tables(folder):
        raise damage
    _cut_logs(folder)
    try:
        check_before_opening(folder)
    except CorruptStore:
        _make_manifest(folder)


def _cut_logs(folder: Path) -> None:
    """Keeps what the logs have before the first damage."""
    expected: int | None = None
    goes_on = True
    for path in log_files(folder):
        batches = read_log(path)
        goes_on = goes_on and (expected is None or batches.first in (None, expected))
        if not goes_on:
            path.unlink()
            continue
        os.truncate(path, batches.end)
        goes_on = batches.damage is None
        expected = batches.after if batches.after is not None else expected


def _make_manifest(folder: Path) -> None:
    for path in [*folder.glob("MANIFEST-*"), folder / "CURRENT"]:
        path.unlink(missing_ok=True)
    try:
        plyvel.repair_db(str(folder), paranoid_checks=True)
    except plyvel.Error as error:
        raise CorruptStore(folder, str(error)) from error
    shutil.rmtree(folder / "lost", ignore_errors=True)


def _copy(folder: Path, copy: Path) -> None:
    """Tables never change, so that one more name for them is enough."""
    try:
        copy.mkdir(parents=True)
        for path in folder.iterdir():
            if path.suffix == ".ldb":
                os.link(path, copy / path.name)
            elif path.is_file():
                shutil.copyfile(path, copy / path.name)
    except OSError as error:
        raise FolderUnreadable(folder, f"{error.filename}: {error.strerror}") from error


def _named(damage: list[CorruptStore], copy: Path, folder: Path) -> tuple[CorruptStore, ...]:
    """The damage, found in the copy, by the names of the database's own files."""
    return tuple(
        CorruptStore(
            folder / found.what.relative_to(copy) if isinstance(found.what, Path) else found.what, found.reason
        )
        for found in damage
    )
