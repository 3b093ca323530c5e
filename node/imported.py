"""The imported blocks that a chain begins with: a store of their own in the data folder, which no process writes to.

Each executor's storage starts as a copy of it, also that of one which stands in later. Real copies: what damages the
files of one must not damage those that it is compared with, or mended from. The genesis names the newest imported
block, so that the genesis file says which of the stores counts.
"""

import os
import shutil
from pathlib import Path

from chain.genesis import Genesis
from node.errors import BadDataFolder

PARTIAL = "imported.partial"


def imported_store(folder: Path, genesis: Genesis) -> Path | None:
    """Where the imported blocks are; None if the chain begins with its genesis."""
    return None if genesis.head is None else folder / f"imported-{genesis.head.number}"


def copy_store(source: Path, target: Path) -> None:
    """A copy of a database that nobody has open; all of it, on disk, or nothing. Raises BadDataFolder."""
    partial = target.with_name(target.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        os.sync()
        partial.rename(target)
    except (OSError, shutil.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadDataFolder(f"cannot copy the imported blocks in {source} to {target}: {reason}") from error
