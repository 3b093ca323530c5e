"""Pruning between operations, snapshots and ways back: what is kept reads right, and snapshots can be gone back to."""

import pytest

import storage.pruning
from chain.types import BlockNumber
from storage.audit import Audit
from storage.steps import run
from storage.store import Store
from tests.storage.test_operations import STEPS, World, check


@pytest.mark.parametrize("seed", range(4))
def test_random_heights_with_pruning_in_between_leave_every_kept_version_right(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.pruning, "NAMES_A_BATCH", 7)
    monkeypatch.setattr(storage.pruning, "KEPT_HEIGHTS", 0)
    world, pruned = World(seed), 0
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
        assert all(version >= pruning.floor for _, version in world.snapshots.values())
        assert pruning.oldest <= world.store.head.number
        world.states = {version: model for version, model in world.states.items() if version >= pruning.floor}
    check(world, world.store)
    reopened = Store.open(world.keyvalue, world.chain.genesis, history=2)
    check(world, reopened)
    for _ in Audit(reopened, world.keyvalue, BlockNumber(0)).run():
        pass
    assert pruned > 0
