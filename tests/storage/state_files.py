"""State files of small chains, and the genesis of the chain that begins with one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis
from chain.messages.state_pages import StatePage
from chain.state_head import StateHead
from chain.types import Version
from storage.dumping import StateTotals, write_state_file
from storage.memory import MemoryKeyValue
from storage.state_file import StateFile
from storage.state_pages import all_pages
from storage.store import Store
from tests.storage.world import RandomChain, genesis_of

PAGE_BYTES = 700
"""So that most accounts with slots are cut."""


def pages_of(store: Store, version: Version) -> Iterator[StatePage]:
    return all_pages(store.state, store.tries, version, PAGE_BYTES)


def dump(store: Store, path: Path, number: int | None = None) -> StateTotals:
    number = store.head.number if number is None else number
    stored, version = store.blocks.header(number), store.blocks.version(number)
    assert stored is not None
    assert version is not None
    before = [store.blocks.header(earlier) for earlier in range(number)]
    headers = [header.header.encode() for header in before if header is not None]
    head = StateHead(31337, only(Fork.PRAGUE), stored.header, stored.header.state_root)
    return write_state_file(path, head, headers, pages_of(store, version))


def genesis_from(path: Path) -> Genesis:
    file = StateFile(path)
    return replace(genesis_of(), header=file.head.header, accounts=(), state=file.checksum)


def dumped(path: Path, seed: int, blocks: int) -> Path:
    """The state after so many random blocks."""
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(blocks):
        store.apply(chain.next(store.head.hash))
    dump(store, path)
    return path
