"""What the files of a closed LevelDB database say about themselves: whether all of it is there, byte for byte.

`check_before_opening` is quick and part of every start. It refuses what LevelDB would open with a part missing: after
it a database holds all of its changes, or all up to some batch. `damaged_files` reads every byte.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from storage.keyvalue import CorruptStore
from storage.leveldb_log import Manifest, read_file, read_log, read_manifest
from storage.leveldb_table import check_table

CURRENT = "CURRENT"
NO_LOG_YET = 0
"""What the manifest says between the making of a database and its first opening."""
_MANIFEST = re.compile(r"MANIFEST-\d+\n")
_LOG = re.compile(r"\d{6,}\.log")
_OF_A_DATABASE = re.compile(r"\d+\.(ldb|log)|MANIFEST-(?!000001)\d+")
"""What only a database that was once open has: LevelDB makes its first manifest before CURRENT, and all else after."""


def check_before_opening(folder: Path) -> None:
    """Raises CorruptStore with the file that is damaged or missing. An empty folder is right."""
    names = {entry.name for entry in folder.iterdir()}
    if CURRENT not in names:
        if any(_OF_A_DATABASE.fullmatch(name) for name in names):
            raise CorruptStore(folder / CURRENT, "the file is missing")
        return
    manifest = read_manifest(_manifest_file(folder))
    for number, size in manifest.tables.items():
        _check_size(_table_file(folder, number), size)
    _check_logs(folder, manifest)


def damaged_files(folder: Path) -> Iterator[CorruptStore]:
    """What is wrong with each file of a database, after reading all of them."""
    named: set[Path | str] = set()
    try:
        check_before_opening(folder)
    except CorruptStore as damage:
        named.add(damage.what)
        yield damage
    yield from (damage for damage in damaged_tables(folder) if damage.what not in named)


def damaged_tables(folder: Path) -> Iterator[CorruptStore]:
    """What is wrong with each table, after reading all of them. The database may be open."""
    for number, size in sorted(_tables(folder).items()):
        try:
            check_table(_table_file(folder, number), size)
        except CorruptStore as damage:
            yield damage


def _tables(folder: Path) -> Mapping[int, int]:
    """Those of the database with their sizes; all that there are where no manifest says which belong to it."""
    try:
        return read_manifest(_manifest_file(folder)).tables
    except CorruptStore:
        return {int(path.stem): path.stat().st_size for path in folder.glob("*.ldb")}


def _manifest_file(folder: Path) -> Path:
    current = read_file(folder / CURRENT)
    if not _MANIFEST.fullmatch(current.decode("ascii", "replace")):
        raise CorruptStore(folder / CURRENT, "it does not name a manifest")
    return folder / current.decode("ascii").rstrip("\n")


def _table_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.ldb"


def _check_size(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise CorruptStore(path, "the file is missing") from error
    if found < size:
        raise CorruptStore(path, f"it has {found} bytes where {size} were written")


def log_files(folder: Path) -> list[Path]:
    """The write-ahead logs, oldest first."""
    return sorted((path for path in folder.iterdir() if _LOG.fullmatch(path.name)), key=_number)


def _number(path: Path) -> int:
    return int(path.stem)


def _check_logs(folder: Path, manifest: Manifest) -> None:
    """The changes in the logs that LevelDB will read must follow each other without a gap.

    The oldest one needed is always there: LevelDB makes a log before the manifest names it.
    """
    oldest = folder / f"{manifest.log_number:06}.log"
    needed = [path for path in log_files(folder) if _number(path) >= manifest.log_number]
    if oldest not in needed and manifest.log_number != NO_LOG_YET:
        raise CorruptStore(oldest, "the file is missing")
    before, expected = oldest, None
    for path in needed:
        batches = read_log(path)
        if batches.damage is not None:
            raise batches.damage
        if path != needed[0] and batches.first not in (None, expected):
            raise CorruptStore(before, f"its end is missing: {path.name} goes on with change {batches.first}")
        before, expected = path, batches.after if batches.after is not None else expected
