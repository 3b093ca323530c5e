"""kill -9 at any moment leaves the store at a whole block, and no block that was answered for is lost."""

import random
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.storage.oracle import oracle_root
from tests.storage.world import RandomChain

PROJECT = Path(__file__).parents[2]
LIVES = 4


def _run_until_killed(folder: Path, seed: int, durable: str, chooser: random.Random) -> int:
    """One life of a process that applies blocks. The last block it said it had applied, 0 if none."""
    command = [sys.executable, "-m", "tests.storage.apply_forever", str(folder), str(seed), durable]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = 0
        for _ in range(chooser.randint(1, 30)):
            said = int(process.stdout.readline())
        moment = monotonic() + chooser.uniform(0, 0.004)
        while monotonic() < moment:
            pass  # so that the kill meets any stage of a block, of which each takes a millisecond or two
        process.kill()
        return max([said, *map(int, process.stdout.read().splitlines(keepends=False)[-1:])])


@pytest.mark.parametrize("durable", ["durable", "temporary"])
def test_a_killed_store_opens_at_a_whole_block(tmp_path: Path, durable: str, seed: int) -> None:
    chooser = random.Random(seed)
    chain = RandomChain(seed, transactions=40)
    reference = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(LIVES):
        said = _run_until_killed(tmp_path / "chain", seed, durable, chooser)
        store = Store.open(tmp_path / "chain", chain.genesis, durable=False)
        assert store.head.number >= said
        while reference.head.number < store.head.number:
            reference.apply(chain.next(reference.head.hash))
        assert store.head == reference.head
        for number in range(said + 1):
            assert store.blocks.block(number, with_receipts=True) == reference.blocks.block(number, with_receipts=True)
        store.close()
    assert reference.head.header.state_root == oracle_root(chain.model)
    assert reference.head.number > LIVES
