"""Applies the blocks of a random chain to a folder until it is killed. Prints the number of each one applied."""

import sys
from pathlib import Path

from storage.store import Store
from tests.storage.world import RandomChain


def main(folder: str, seed: str, durable: str) -> None:
    chain = RandomChain(int(seed), transactions=40)
    store = Store.open(Path(folder), chain.genesis, durable == "durable")
    for number in range(store.head.number):
        parent = store.blocks.header(number)
        assert parent is not None
        chain.next(parent.hash)
    while True:
        print(store.apply(chain.next(store.head.hash)).number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
