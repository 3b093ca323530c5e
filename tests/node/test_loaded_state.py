"""Data folders of chains that begin with a loaded state."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chain.accounts import Account, AccountChange
from chain.messages.state_pages import StatePage
from chain.state_head import StateHead
from chain.types import ZERO_HASH, Address, BlockNumber, Version, Wei
from node import folder as data
from node.errors import BadDataFolder, BadSetting, BadStateFile
from node.settings import Settings
from node.state_dump import DumpedState, dump_folder, dumped_line
from storage.dumping import write_state_file
from storage.loading import Loading
from storage.pruning import KEPT_HEIGHTS
from storage.state_file import StateFile
from storage.steps import run
from storage.store import Store
from tests.node.test_anvil_state import DUMP
from tests.storage.world import block_of

ADDRESS = Address(b"\x42" * 20)


@pytest.fixture
def dumped(tmp_path: Path) -> DumpedState:
    """The state after block 3 of a chain with id 5."""
    folder = data.create_or_open(tmp_path / "first", Settings(chain_id=5, hardfork="prague"))
    store = Store.open(folder.storage(0), folder.genesis, durable=False)
    for number in (1, 2, 3):
        store.apply(block_of(folder.genesis, number, AccountChange(ADDRESS, Account(number, Wei(7)), {number: 1})))
    store.close()
    return dump_folder(folder, tmp_path / "state")


def test_a_new_chain_has_the_chain_id_the_fork_and_the_block_of_the_file(dumped: DumpedState, tmp_path: Path) -> None:
    folder = data.create_or_open(tmp_path / "second", Settings(load_state=dumped.file))
    genesis = folder.genesis
    assert (genesis.chain_id, genesis.forks.newest.label, genesis.header.number) == (5, "prague", 3)
    assert genesis.header == dumped.head.header
    assert folder.loaded_state is not None
    store = Store.open(
        folder.storage(0), genesis, durable=False, loading=Loading(folder.loaded_state, lambda accounts: None)
    )
    assert store.head.header == dumped.head.header
    assert store.state.account(ADDRESS, Version(1)).account == Account(3, Wei(7))
    store.close()
    again = dump_folder(folder, tmp_path / "again")
    assert again.file.read_bytes() == dumped.file.read_bytes()


def test_a_state_that_was_changed_after_its_block_gives_the_block_its_root(dumped: DumpedState, tmp_path: Path) -> None:
    header = replace(dumped.head.header, state_root=ZERO_HASH)
    parts = [part for part in StateFile(dumped.file).parts() if part.accounts]
    page = StatePage(dumped.head.root, parts[0].accounts, (), b"")
    write_state_file(tmp_path / "changed", replace(dumped.head, header=header), (), [page])
    folder = data.create_or_open(tmp_path / "second", Settings(load_state=tmp_path / "changed"))
    assert folder.genesis.header == dumped.head.header


def test_a_dump_is_told_in_one_line(dumped: DumpedState) -> None:
    size = dumped.file.stat().st_size
    assert dumped_line(dumped) == (
        f"{dumped.file}: the state after block 3 of chain 5, 16 accounts, 3 slots, 5 contracts' code, {size:,} bytes"
    )
    assert isinstance(dumped.head, StateHead)


def test_the_folder_of_a_loaded_chain_opens_with_the_same_file_or_none(dumped: DumpedState, tmp_path: Path) -> None:
    made = data.create_or_open(tmp_path / "second", Settings(load_state=dumped.file))
    assert data.create_or_open(tmp_path / "second", Settings()) == made
    assert data.create_or_open(tmp_path / "second", Settings(load_state=dumped.file)) == made
    with pytest.raises(BadDataFolder, match=r"second holds a chain that did not begin with .*1\.7\.1\.hex: leave that"):
        data.create_or_open(tmp_path / "second", Settings(load_state=DUMP))
    with pytest.raises(BadDataFolder, match="first holds a chain that did not begin with"):
        data.create_or_open(tmp_path / "first", Settings(load_state=dumped.file))


def test_what_contradicts_the_file_is_refused(dumped: DumpedState, tmp_path: Path) -> None:
    for settings, words in (
        (Settings(load_state=dumped.file, chain_id=6), "a chain with --chain-id 5, not 6: leave --chain-id out"),
        (Settings(load_state=dumped.file, hardfork="cancun"), "--hardfork prague, not cancun: leave --hardfork out"),
    ):
        with pytest.raises(BadSetting, match=words):
            data.create_or_open(tmp_path / "second", settings)
        assert not (tmp_path / "second" / "chain.json").exists()


def test_a_file_that_cannot_be_loaded_is_one_line_and_makes_no_chain(dumped: DumpedState, tmp_path: Path) -> None:
    whole = dumped.file.read_bytes()
    for broken, words in (
        (whole[:-1], "state is damaged"),
        (whole.replace(b"tandem state 1", b"tandem state 2"), "has state format 2, this version of Tandem reads 1"),
        (b"hello", "state is no state that tandem dump or anvil wrote"),
    ):
        dumped.file.write_bytes(broken)
        with pytest.raises(BadStateFile, match=words):
            data.create_or_open(tmp_path / "second", Settings(load_state=dumped.file))
    with pytest.raises(BadStateFile, match=r"cannot read .*missing: No such file or directory"):
        data.create_or_open(tmp_path / "second", Settings(load_state=tmp_path / "missing"))
    assert not (tmp_path / "second" / "chain.json").exists()
    dumped.file.write_bytes(whole)
    assert data.create_or_open(tmp_path / "second", Settings(load_state=dumped.file)).loaded_state is not None


def test_a_new_chain_says_what_it_did_not_take(tmp_path: Path) -> None:
    assert data.create_or_open(tmp_path / "chain", Settings(load_state=DUMP)).not_loaded == "8 blocks, 7 transactions"


def test_a_block_that_is_not_there_cannot_be_dumped(dumped: DumpedState, tmp_path: Path) -> None:
    folder = data.open_folder(tmp_path / "first")
    with pytest.raises(BadSetting, match="there is no block 9: the newest one is 3"):
        dump_folder(folder, tmp_path / "other", BlockNumber(9))
    assert not (tmp_path / "other").exists()


def test_a_pruned_state_cannot_be_dumped_from_a_folder_either(tmp_path: Path) -> None:
    folder = data.create_or_open(tmp_path / "first", Settings(hardfork="prague"))
    with closing(Store.open(folder.storage(0), folder.genesis, durable=False, history=KEPT_HEIGHTS)) as store:
        for number in range(1, KEPT_HEIGHTS + 4):
            store.apply(block_of(folder.genesis, number, AccountChange(ADDRESS, Account(number, Wei(7)), {})))
        while (batch := run(store.pruning.next_batch())) is not None:
            store.prune(batch)
    with pytest.raises(BadStateFile, match="is not available: the states of blocks before 3 are pruned"):
        dump_folder(folder, tmp_path / "state", BlockNumber(2))
    assert not (tmp_path / "state").exists()
    assert dump_folder(folder, tmp_path / "state", BlockNumber(3)).head.header.number == 3
