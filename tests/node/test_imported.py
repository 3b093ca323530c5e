"""Executors' storages begin as copies of the imported blocks, whole ones or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from chain.accounts import Account, AccountChange
from chain.blocks import decode_block
from chain.genesis import Genesis
from chain.messages.storage import Revert
from chain.types import Address, Hash32, Height
from node import folder as data
from node.errors import BadDataFolder
from node.imported import copy_store, imported_store
from node.importing import Importer
from node.settings import Settings
from storage.keyvalue import CorruptStore, KeyValue
from storage.store import Store
from tests.conformance.rpc_exchanges import GENESIS
from tests.node.test_importing import BLOCKS
from tests.storage.damaged import DAMAGES, Life, Original, some_offsets
from tests.storage.heights import operation_of
from tests.storage.world import block_of


@pytest.fixture
def genesis(tmp_path: Path) -> Genesis:
    """Of a chain that begins with two imported blocks, which lie in `imported`."""
    born = data.create_or_open(tmp_path / "chain", Settings(genesis=GENESIS)).genesis
    store = Store.open(tmp_path / "imported", born, durable=False)
    importer = Importer(store, born)
    for block in BLOCKS[:2]:
        importer.add(block)
    genesis = importer.finish()
    store.close()
    return genesis


def test_a_copy_has_all_blocks_and_damage_to_it_leaves_the_others_whole(tmp_path: Path, genesis: Genesis) -> None:
    for name in ("first", "second"):
        copy_store(tmp_path / "imported", tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        path.write_bytes(b"")
    store = Store.open(tmp_path / "second", genesis)
    assert store.head.hash == genesis.base.hash()
    store.close()


def test_a_copy_that_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadDataFolder, match=r"cannot copy the imported blocks in .*: No such file or directory"):
        copy_store(tmp_path / "nothing", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_genesis_says_which_store_counts(tmp_path: Path, genesis: Genesis) -> None:
    assert imported_store(tmp_path, genesis) == tmp_path / "imported-2"
    assert imported_store(tmp_path, replace(genesis, head=None)) is None


def test_a_storage_without_the_imported_blocks_is_not_begun(tmp_path: Path, genesis: Genesis) -> None:
    with pytest.raises(CorruptStore, match="the imported blocks up to 2 are missing"):
        Store.open(tmp_path / "new", genesis)


@pytest.mark.parametrize("cases", [3, pytest.param(60, marks=pytest.mark.full)])
def test_damaged_imported_blocks_are_refused_or_leave_a_whole_chain(tmp_path: Path, cases: int) -> None:
    """In a storage that has gone on with blocks of its own, and with a change of the state and a way back."""
    born = data.create_or_open(tmp_path / "chain", Settings(genesis=GENESIS)).genesis

    def imports(blocks: list[bytes]) -> Life:
        def live(keyvalue: KeyValue) -> Genesis:
            importer = Importer(Store.open(keyvalue, born), born)
            for block in blocks:
                importer.add(block)
            return importer.finish() if blocks[-1] == BLOCKS[5] else born

        return live

    def goes_on(keyvalue: KeyValue) -> Genesis:
        genesis = replace(born, head=decode_block(BLOCKS[5]).header)
        store = Store.open(keyvalue, genesis)
        before = store.head
        for height in (1, 2, 3):
            change = AccountChange(Address(b"\x42" * 20), Account(height), {height: 1})
            store.apply(replace(block_of(genesis, 6 + height, change), height=Height(height)))
        store.apply(operation_of(store, Hash32(b"\x43" * 32), changes=(change,)))
        store.apply(operation_of(store, Hash32(b"\x44" * 32), revert=Revert(before.number, before.version, 0)))
        return genesis

    chain = Original(tmp_path / "storage", [imports(BLOCKS[:4]), imports(BLOCKS[4:6]), goes_on])
    for damage in DAMAGES:
        assert chain.outcomes(damage, some_offsets(cases, cases, ends=cases > 3))["refused"] > 0
