"""`tandem dump` and `tandem load`: a chain's state in one file, and a new chain from such a file."""

from dataclasses import replace
from pathlib import Path

import click

from chain.types import BlockNumber
from node import folder as data
from node.command_options import PATH, for_running_chain
from node.errors import BadDataFolder, BadSetting, BadStateFile
from node.loading import loading_of, tell_what_is_left
from node.output import Output
from node.running_chain import block_reference
from node.settings import Settings
from node.state_dump import DumpedState, dump_folder, dump_running, dumped_line
from storage.keyvalue import StoreError
from storage.store import Store


@click.command("dump", short_help="Write the state of a chain to a file.")
@click.argument("file", type=PATH)
@for_running_chain
@click.option("--data-dir", "folder", type=PATH, help="Folder of a chain that does not run, instead of one that does.")
@click.option("--block", default="latest", show_default=True, help="The state after this block.")
def dump_command(url: str, file: Path, folder: Path | None, block: str) -> None:
    """Write the whole state of a chain, as it is after a block, to FILE: accounts, code and storage.

    The chain may go on meanwhile. `tandem load` and `tandem up --load-state` begin a new chain with it.
    """
    reference = block_reference(block)
    dumped = dump_running(url, reference, file) if folder is None else _dump_stopped(folder, reference, file)
    click.echo(dumped_line(dumped))


def _dump_stopped(path: Path, reference: str, file: Path) -> DumpedState:
    if not (path / "chain.json").exists():
        raise BadDataFolder(f"{path} holds no chain: give the folder of one as --data-dir")
    if not reference.startswith("0x") and reference != "latest":
        raise BadSetting(f"only a running chain knows which block is {reference}: give a number, or leave --block out")
    number = None if reference == "latest" else BlockNumber(int(reference, 16))
    with data.lock(path):
        return dump_folder(data.open_folder(path), file, number)


def load(file: Path, settings: Settings) -> None:
    """`tandem load`. Raises NodeError."""
    if settings.data_dir is None:
        raise BadSetting("give a new folder for the chain: --data-dir DIR")
    with data.lock(settings.data_dir):
        folder = data.create_or_open(settings.data_dir, replace(settings, load_state=file))
        output = Output(json_lines=settings.json, quiet=settings.quiet)
        tell_what_is_left(folder, output)
        try:
            store = Store.open(folder.storage(0), folder.genesis, loading=loading_of(folder, output))
        except StoreError as error:
            raise BadStateFile(str(error)) from error
        header = store.head.header
        store.close()
    facts = {"dataDir": str(folder.path), "number": header.number, "hash": "0x" + header.hash().hex()}
    text = f"{folder.path} holds the state of block {header.number}: tandem up --data-dir {folder.path} goes on from it"
    output.event("loaded", text, facts)
