"""State files: written from a chain at any block, loaded into an empty store, and refused when they are not whole."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chain.accounts import Account, AccountChange
from chain.fork_schedule import only
from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.state_pages import StatePage
from chain.state_head import StateHead
from chain.types import Address, Height, Version, Wei
from storage import dumping
from storage.dumping import write_state_file
from storage.keyvalue import Batch, DiskFull, StoreError
from storage.loading import Loading
from storage.memory import MemoryKeyValue
from storage.sorted_rows import SortedRows
from storage.state_file import (
    DamagedStateFile,
    NotAStateFile,
    OtherStateFormat,
    StateFile,
    StateFileUnreadable,
    StateFileUnwritable,
)
from storage.store import Store
from tests.storage.oracle import oracle_root
from tests.storage.state_files import dump, genesis_from, pages_of
from tests.storage.world import RandomChain, block_of, genesis_of


def load(path: Path, keyvalue: MemoryKeyValue | None = None) -> Store:
    return Store.open(keyvalue or MemoryKeyValue(), genesis_from(path), loading=Loading(path, lambda accounts: None))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "PART_BYTES", 1_000)


@pytest.fixture
def store(seed: int) -> Store:
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(10):
        store.apply(chain.next(store.head.hash))
    return store


def test_a_loaded_state_is_the_one_that_was_dumped_at_every_block(seed: int, tmp_path: Path) -> None:
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for number in range(8):
        path = tmp_path / f"{number}"
        totals = dump(store, path)
        loaded = load(path)
        assert loaded.head.header == store.head.header
        assert loaded.head.hash == store.head.hash
        assert loaded.head.header.state_root == oracle_root(chain.model)
        assert totals.accounts == len(chain.model)
        assert totals.slots == sum(len(entry.slots) for entry in chain.model.values())
        for address, entry in chain.model.items():
            assert loaded.state.account(address, Version(1)).account == entry.account
            assert dict(loaded.state.slots(address, Version(1), None)) == entry.slots
            assert loaded.state.code(entry.account.code_hash) == store.state.code(entry.account.code_hash)
        store.apply(chain.next(store.head.hash))


def test_an_old_block_is_dumped_as_it_was(store: Store, tmp_path: Path) -> None:
    dump(store, tmp_path / "state", 4)
    stored = store.blocks.header(4)
    assert stored is not None
    loaded = load(tmp_path / "state")
    assert loaded.head.hash == stored.hash
    for number in range(4):
        before, known = loaded.blocks.header(number), store.blocks.header(number)
        assert before is not None
        assert known is not None
        assert before.hash == known.hash


def test_a_file_tells_in_two_lines_what_it_is(store: Store, tmp_path: Path) -> None:
    dump(store, tmp_path / "state")
    first, second, _ = (tmp_path / "state").read_bytes().split(b"\n", 2)
    assert first == b"tandem state 1"
    assert b'"chainId": 31337' in second
    assert f'"stateRoot": "0x{store.head.header.state_root.hex()}"'.encode() in second
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_many_slots_of_one_account_are_sorted_and_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "SortedRows", lambda folder: SortedRows(folder, run_bytes=2_000))
    slots = {number: number + 1 for number in range(500)}
    account = AccountChange(Address(b"\xaa" * 20), Account(1, Wei(5)), slots)
    others = [AccountChange(Address(bytes([i]) * 20), Account(i), {i: i}) for i in range(1, 50)]
    store = Store.open(MemoryKeyValue(), genesis_of(account, *others))
    totals = dump(store, tmp_path / "state")
    assert (totals.accounts, totals.slots, totals.codes) == (50, 549, 0)
    parts = [part.accounts for part in StateFile(tmp_path / "state").parts() if part.accounts]
    assert len(parts) > 10
    order = [keccak256(part.address) for accounts in parts for part in accounts]
    assert order == sorted(order)
    assert dict(load(tmp_path / "state").state.slots(account.address, Version(1), None)) == slots


@pytest.mark.parametrize("kept", [0, 5, 14, 15, 300, -1, -32, -33, -36, -37])
def test_a_file_that_is_cut_off_is_refused(store: Store, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "state"
    dump(store, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises((DamagedStateFile, NotAStateFile, OtherStateFormat)) as refusal:
        StateFile(path)
    assert str(path) in str(refusal.value)


def test_a_file_with_any_byte_changed_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "state"
    dump(store, path)
    whole = path.read_bytes()
    for at in itertools.chain(range(0, len(whole), 211), range(len(whole) - 40, len(whole))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises((DamagedStateFile, NotAStateFile, OtherStateFormat)):
            StateFile(path)


def test_what_is_no_state_file_or_another_format_is_refused_in_one_line(tmp_path: Path, store: Store) -> None:
    other, missing, newer = tmp_path / "other", tmp_path / "missing", tmp_path / "newer"
    other.write_bytes(b"\x7fELF and so on")
    with pytest.raises(NotAStateFile, match="other is no state file: give one that tandem dump wrote"):
        StateFile(other)
    with pytest.raises(StateFileUnreadable, match=r"cannot read .*missing: No such file or directory"):
        StateFile(missing)
    with pytest.raises(StateFileUnreadable, match="Is a directory"):
        StateFile(tmp_path)
    dump(store, newer)
    newer.write_bytes(newer.read_bytes().replace(b"tandem state 1\n", b"tandem state 7\n", 1))
    with pytest.raises(OtherStateFormat, match="newer has state format 7, this version of Tandem reads 1"):
        StateFile(newer)


def test_a_file_whose_accounts_are_not_those_of_its_block_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "state"
    head = StateHead(1, only(Fork.PRAGUE), store.head.header, keccak256(b"another"))
    write_state_file(path, head, (), pages_of(store, store.head.version))
    keyvalue = MemoryKeyValue()
    with pytest.raises(DamagedStateFile, match="its accounts have the state root 0x"):
        load(path, keyvalue)
    genesis = genesis_from(path)
    with pytest.raises(DamagedStateFile, match="it is not the one that this chain was made from"):
        Store.open(keyvalue, replace(genesis, state=keccak256(b"")), loading=Loading(path, lambda accounts: None))


class FailsAfter(MemoryKeyValue):
    """A disk that is full after so many writes."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes

    def write(self, batch: Batch, sync: bool = True) -> None:
        if self.left == 0:
            raise DiskFull(Path("somewhere"), "no room")
        self.left -= 1
        super().write(batch, sync)


def test_a_load_that_was_cut_off_anywhere_begins_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "state"
    dump(store, path)
    # What the cut-off load held was another state, of which nothing may stay.
    other = tmp_path / "other"
    many = [AccountChange(Address(bytes([i]) * 20), Account(7, Wei(7)), {1: 1}) for i in range(1, 200)]
    dump(Store.open(MemoryKeyValue(), genesis_of(*many)), other)
    for writes in range(1, 8):
        keyvalue = FailsAfter(writes)
        with pytest.raises(DiskFull):
            load(other, keyvalue)
        keyvalue.left = -1
        assert load(path, keyvalue).head.hash == store.head.hash
        fresh = MemoryKeyValue()
        load(path, fresh)
        assert list(keyvalue.pairs(b"", b"\xff")) == list(fresh.pairs(b"", b"\xff"))


def test_a_dump_that_cannot_be_written_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StateFileUnwritable, match=r"cannot write .*nowhere/state: No such file or directory"):
        dump(store, tmp_path / "nowhere" / "state")

    (tmp_path / "folder").mkdir()
    with pytest.raises(StateFileUnwritable, match=r"cannot write .*folder: it is there and is no file"):
        dump(store, tmp_path / "folder")
    (tmp_path / "folder").rmdir()

    def broken() -> Iterator[StatePage]:
        yield from pages_of(store, store.head.version)
        raise StoreError("the chain ended")

    (tmp_path / "state").write_bytes(b"an older one")
    head = StateHead(1, only(Fork.PRAGUE), store.head.header, store.head.header.state_root)
    with pytest.raises(StoreError, match="the chain ended"):
        write_state_file(tmp_path / "state", head, (), broken())
    assert (tmp_path / "state").read_bytes() == b"an older one"
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_loaded_chain_goes_on(store: Store, tmp_path: Path) -> None:
    dump(store, tmp_path / "state")
    loaded = load(tmp_path / "state")
    block = block_of(genesis_of(), 11, AccountChange(Address(b"\x42" * 20), Account(1), {}))
    applied = loaded.apply(replace(block, height=Height(1)))
    assert applied.height == 1
    assert applied.header == store.apply(block).header
