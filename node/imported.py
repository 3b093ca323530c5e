"""The imported blocks that a chain begins with: a store of their own in the data folder, which no process writes to.

Each executor's storage starts as a copy of it, also that of one which stands in later. The genesis names the newest
imported block, so that the genesis file says which of the stores counts.
"""

import os
import shutil
from pathlib import Path

from chain.genesis import Genesis
from node.errors import BadDataFolder

PARTIAL = "imported.partial"
NEVER_CHANGED = (".ldb", ".sst")
"""LevelDB's tables are written once, so that several databases can share the file."""


def imported_store(folder: Path, genesis: Genesis) -> Path | None:
    """Where the imported blocks are; None if the chain begins with its genesis."""
    return None if genesis.head is None else folder / f"imported-{genesis.head.number}"


def copy_store(source: Path, target: Path) -> None:
    """A copy of a database that nobody has open; all of it or nothing. Raises BadDataFolder."""
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial, copy_function=_link_or_copy)
        partial.rename(target)
    except (OSError, shutil.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadDataFolder(f"cannot copy the imported blocks in {source} to {target}: {reason}") from error


def _link_or_copy(source: str, target: str) -> None:
    if source.endswith(NEVER_CHANGED):
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # a file system without links
    shutil.copy2(source, target)
