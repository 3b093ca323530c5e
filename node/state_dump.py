"""Writes state files: of a chain that runs, over RPC, or of one that does not, from its data folder."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain.codec import decode_message
from chain.errors import ChainError
from chain.headers import Header
from chain.messages.state_pages import StatePage
from chain.state_head import EARLIER_HEADERS, StateHead, head_from_json
from chain.types import BlockNumber, Hash32
from node.errors import BadSetting, BadStateFile, NodeError
from node.executors import Executors
from node.folder import DataFolder, write_whole
from node.running_chain import NoChain, NoSuchBlock, RefusedByChain, ask
from rpc.anvil_content import AnvilContent, ForkedAt, forked_at
from storage.dumping import StateTotals, write_state_file
from storage.keyvalue import StoreError
from storage.state_pages import all_pages
from storage.store import Store
from storage.tries import ACCOUNT_TRIE

PAGE_BYTES = 1 << 20


METHOD = "tandem_dumpState"
PAGE_TIMEOUT_S = 60.0


class StateChanged(NodeError):
    def __init__(self) -> None:
        super().__init__(
            "an operation changed the state after the block while it was dumped: give the command again, "
            "or give an older block with --block"
        )


@dataclass(frozen=True, slots=True)
class DumpedState:
    head: StateHead
    totals: StateTotals
    file: Path
    forked: ForkedAt | None = None


def dump_folder(folder: DataFolder, file: Path, number: BlockNumber | None = None) -> DumpedState:
    """Write the state after a block of a chain that does not run, its newest if none is given.

    Raises BadStateFile, also where that state is pruned, and BadSetting for a block that is not there.
    """
    try:
        with closing(Store.open(folder.storage(Executors(folder.path).first()), folder.genesis)) as store:
            return _dump_store(store, folder, file, number)
    except StoreError as error:
        raise BadStateFile(str(error)) from error


def _dump_store(store: Store, folder: DataFolder, file: Path, number: BlockNumber | None) -> DumpedState:
    newest, forked = store.head.number, forked_at(folder.genesis)
    wanted = newest if number is None else number
    stored, version = store.blocks.header(wanted), store.blocks.version(wanted)
    if stored is None or version is None:
        raise BadSetting(f"there is no block {wanted}: the newest one is {newest}")
    root = store.tries.root(ACCOUNT_TRIE, version)
    head = StateHead(folder.genesis.chain_id, folder.genesis.forks, stored.header, root)
    before = map(store.blocks.header, range(max(0, wanted - EARLIER_HEADERS), wanted))
    headers = [earlier.header.encode() for earlier in before if earlier is not None]
    with store.pruning.holding(version):
        pages = all_pages(store.state, store.tries, version, PAGE_BYTES)
        if forked is not None:
            return DumpedState(head, write_fork_file(file, head.header, forked, pages), file, forked)
        return DumpedState(head, write_state_file(file, head, headers, pages), file)


def dump_running(url: str, block: str, file: Path) -> DumpedState:
    """Write the state after a block of the chain that answers at an address. Raises NodeError."""
    try:
        first = ask(url, METHOD, block, "0x", timeout_s=PAGE_TIMEOUT_S)
    except RefusedByChain as refusal:
        if ask(url, "eth_getBlockByNumber", block, False) is None:
            raise NoSuchBlock(url, block) from refusal
        raise
    try:
        head = head_from_json(first["head"])
        if "forked" in first:
            forked = (BlockNumber(first["forked"]["number"]), Hash32(bytes.fromhex(first["forked"]["hash"][2:])))
            totals = write_fork_file(file, head.header, forked, _pages(url, head, first))
            return DumpedState(head, totals, file, forked)
        headers = [bytes.fromhex(header[2:]) for header in first["headers"]]
        return DumpedState(head, write_state_file(file, head, headers, _pages(url, head, first)), file)
    except (ChainError, KeyError, TypeError, ValueError) as error:
        raise NoChain(url, f"it answers {METHOD} otherwise than this version of Tandem: {error}") from error
    except StoreError as error:
        raise BadStateFile(str(error)) from error


def _pages(url: str, head: StateHead, answer: Any) -> Iterator[StatePage]:
    """The page of the first answer, and all that follow it; the block by its hash, since the newest one changes."""
    block_hash = "0x" + head.header.hash().hex()
    while True:
        page = decode_message(bytes.fromhex(answer["page"][2:]))
        if not isinstance(page, StatePage) or page.root != head.root:
            raise StateChanged
        yield page
        if not page.after:
            return
        answer = ask(url, METHOD, block_hash, "0x" + page.after.hex(), timeout_s=PAGE_TIMEOUT_S)


def check_place(file: Path) -> None:
    """Whether a state file can be made there, which a chain finds out before it has one. Raises BadStateFile."""
    if file.exists() and not file.is_file():
        raise BadStateFile(f"cannot write {file}: it is there and is no file")
    probe = file.with_name(file.name + ".probe")
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600))
        probe.unlink()
    except OSError as error:
        raise BadStateFile(f"cannot write {file}: {error.strerror}; give a file in a folder that is there") from error


def write_fork_file(file: Path, header: Header, forked: ForkedAt, pages: Iterable[StatePage]) -> StateTotals:
    """Write what a fork has of the state after this block, in anvil's form. Raises BadStateFile."""
    content = AnvilContent()
    for page in pages:
        content.add(page)
    if file.exists() and not file.is_file():
        raise BadStateFile(f"cannot write {file}: it is there and is no file")
    try:
        write_whole(file, content.json(header, header.hash(), forked))
    except OSError as error:
        raise BadStateFile(f"cannot write {file}: {error.strerror}; give another file, or make room") from error
    return StateTotals(len(content.accounts), content.slots, len(content.codes))


def dumped_line(dumped: DumpedState) -> str:
    """What was written, in one line."""
    header, totals = dumped.head.header, dumped.totals
    here = "" if dumped.forked is None else f"what a fork of block {dumped.forked[0]} has of "
    return (
        f"{dumped.file}: {here}the state after block {header.number} of chain {dumped.head.chain_id}, "
        f"{totals.accounts:,} accounts, {totals.slots:,} slots, {totals.codes:,} contracts' code, "
        f"{dumped.file.stat().st_size:,} bytes"
    )
