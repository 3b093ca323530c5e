"""Pruning between operations, snapshots and ways back: what is kept reads right, and snapshots can be gone back to."""

import pytest

import storage.journal
import storage.kept
import storage.pruning
from chain.messages.storage import Revert
from chain.types import BlockNumber, Hash32, Version
from storage.audit import Audit
from storage.steps import run
from storage.store import Store
from storage.tries import ACCOUNT_TRIE
from tests.storage.heights import World, check, operation_of
from tests.storage.oracle import oracle_root
from tests.storage.superfluous import superfluous

STEPS = 60


@pytest.mark.parametrize("seed", range(4))
def test_random_heights_with_pruning_in_between_leave_every_kept_version_right(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.journal, "NAMES_A_PART", 7)
    monkeypatch.setattr(storage.kept, "RECORDS_A_STEP", 3)
    monkeypatch.setattr(storage.kept, "STEPS_A_BATCH", 2)
    monkeypatch.setattr(storage.pruning, "KEPT_HEIGHTS", 0)
    world, pruned = World(seed), 0
    first = world.store.head.version
    world.store = Store.open(world.keyvalue, world.chain.genesis, history=2)
    for _ in range(STEPS):
        world.step()
        if world.random.random() < 0.1:
            world.store = Store.open(world.keyvalue, world.chain.genesis, history=2)
        for _ in range(world.random.choice((0, 1, 5, 100))):
            batch = run(world.store.pruning.next_batch())
            if batch is None:
                break
            world.store.prune(batch)
            pruned += 1
        pruning = world.store.pruning
        assert pruning.oldest <= world.store.head.number
        pinned = {first, *(version for _, version in world.snapshots.values())}
        kept = {version for version in world.states if version >= pruning.floor} | pinned
        world.states = {version: world.states[version] for version in kept}
    check(world, world.store)
    reopened = Store.open(world.keyvalue, world.chain.genesis, history=2)
    check(world, reopened)
    for _ in Audit(reopened, world.keyvalue, BlockNumber(0)).run():
        pass
    assert pruned > 0
    assert pruning.floor > min(pinned)
    go_back_to_the_first_block(world, reopened, first)
    prune(reopened)
    assert superfluous(world.keyvalue, reopened.pruning.floor, {first}) == []


def go_back_to_the_first_block(world: World, store: Store, first: Version) -> None:
    model = world.states[first]
    proposal = Hash32(world.random.randbytes(32))
    applied = store.apply(operation_of(store, proposal, revert=Revert(BlockNumber(0), first, 1)))
    assert (applied.number, store.tries.root(ACCOUNT_TRIE, applied.version)) == (0, oracle_root(model))
    world.states = {first: model, store.head.version: model}
    world.blocks.clear()
    check(world, store)


def prune(store: Store) -> None:
    while (batch := run(store.pruning.next_batch())) is not None:
        store.prune(batch)
