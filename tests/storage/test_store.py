"""Blocks applied one after the other: roots, versions, answers, and opening the store again."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.storage import BlockApplied
from chain.types import Address, Hash32, Version, Wei
from storage.errors import HeightGap, InvalidBlock, OtherProposalApplied, UnknownCode
from storage.keyvalue import Batch, KeyValue
from storage.memory import MemoryKeyValue
from storage.store import Store
from storage.versions import GENESIS_VERSION
from tests.storage.oracle import oracle_root
from tests.storage.world import (
    HISTORY,
    NOBODY,
    UNKNOWN,
    Model,
    ModelAccount,
    RandomChain,
    block_of,
    genesis_of,
    history_contract,
)

KeyValueFactory = Callable[[], KeyValue]
A, B = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
RICH = Account(1, Wei(10**18))


def _assert_states(store: Store, history: list[Model]) -> None:
    """Every account and slot that ever was has the value of the model, after each block."""
    seen: dict[Address, set[int]] = {NOBODY: {0}}
    for model in history:
        for address, entry in model.items():
            seen.setdefault(address, set()).update(entry.slots)
    for number, model in enumerate(history):
        version = store.blocks.version(number)
        assert version is not None
        for address, numbers in seen.items():
            expected = model.get(address, ModelAccount())
            assert store.state.account(address, version).account == expected.account
            for slot in numbers:
                assert store.state.slot(address, slot, version) == expected.slots.get(slot, 0)


def test_every_version_of_a_random_chain_is_kept_with_the_right_root(
    keyvalue_factory: KeyValueFactory, seed: int
) -> None:
    chain = RandomChain(seed)
    store = Store.open(keyvalue_factory(), chain.genesis)
    assert store.head.header.state_root == oracle_root(chain.model)
    history = [deepcopy(chain.model)]
    for _ in range(25):
        applied = store.apply(chain.next(store.head.hash))
        assert applied.header.state_root == oracle_root(chain.model), f"block {applied.number}"
        history.append(deepcopy(chain.model))
    _assert_states(store, history)
    head = store.head
    store.close()
    reopened = Store.open(keyvalue_factory(), chain.genesis)
    assert reopened.head == head
    _assert_states(reopened, history)
    reopened.close()


def test_a_reopened_store_goes_on_as_if_it_had_never_been_closed(keyvalue_factory: KeyValueFactory, seed: int) -> None:
    one, other = RandomChain(seed), RandomChain(seed)
    straight = Store.open(MemoryKeyValue(), one.genesis)
    for _ in range(8):
        straight.apply(one.next(straight.head.hash))
        store = Store.open(keyvalue_factory(), other.genesis)
        store.apply(other.next(store.head.hash))
        assert store.head == straight.head
        store.close()


def test_genesis_is_block_0_with_the_header_its_genesis_gives() -> None:
    genesis = genesis_of(AccountChange(A, RICH, {1: 2}))
    store = Store.open(MemoryKeyValue(), genesis)
    header = store.head.header
    assert (store.head.number, store.head.version, store.head.proposal) == (0, GENESIS_VERSION, genesis.id())
    assert (header.base_fee, header.gas_limit, header.timestamp) == (10**9, 30_000_000, 1_700_000_000)
    assert header.state_root == oracle_root({A: ModelAccount(RICH, {1: 2})})
    assert header.hash() == store.head.hash
    assert header.requests_hash is not None
    assert store.state.slot(A, 1, store.head.version) == 2


def test_a_cancun_genesis_has_no_requests_hash() -> None:
    store = Store.open(MemoryKeyValue(), genesis_of(fork=Fork.CANCUN))
    assert store.head.header.requests_hash is None


def test_a_genesis_without_accounts_opens_again(keyvalue_factory: KeyValueFactory) -> None:
    Store.open(keyvalue_factory(), genesis_of()).close()
    store = Store.open(keyvalue_factory(), genesis_of())
    assert store.head.header.state_root == oracle_root({})
    store.close()


def test_a_state_that_becomes_empty_opens_again(keyvalue_factory: KeyValueFactory) -> None:
    genesis = genesis_of(AccountChange(A, RICH, {}))
    store = Store.open(keyvalue_factory(), genesis)
    store.apply(block_of(genesis, 1, AccountChange(A, EMPTY_ACCOUNT, {})))
    store.close()
    store = Store.open(keyvalue_factory(), genesis)
    assert store.head.header.state_root == oracle_root({})
    applied = store.apply(block_of(genesis, 2, AccountChange(A, RICH, {})))
    assert applied.header.state_root == oracle_root({A: ModelAccount(RICH)})
    store.close()


def test_the_finished_header_names_its_parent_and_the_state_after_it() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    parent = store.head
    applied = store.apply(block_of(genesis, 1, AccountChange(A, RICH, {})))
    assert applied.header.parent_hash == parent.hash
    assert applied.header.state_root == oracle_root({A: ModelAccount(RICH)})
    assert applied.hash == applied.header.hash()
    assert applied.version == parent.version + 1


def test_the_parents_hash_is_in_the_history_contract_when_the_root_is_computed() -> None:
    genesis = genesis_of(history_contract())
    store = Store.open(MemoryKeyValue(), genesis)
    parent = store.head
    applied = store.apply(replace(block_of(genesis, 1), parent_hash_slot=(HISTORY, 0)))
    value = int.from_bytes(parent.hash, "big")
    assert store.state.slot(HISTORY, 0, applied.version) == value
    assert applied.header.state_root == oracle_root({HISTORY: ModelAccount(history_contract().account, {0: value})})


def test_the_parents_hash_joins_what_the_block_itself_changes_in_the_history_contract() -> None:
    genesis = genesis_of(history_contract())
    store = Store.open(MemoryKeyValue(), genesis)
    funded = replace(history_contract().account, balance=Wei(5))
    block = block_of(genesis, 1, AccountChange(HISTORY, funded, {7: 8}))
    value = int.from_bytes(store.head.hash, "big")
    applied = store.apply(replace(block, parent_hash_slot=(HISTORY, 0)))
    assert applied.header.state_root == oracle_root({HISTORY: ModelAccount(funded, {0: value, 7: 8})})


def test_without_a_history_contract_the_parents_hash_goes_nowhere() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    applied = store.apply(replace(block_of(genesis, 1), parent_hash_slot=(HISTORY, 0)))
    assert applied.header.state_root == oracle_root({})


def test_clearing_storage_leaves_only_the_slots_given_and_old_versions_as_they_were(
    keyvalue_factory: KeyValueFactory,
) -> None:
    genesis = genesis_of(AccountChange(A, RICH, dict.fromkeys(range(40), 7)), AccountChange(B, RICH, {3: 3}))
    store = Store.open(keyvalue_factory(), genesis)
    before = store.head.version
    applied = store.apply(block_of(genesis, 1, AccountChange(A, RICH, {50: 1}, clears_storage=True)))
    assert applied.header.state_root == oracle_root({A: ModelAccount(RICH, {50: 1}), B: ModelAccount(RICH, {3: 3})})
    assert [store.state.slot(A, number, applied.version) for number in (0, 39, 50)] == [0, 0, 1]
    assert [store.state.slot(A, number, before) for number in (0, 39, 50)] == [7, 7, 0]
    assert store.state.slot(B, 3, applied.version) == 3
    store.close()


def test_an_account_removed_and_made_again_has_none_of_its_old_storage(keyvalue_factory: KeyValueFactory) -> None:
    genesis = genesis_of(AccountChange(A, RICH, {1: 1, 2: 2}))
    store = Store.open(keyvalue_factory(), genesis)
    store.apply(block_of(genesis, 1, AccountChange(A, EMPTY_ACCOUNT, {})))
    applied = store.apply(block_of(genesis, 2, AccountChange(A, RICH, {2: 5})))
    assert applied.header.state_root == oracle_root({A: ModelAccount(RICH, {2: 5})})
    assert [store.state.slot(A, number, applied.version) for number in (1, 2)] == [0, 5]
    store.close()


def test_a_block_applied_again_gets_the_same_answer_even_after_later_ones() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    block = block_of(genesis, 1, AccountChange(A, RICH, {}))
    first = store.apply(block)
    assert store.apply(block) == first
    store.apply(block_of(genesis, 2))
    assert store.apply(block) == first
    assert store.head.number == 2


def test_a_gap_and_another_proposal_at_an_applied_number_are_refused() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    store.apply(block_of(genesis, 1))
    with pytest.raises(HeightGap, match="height 3 cannot be applied: the newest one is 1"):
        store.apply(block_of(genesis, 3))
    with pytest.raises(OtherProposalApplied, match="height 1 was applied from proposal"):
        store.apply(block_of(genesis, 1, proposal=UNKNOWN))
    assert store.head.number == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((AccountChange(A, RICH, {}), AccountChange(A, RICH, {})), "changes twice"),
        ((AccountChange(A, RICH, {}, code=b"not its code"),), "has another hash"),
    ],
)
def test_a_block_that_contradicts_itself_is_refused_and_changes_nothing(
    changes: tuple[AccountChange, ...], reason: str
) -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    with pytest.raises(InvalidBlock, match=reason):
        store.apply(block_of(genesis, 1, *changes))
    assert store.head.number == 0
    assert store.state.account(A, store.head.version).account == EMPTY_ACCOUNT


def test_a_block_with_a_receipt_too_few_is_refused() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    with pytest.raises(InvalidBlock, match="senders and receipts"):
        store.apply(replace(block_of(genesis, 1), transactions=(b"raw",), senders=(A,)))


def test_code_is_found_by_its_hash() -> None:
    code = bytes(range(256))
    genesis = genesis_of(AccountChange(A, Account(1, Wei(0), keccak256(code)), {}, code=code))
    store = Store.open(MemoryKeyValue(), genesis)
    assert store.state.code(keccak256(code)) == code
    assert store.state.code(keccak256(b"")) == b""
    with pytest.raises(UnknownCode):
        store.state.code(UNKNOWN)


def test_what_is_read_is_right_whether_it_was_read_before_or_not() -> None:
    """A cached value must not answer for a version older than its own, nor an old read fill the cache."""
    genesis = genesis_of(AccountChange(A, RICH, {1: 1}))
    store = Store.open(MemoryKeyValue(), genesis)
    answers: list[BlockApplied] = [store.head]
    for number in range(1, 5):
        changed = AccountChange(A, Account(number + 1, Wei(1)), {1: number + 1})
        answers.append(store.apply(block_of(genesis, number, changed)))
    for _ in range(2):
        for applied in [*answers, *reversed(answers)]:
            assert store.state.slot(A, 1, applied.version) == applied.number + 1
            assert store.state.account(A, applied.version).account.nonce == applied.number + 1
    assert store.state.hits > 0


def test_the_cache_answers_for_versions_since_the_value_was_written() -> None:
    genesis = genesis_of(AccountChange(A, RICH, {}))
    store = Store.open(MemoryKeyValue(), genesis)
    for number in range(1, 4):
        store.apply(block_of(genesis, number))
    store.state.account(A, Version(4))
    seeks = store.state.seeks
    store.state.account(A, Version(2))
    assert store.state.seeks == seeks


def test_proposals_of_blocks_are_kept_apart_from_their_hashes() -> None:
    genesis = genesis_of()
    store = Store.open(MemoryKeyValue(), genesis)
    applied = store.apply(block_of(genesis, 1, proposal=Hash32(b"\x31" * 32)))
    assert applied.proposal == b"\x31" * 32
    assert applied.proposal != applied.hash


class Counting(MemoryKeyValue):
    """Notes which writes were to survive a loss of power."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[bool] = []

    def write(self, batch: Batch, sync: bool = True) -> None:
        super().write(batch, sync)
        self.synced.append(sync)


def test_a_block_is_one_synced_write() -> None:
    chain, keyvalue = RandomChain(1, transactions=40), Counting()
    store = Store.open(keyvalue, chain.genesis)
    assert keyvalue.synced == [True]
    for blocks in range(1, 10):
        store.apply(chain.next(store.head.hash))
        assert keyvalue.synced == [True] * (1 + blocks)
