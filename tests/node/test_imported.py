"""Executors' storages begin as copies of the imported blocks, whole ones or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from chain.genesis import Genesis
from node import folder as data
from node.errors import BadDataFolder
from node.imported import copy_store, imported_store
from node.importing import Importer
from node.settings import Settings
from storage.keyvalue import CorruptStore
from storage.store import Store
from tests.conformance.rpc_exchanges import GENESIS
from tests.node.test_importing import BLOCKS


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
