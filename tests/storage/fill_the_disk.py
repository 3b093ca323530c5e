"""Applies blocks until no more can be written, and goes on when there is room again. Exits with 0 if all went right.

A limit on the size of files stands for the full disk: LevelDB meets a write that fails half-way in the same place.
"""

import resource
import signal
import sys
from pathlib import Path

from chain.messages.storage import ApplyBlock
from storage.keyvalue import DiskFull
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.storage.world import RandomChain

LIMIT_BYTES = 60_000


def main(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    chain = RandomChain(3, transactions=40)
    store, reference = Store.open(folder, chain.genesis), Store.open(MemoryKeyValue(), chain.genesis)
    _, no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, no_limit))
    refused = fill(store, reference, chain)
    head = store.head
    assert head == reference.head
    for address in chain.addresses:
        stored = store.state.account(address, head.version)
        assert stored == reference.state.account(address, head.version)
    resource.setrlimit(resource.RLIMIT_FSIZE, (no_limit, no_limit))
    assert store.apply(refused) == reference.apply(refused)
    for _ in range(5):
        block = chain.next(store.head.hash)
        assert store.apply(block) == reference.apply(block)
    store.close()
    reopened = Store.open(folder, chain.genesis)
    assert reopened.head == reference.head


def fill(store: Store, reference: Store, chain: RandomChain) -> ApplyBlock:
    """Apply blocks until one is refused."""
    for _ in range(1000):
        block = chain.next(store.head.hash)
        try:
            store.apply(block)
        except DiskFull:
            return block
        reference.apply(block)
    raise AssertionError("the disk never filled up")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
