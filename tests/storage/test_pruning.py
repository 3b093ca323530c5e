"""States of old blocks pruned, while blocks are applied and states are read."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path

import plyvel
import pytest
import rlp
from trie import HexaryTrie

import storage.journal
import storage.kept
import storage.pruning
from chain.accounts import Account, AccountChange
from chain.keccak import keccak256
from chain.types import Address, Version, Wei
from storage.errors import StatePruned
from storage.holds import HELD_AFTER_READ_S, HELD_AT_MOST_S, MAX_HELD, Holds
from storage.journal import JOURNAL, Journal
from storage.kept import SWEEP_KEY
from storage.keyvalue import KeyValue
from storage.leveldb import LevelDB
from storage.memory import MemoryKeyValue
from storage.proofs import ProvenState, prove
from storage.pruning import KEPT_HEIGHTS, Pruning
from storage.state import account_name, slot_name
from storage.steps import run
from storage.store import Store
from storage.tries import ACCOUNT_TRIE
from tests.storage.superfluous import superfluous
from tests.storage.world import NOBODY, Model, ModelAccount, RandomChain, block_of, genesis_of

KeyValueFactory = Callable[[], KeyValue]
A = Address(b"\xaa" * 20)
TRIES = (ACCOUNT_TRIE, b"u")


def _prune(store: Store, batches: int = 10**9) -> None:
    """Prune so many batches, or all there is to prune."""
    for _ in range(batches):
        batch = run(store.pruning.next_batch())
        if batch is None:
            return
        store.prune(batch)


def _version(store: Store, number: int) -> Version:
    version = store.blocks.version(number)
    assert version is not None
    return version


def _assert_state(store: Store, number: int, model: Model, chain: RandomChain) -> None:
    """The state after a block is that of the model, and is proven by the block's header."""
    version, stored = _version(store, number), store.blocks.header(number)
    assert stored is not None
    for address in [*chain.addresses, NOBODY]:
        expected = model.get(address, ModelAccount())
        slots = tuple(range(12)) + tuple(expected.slots)
        assert store.state.account(address, version).account == expected.account
        assert [store.state.slot(address, slot, version) for slot in slots] == [expected.slots.get(s, 0) for s in slots]
        proof = run(prove(ProvenState(store.state, store.tries, version), address, slots))
        nodes = [rlp.decode(node) for node in proof.nodes]
        proven = HexaryTrie.get_from_proof(stored.header.state_root, keccak256(address), nodes)
        assert proven == (b"" if proof.account.is_empty else proof.account.trie_value(proof.storage_root))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few names, and nothing kept beyond what is set."""
    monkeypatch.setattr(storage.journal, "NAMES_A_PART", 7)
    monkeypatch.setattr(storage.kept, "RECORDS_A_STEP", 3)
    monkeypatch.setattr(storage.kept, "STEPS_A_BATCH", 2)
    monkeypatch.setattr(storage.pruning, "KEPT_HEIGHTS", 0)


@pytest.mark.usefixtures("small_steps")
def test_every_kept_state_is_right_and_proven_whenever_pruning_reading_and_reopening_meet(
    keyvalue_factory: KeyValueFactory, seed: int
) -> None:
    chooser, chain, kept = random.Random(seed), RandomChain(seed, addresses=16), 4
    store = Store.open(keyvalue_factory(), chain.genesis, history=kept)
    models = [deepcopy(chain.model)]
    readers: list[tuple[int, ExitStack]] = []
    for _ in range(30):
        store.apply(chain.next(store.head.hash))
        models.append(deepcopy(chain.model))
        if chooser.random() < 0.3:
            number = chooser.randint(store.pruning.oldest, store.head.number)
            stack = ExitStack()
            stack.enter_context(store.pruning.holding(_version(store, number)))
            readers.append((number, stack))
        _prune(store, chooser.choice((0, 1, 3, 100)))
        if chooser.random() < 0.2:
            readers.clear()
            store.close()
            store = Store.open(keyvalue_factory(), chain.genesis, history=kept)
        for number, _ in readers:
            _assert_state(store, number, models[number], chain)
        if readers and chooser.random() < 0.5:
            readers.pop(0)[1].close()
        assert store.pruning.oldest <= max(0, store.head.number - kept)
        number = chooser.randint(store.pruning.oldest, store.head.number)
        _assert_state(store, number, models[number], chain)
    for _, stack in readers:
        stack.close()
    _prune(store)
    assert store.pruning.oldest == store.head.number - kept
    for number in range(store.pruning.oldest, store.head.number + 1):
        _assert_state(store, number, models[number], chain)
    store.close()


@pytest.mark.usefixtures("small_steps")
def test_once_pruned_nothing_is_left_that_no_kept_state_needs(seed: int) -> None:
    chain, keyvalue = RandomChain(seed), MemoryKeyValue()
    store = Store.open(keyvalue, chain.genesis, history=5)
    for _ in range(30):
        store.apply(chain.next(store.head.hash))
    store.pruning.floor = _version(store, 25)
    first = {Version(1)}
    assert len(superfluous(keyvalue, store.pruning.floor, first)) > 100
    store.pruning.floor = Version(1)
    _prune(store)
    assert store.pruning.floor == _version(store, 25)
    assert superfluous(keyvalue, store.pruning.floor, first) == []
    kept = {part.version for part in Journal(keyvalue).parts(Version(store.pruning.floor + 1))}
    assert len(kept) == 5
    assert len(list(keyvalue.with_prefix(JOURNAL))) == len(list(Journal(keyvalue).parts(min(kept))))
    counted = store.pruning.deleted
    _prune(store)
    assert store.pruning.deleted == counted


def test_blocks_of_pruned_states_are_still_there() -> None:
    chain = RandomChain(1)
    store = Store.open(MemoryKeyValue(), chain.genesis, history=0)
    for _ in range(KEPT_HEIGHTS + 10):
        store.apply(chain.next(store.head.hash))
    before = [store.blocks.block(number, with_receipts=True) for number in range(store.head.number + 1)]
    _prune(store)
    assert store.pruning.oldest == 10
    assert [store.blocks.block(number, with_receipts=True) for number in range(store.head.number + 1)] == before


def test_the_newest_states_are_kept_whatever_is_set() -> None:
    genesis = genesis_of(AccountChange(A, Account(1, Wei(1)), {}))
    store = Store.open(MemoryKeyValue(), genesis, history=0)
    for number in range(1, KEPT_HEIGHTS + 3):
        store.apply(block_of(genesis, number, AccountChange(A, Account(number + 1, Wei(1)), {})))
    _prune(store)
    assert store.head.version - store.pruning.floor == KEPT_HEIGHTS


def test_without_a_limit_nothing_is_pruned() -> None:
    chain = RandomChain(1)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(30):
        store.apply(chain.next(store.head.hash))
    assert store.pruning.behind() == 0
    _prune(store)
    assert (store.pruning.oldest, store.pruning.deleted) == (0, 0)


@pytest.mark.usefixtures("small_steps")
def test_a_chain_that_kept_everything_is_pruned_once_it_is_told_to_and_stays_so(
    keyvalue_factory: KeyValueFactory,
) -> None:
    chain = RandomChain(2)
    store = Store.open(keyvalue_factory(), chain.genesis)
    for _ in range(20):
        store.apply(chain.next(store.head.hash))
    store.close()
    store = Store.open(keyvalue_factory(), chain.genesis, history=3)
    assert (store.pruning.oldest, store.pruning.behind()) == (0, 17)
    _prune(store)
    store.close()
    store = Store.open(keyvalue_factory(), chain.genesis)
    assert store.pruning.oldest == 17
    with pytest.raises(StatePruned):
        store.pruning.check(_version(store, 16))
    store.close()


@pytest.mark.usefixtures("small_steps")
def test_a_pruned_state_is_refused_with_geths_words_and_the_oldest_block_kept() -> None:
    chain = RandomChain(3)
    store = Store.open(MemoryKeyValue(), chain.genesis, history=2)
    for _ in range(9):
        store.apply(chain.next(store.head.hash))
    _prune(store)
    stored = store.blocks.header(4)
    assert stored is not None
    words = f"historical state {stored.header.state_root.hex()} is not available: the states of blocks before 7 are"
    with pytest.raises(StatePruned, match=words), store.pruning.reading(_version(store, 4)):
        pass


@pytest.mark.usefixtures("small_steps")
def test_of_pinned_versions_only_the_values_that_have_changed_since_stay() -> None:
    chain, keyvalue, pins = RandomChain(4), MemoryKeyValue(), [Version(1), Version(6), Version(9)]
    store = Store.open(keyvalue, chain.genesis)
    for _ in range(20):
        store.apply(chain.next(store.head.hash))
    values = {version: list(store.state.accounts(version, None)) for version in pins}
    store.pruning = Pruning(keyvalue, store.blocks, 3, pins=lambda: pins)
    _prune(store)
    assert store.pruning.floor == _version(store, 17)
    assert superfluous(keyvalue, store.pruning.floor, pins) == []
    assert {version: list(store.state.accounts(version, None)) for version in pins} == values


@pytest.mark.usefixtures("small_steps")
def test_what_was_kept_for_a_version_goes_once_it_is_not_pinned_any_more() -> None:
    chain, keyvalue, pins = RandomChain(4), MemoryKeyValue(), [Version(1), Version(6), Version(9)]
    store = Store.open(keyvalue, chain.genesis)
    for _ in range(20):
        store.apply(chain.next(store.head.hash))
    store.pruning = Pruning(keyvalue, store.blocks, 3, pins=lambda: pins)
    _prune(store)
    for unpinned in (Version(6), Version(9)):
        pins.remove(unpinned)
        assert len(superfluous(keyvalue, store.pruning.floor, pins)) > 5
        keyvalue.write({SWEEP_KEY: b""})
        store.pruning.reconsider()
        assert store.pruning.is_due()
        _prune(store)
        assert superfluous(keyvalue, store.pruning.floor, pins) == []
        assert not store.pruning.is_due()
        assert keyvalue.get(SWEEP_KEY) is None


@pytest.mark.usefixtures("small_steps")
def test_a_version_that_is_read_stays_for_a_while_but_not_for_ever() -> None:
    chain, keyvalue, now = RandomChain(5), MemoryKeyValue(), 1000.0
    store = Store.open(keyvalue, chain.genesis)
    for _ in range(20):
        store.apply(chain.next(store.head.hash))
    store.pruning = Pruning(keyvalue, store.blocks, 3, clock=lambda: now)
    with store.pruning.reading(Version(5)):
        _prune(store)
    assert store.pruning.floor == 5
    now += HELD_AFTER_READ_S - 1
    with store.pruning.reading(Version(5)):
        _prune(store)
    assert store.pruning.floor == 5
    now += HELD_AFTER_READ_S
    _prune(store)
    assert store.pruning.floor == _version(store, 17)


def test_reading_the_newest_states_holds_nothing_once_it_is_done() -> None:
    chain = RandomChain(9)
    store = Store.open(MemoryKeyValue(), chain.genesis, history=0)
    for _ in range(KEPT_HEIGHTS + 5):
        with store.pruning.reading(store.head.version):
            pass
        store.apply(chain.next(store.head.hash))
    _prune(store)
    assert store.pruning.oldest == 5


def test_one_who_reads_the_same_version_again_and_again_does_not_hold_it_for_ever() -> None:
    now = 0.0
    holds = Holds(lambda: now)
    while now < HELD_AT_MOST_S:
        with holds.read(Version(3)):
            assert holds.oldest() == 3
        now += HELD_AFTER_READ_S / 2
    assert holds.oldest() is None


def test_so_many_versions_are_held_after_a_read_at_most() -> None:
    holds = Holds(lambda: 0.0)
    for version in range(1, MAX_HELD + 3):
        with holds.read(Version(version)):
            pass
    assert holds.oldest() == 3


def test_a_version_is_held_until_the_last_of_its_readers_is_done() -> None:
    holds = Holds(lambda: 0.0)
    with holds.hold(Version(9)):
        with holds.hold(Version(9)):
            pass
        assert holds.oldest() == 9
    assert holds.oldest() is None


class CountedReads(MemoryKeyValue):
    def __init__(self) -> None:
        super().__init__()
        self.gets = self.seeks = 0

    def get(self, key: bytes) -> bytes | None:
        self.gets += 1
        return super().get(key)

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        self.seeks += 1
        return super().first_from(key)

    @contextmanager
    def counting(self, seeks: int) -> Iterator[None]:
        """One get, and so many seeks."""
        self.gets = self.seeks = 0
        yield
        assert (self.gets, self.seeks) == (1, seeks)


def test_every_account_and_slot_at_every_kept_block_is_one_get_and_a_seek_if_it_changed_since() -> None:
    chain, keyvalue = RandomChain(6), CountedReads()
    store = Store.open(keyvalue, chain.genesis, history=20)
    for _ in range(40):
        store.apply(chain.next(store.head.hash))
    _prune(store)
    assert store.pruning.oldest == 20
    for number in range(20, 41):
        version = _version(store, number)
        parts = Journal(keyvalue).parts(Version(version + 1), store.head.version)
        changed = {name for part in parts for name, _ in part.written.names()}
        for address in [*chain.addresses, NOBODY]:
            store.state.forget(store.state.latest)
            with keyvalue.counting(seeks=account_name(address) in changed):
                store.state.account(address, version)
            with keyvalue.counting(seeks=slot_name(address, 3) in changed):
                store.state.slot(address, 3, version)


def test_the_disk_holds_less_after_pruning(tmp_path: Path) -> None:
    chain = RandomChain(7, addresses=300, changes=100, transactions=0)
    folders = [tmp_path / "full", tmp_path / "pruned"]
    stores = [Store.open(folder, chain.genesis, durable=False, history=KEPT_HEIGHTS) for folder in folders]
    for _ in range(80):
        block = chain.next(stores[0].head.hash)
        for store in stores:
            store.apply(block)
    _prune(stores[1])
    keys, sizes = [], []
    for folder, store in zip(folders, stores, strict=True):
        store.close()
        _compact(folder)
        keyvalue = LevelDB(folder, durable=False)
        keys.append(sum(1 for _ in keyvalue.pairs(b"", b"\xff")))
        sizes.append(keyvalue.approximate_bytes())
        keyvalue.close()
    print(f"keys {keys}, bytes {sizes}")
    assert keys[1] < 0.5 * keys[0]
    assert sizes[1] < 0.5 * sizes[0]


def _compact(folder: Path) -> None:
    """Have LevelDB do at once what it does in the course of later writes."""
    database = plyvel.DB(str(folder))
    database.compact_range(start=b"\x00", stop=b"\xff")
    database.close()
