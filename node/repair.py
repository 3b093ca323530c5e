"""Looking into a data folder's databases, and mending those that are damaged. Nothing of a running chain: see `lock`.

Consensus has the chain; what executors store follows from it. So a store of blocks that cannot be saved is put aside,
and execution makes the blocks again; a validator whose store cannot be saved gets the chain from the others. What is
changed is kept beside it, under the name that `aside` gives.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chain.codec import MessageError
from chain.types import ValidatorIndex
from consensus.errors import NewerStore, StoreIncomplete, StoreOfAnotherChain
from consensus.store import ValidatorStore
from consensus.store_check import check_store
from node.errors import BadDataFolder, NodeError
from node.executors import Executors
from node.folder import DataFolder
from node.imported import imported_store
from storage.audit import Audit
from storage.keyvalue import CorruptStore, StoreError
from storage.leveldb import LevelDB
from storage.repair import examine
from storage.store import FORMAT_KEY, Store

COPIES = ".repair"
"""The folder in the data folder in which databases are looked at."""
_STORAGE = re.compile(r"storage-(\d+)")


class CannotRepair(NodeError):
    """Nothing in the data folder has the chain any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one database: what is wrong with it, and what of it is right, in words (None: nothing)."""

    name: str
    folder: Path
    copy: Path
    damage: tuple[CorruptStore, ...]
    saved: str | None

    @property
    def is_imported(self) -> bool:
        return self.name.startswith("imported")

    @property
    def is_validator(self) -> bool:
        return self.name.startswith("validator")


def findings(folder: DataFolder) -> Iterator[Finding]:
    """One for each database there is. Raises BadDataFolder for what is no damage: another chain's, another format's."""
    copies = folder.path / COPIES
    shutil.rmtree(copies, ignore_errors=True)
    imported = imported_store(folder.path, folder.genesis)
    stores = [folder.storage(executor) for executor in _executors(folder)]
    for path in stores if imported is None else [imported, *stores]:
        yield _find(path.name, path, copies, lambda database: _blocks(database, folder))
    for index in range(len(folder.genesis.validators)):
        path = folder.validator_store(ValidatorIndex(index))
        if path.exists():
            yield _find(f"validator-{index}", path, copies, lambda database: _committed(database, folder))


def _find(name: str, path: Path, copies: Path, look: Callable[[LevelDB], str]) -> Finding:
    try:
        examined = examine(path, copies / name, look)
    except (StoreError, StoreOfAnotherChain, NewerStore) as error:
        raise BadDataFolder(f"{path}: {error}") from error
    return Finding(name, path, copies / name, examined.damage, examined.saved)


def forget_copies(folder: DataFolder) -> None:
    shutil.rmtree(folder.path / COPIES, ignore_errors=True)


def mend(finding: Finding) -> Path:
    """Puts what was saved in the damaged database's place. Gives where that is kept.

    A kill in between leaves no database there, which is as good as one that could not be saved.
    """
    kept = aside(finding.folder)
    if finding.saved is not None:
        os.sync()
    finding.folder.rename(kept)
    if finding.saved is not None:
        finding.copy.rename(finding.folder)
    os.sync()
    return kept


def aside(folder: Path) -> Path:
    """A name beside the folder that nothing has."""
    number = 1
    while (path := folder.with_name(f"{folder.name}.damaged-{number}")).exists():
        number += 1
    return path


def _executors(folder: DataFolder) -> list[int]:
    """Those with a storage, but for those whose storage is not used any more."""
    names = (entry.name for entry in folder.path.iterdir())
    numbers = {int(found.group(1)) for name in names if (found := _STORAGE.fullmatch(name))}
    return sorted(numbers & set(Executors(folder.path).below(max(numbers, default=0) + 1)))


def _blocks(database: LevelDB, folder: DataFolder) -> str:
    if database.get(FORMAT_KEY) is None:
        return "nothing: it was not made to its end"
    store = Store.open(database, folder.genesis)
    for _ in Audit(store, database, folder.genesis.header.number).run():
        pass
    return f"blocks up to {store.head.header.number}"


def _committed(database: LevelDB, folder: DataFolder) -> str:
    store = ValidatorStore(database, folder.genesis)
    try:
        for _ in check_store(store):
            pass
    except (StoreIncomplete, MessageError) as error:
        raise CorruptStore("its committed chain", str(error)) from error
    return f"proposals up to height {store.committed_block}"
