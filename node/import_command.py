"""`tandem import`: blocks that another client made, executed and kept as the beginning of a chain."""

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from chain.codec import encode_value
from chain.genesis import Genesis
from node import folder as data
from node.chain_file import BadChainFile, ChainFile
from node.errors import BadDataFolder, BadSetting, NodeError
from node.folder import DataFolder
from node.imported import PARTIAL, copy_store, imported_store
from node.importing import BlockRefused, Importer
from node.output import Output
from node.settings import Settings
from storage.keyvalue import StoreError
from storage.store import Store


def import_chain(path: Path, settings: Settings) -> None:
    """Into the data folder, which is made first if it is not there. Blocks before a bad one stay. Raises NodeError."""
    if settings.data_dir is None:
        raise BadSetting("give the chain's folder: --data-dir DIR")
    began, output = time.monotonic(), Output(json_lines=settings.json, quiet=settings.quiet)
    with ChainFile(path) as file, data.lock(settings.data_dir):
        folder = _folder(settings.data_dir, settings)
        try:
            importer, genesis, failure = _import(file, folder, shows=sys.stderr.isatty() and not settings.json)
        except StoreError as error:
            raise NodeError(str(error)) from error
    if importer.blocks or failure is None:
        output.event("imported", _text(importer, folder, time.monotonic() - began), _facts(importer, folder, genesis))
    if failure is not None:
        raise failure


def _folder(path: Path, settings: Settings) -> DataFolder:
    """Raises BadDataFolder for a chain that was started already, or does not begin with a genesis file."""
    if settings.genesis is None and not (path / "chain.json").exists():
        raise BadSetting(f"{path} holds no chain yet: give the genesis that the blocks stand on, --genesis FILE")
    folder = data.create_or_open(path, settings, imports=True)
    if folder.genesis.forked is not None or folder.genesis.state is not None:
        raise BadDataFolder(
            f"the chain in {path} begins with a state that is not its genesis file's: "
            "import into a new folder, with another --data-dir and --genesis"
        )
    if any(path.glob("storage-*")):
        raise BadDataFolder(
            f"the chain in {path} was started already, and what it has made stands on the blocks that it has: "
            "import into a new folder, with another --data-dir"
        )
    return folder


def _import(
    file: ChainFile, folder: DataFolder, *, shows: bool
) -> tuple[Importer, Genesis, BadChainFile | BlockRefused | None]:
    """Builds a store beside the one there is, and puts it in its place."""
    partial, former = folder.path / PARTIAL, imported_store(folder.path, folder.genesis)
    shutil.rmtree(partial, ignore_errors=True)
    if former is not None:
        copy_store(former, partial)
    store = Store.open(partial, folder.genesis, durable=False)
    try:
        importer = Importer(store, folder.genesis)
        failure = _add_all(file, importer, shows=shows)
        genesis = importer.finish() if importer.blocks else folder.genesis
    finally:
        store.close()
    if importer.blocks:
        _keep(folder.path, genesis, partial)
    _remove_others(folder.path, imported_store(folder.path, genesis))
    return importer, genesis, failure


def _remove_others(folder: Path, counts: Path | None) -> None:
    """Stores of imported blocks that no genesis names any more, or never did: also what a killed import left."""
    for path in folder.glob("imported*"):
        if path != counts:
            shutil.rmtree(path, ignore_errors=True)


def _add_all(file: ChainFile, importer: Importer, *, shows: bool) -> BadChainFile | BlockRefused | None:
    """What ended it early."""
    with click.progressbar(length=file.size, label="importing", file=sys.stderr, hidden=not shows) as bar:
        try:
            for block in file.blocks():
                importer.add(block)
                bar.update(file.position - bar.pos)
        except (BadChainFile, BlockRefused) as error:
            return error
    return None


def _keep(folder: Path, genesis: Genesis, partial: Path) -> None:
    """From the moment the genesis is written the new store counts."""
    target = imported_store(folder, genesis)
    assert target is not None
    shutil.rmtree(target, ignore_errors=True)  # of an import that was cut off before its genesis was written
    os.sync()
    partial.rename(target)
    data.write_whole(folder / "genesis", encode_value(genesis))


def _text(importer: Importer, folder: DataFolder, seconds: float) -> str:
    head = importer.head
    fork = folder.genesis.forks.at(head.number, head.header.timestamp).label
    return "\n".join(
        [
            f"Imported    {importer.blocks:,} blocks with {importer.transactions:,} transactions in {seconds:.1f} s",
            f"Newest      block {head.number}, 0x{head.hash.hex()}, {fork}",
            f"Data        {folder.path}",
            f"Go on       scripts/tandem up --data-dir {folder.path}",
        ]
    )


def _facts(importer: Importer, folder: DataFolder, genesis: Genesis) -> dict[str, Any]:
    return {
        "dataDir": str(folder.path),
        "genesis": "0x" + genesis.id().hex(),
        "blocks": importer.blocks,
        "transactions": importer.transactions,
        "head": {"number": importer.head.number, "hash": "0x" + importer.head.hash.hex()},
    }
