"""A write that fails changes nothing that is read, and can be tried again."""

import subprocess
import sys
from pathlib import Path

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from storage.keyvalue import DiskFull
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.store import Store
from tests.storage.full_disk import Full
from tests.storage.test_process import Asker
from tests.storage.world import NOBODY, block_of, genesis_of

PROJECT = Path(__file__).parents[2]
GENESIS = genesis_of()
BLOCK = block_of(GENESIS, 1, AccountChange(NOBODY, Account(1), {1: 1}))


@pytest.mark.parametrize("lands", [False, True])
def test_a_block_refused_by_a_full_disk_is_not_there_and_is_taken_later(lands: bool) -> None:
    keyvalue = Full(lands)
    store = Store.open(keyvalue, GENESIS)
    genesis_head = store.head
    keyvalue.full = True
    for _ in range(2):
        with pytest.raises(DiskFull, match="free some space"):
            store.apply(BLOCK)
        assert store.head == genesis_head
        assert store.state.account(NOBODY, genesis_head.version).account == EMPTY_ACCOUNT
        assert store.blocks.header(1) is None
    keyvalue.full = False
    applied = store.apply(BLOCK)
    assert applied == Store.open(MemoryKeyValue(), GENESIS).apply(BLOCK)
    assert store.state.slot(NOBODY, 1, applied.version) == 1
    assert store.apply(block_of(GENESIS, 2)).number == 2


async def test_a_full_disk_is_told_once_however_often_it_is_met(caplog: pytest.LogCaptureFixture) -> None:
    keyvalue = Full()
    store = Store.open(keyvalue, GENESIS)
    asker = Asker(StorageService(store))
    for number in (1, 2):
        keyvalue.full = True
        for _ in range(3):
            with pytest.raises(DiskFull):
                await asker.ask(block_of(GENESIS, number))
        keyvalue.full = False
        await asker.ask(block_of(GENESIS, number))
        assert [text for text in caplog.messages if "not applied" in text] == [
            "a block was not applied: no room left to write to the disk: free some space, the chain goes on by itself "
            "then (No space left on device)"
        ] * number


def test_leveldb_goes_on_after_its_disk_was_full(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.storage.fill_the_disk", str(tmp_path / "chain")]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
