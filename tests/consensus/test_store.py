"""What a validator finds again after it stopped."""

import pytest

from chain.keccak import keccak256
from chain.messages.mempool import AT_ONCE, Evicted
from chain.proposals import ExecutedBlock
from chain.types import Height, Wei
from consensus.commands import Command, Persist
from consensus.errors import NewerStore, StoreOfAnotherChain
from consensus.mempool import MempoolChanges
from consensus.recovered import new_chain
from consensus.safety import SafetyData
from consensus.sender_queue import Entry
from consensus.store import FORMAT_KEY, ValidatorStore
from consensus.wire import SyncInfo
from tests.consensus.builders import CrashableDatabase, make_genesis, transfer
from tests.consensus.lone_core import LoneCore, persisted

RESULT = ExecutedBlock(Height(1), keccak256(b"header 1"))


def apply(store: ValidatorStore, commands: list[Command]) -> list[Persist]:
    writes = persisted(commands)
    store.apply(writes)
    return writes


def test_an_unused_store_gives_back_a_new_chain() -> None:
    genesis = make_genesis()
    assert ValidatorStore(CrashableDatabase(), genesis).recover(genesis.max_lag, SafetyData) == new_chain(genesis)


def test_what_was_voted_for_committed_and_executed_is_found_again() -> None:
    world, database = LoneCore(), CrashableDatabase()
    store = ValidatorStore(database, world.genesis)
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False)
    for proposal in (first, second, third):
        apply(store, world.propose(proposal))
    store.add_result(RESULT, Wei(7), AT_ONCE, MempoolChanges())
    again = ValidatorStore(database, world.genesis)
    recovered = again.recover(world.genesis.max_lag, SafetyData)
    assert again.committed_depth == 1
    assert again.id_at_depth(1) == again.id_of_block(Height(1)) == first.id
    assert again.height_of(first.id) == 1
    assert again.height_of(second.id) is None, "it makes no block"
    assert (again.newest_result, again.next_base_fee) == (1, 7)
    assert recovered.root.id == first.id
    assert recovered.root.timestamp_ms == world.now_ms
    assert [node.proposal for node in recovered.unexecuted] == [first]
    assert recovered.uncommitted == (second, third)
    assert recovered.results == (RESULT,)
    assert recovered.safety is not None
    assert recovered.safety.vote == world.vote(third, 0)
    assert recovered.safety.highest == world.certificate(second)


def test_a_result_and_what_it_changed_in_the_mempool_are_one_write() -> None:
    genesis, database = make_genesis(), CrashableDatabase()
    store = ValidatorStore(database, genesis)
    kept, included = Entry(transfer(0, 1), 1), Entry(transfer(0, 0), 2)
    store.apply_mempool(MempoolChanges(stored=[kept, included]))
    hash = included.transaction.hash
    store.add_result(RESULT, Wei(7), AT_ONCE, MempoolChanges(deleted=[hash], evicted=[(hash, "a reason")]))
    database.lose_unsynced(1)
    before = ValidatorStore(database, genesis)
    assert (before.newest_result, len(list(before.mempool_entries())), list(before.evictions())) == (0, 2, [])
    before.add_result(RESULT, Wei(7), AT_ONCE, MempoolChanges(deleted=[hash], evicted=[(hash, "a reason")]))
    after = ValidatorStore(database, genesis)
    assert (after.newest_result, list(after.mempool_entries())) == (1, [kept])
    assert list(after.evictions()) == [Evicted(hash, "a reason")]


def test_the_newest_evictions_are_kept_over_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consensus.store.KEPT_EVICTIONS", 5)
    genesis, database = make_genesis(), CrashableDatabase()
    evictions = [(keccak256(bytes((i,))), f"reason {i}") for i in range(16)]
    for start in range(0, 16, 4):
        ValidatorStore(database, genesis).apply_mempool(MempoolChanges(evicted=evictions[start : start + 4]))
    assert list(ValidatorStore(database, genesis).evictions()) == [Evicted(*eviction) for eviction in evictions[-5:]]


def test_proposals_of_abandoned_branches_are_deleted() -> None:
    world, database = LoneCore(), CrashableDatabase()
    store = ValidatorStore(database, world.genesis)
    lost = world.proposal(1)
    apply(store, world.propose(lost))
    parent, timeouts = world.genesis_certificate(), world.timeout_certificate(1)
    for round in (2, 3):
        proposal = world.proposal(round, parent, timeouts if round == 2 else None, height=0, takes_height=False)
        apply(store, world.propose(proposal))
        parent = world.certificate(proposal)
    assert store.proposal(lost.id) == lost
    apply(store, world.receive(SyncInfo(parent, None)))
    assert not list(database.with_prefix(b"p" + lost.id))
    assert store.recover(3, SafetyData).uncommitted == (proposal,)


def test_a_store_of_another_chain_is_refused() -> None:
    database = CrashableDatabase()
    ValidatorStore(database, make_genesis(max_lag=3))
    with pytest.raises(StoreOfAnotherChain, match="belongs to the chain"):
        ValidatorStore(database, make_genesis(max_lag=4))


def test_a_store_of_a_newer_format_is_refused() -> None:
    database = CrashableDatabase()
    ValidatorStore(database, make_genesis())
    database.write({FORMAT_KEY: b"\x63"})
    with pytest.raises(NewerStore, match="format 99"):
        ValidatorStore(database, make_genesis())
