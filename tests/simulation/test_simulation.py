"""Whole chains under seeds. A failing seed is in the test's name: it replays exactly."""

import pytest

from consensus.wire import ProposalMessage, SyncInfo, Timeout, Vote
from tests.consensus.builders import CrashableDatabase, transfer
from tests.simulation.scenarios import (
    check_all_included,
    check_quiet_and_agreed,
    offer_faults,
    offer_load,
    repair,
)
from tests.simulation.world import Faults, World


def connect(world: World) -> None:
    for node in world.nodes:
        world.greet(node.index)


@pytest.mark.parametrize("seed", range(40))
def test_without_faults_everything_is_included_once_and_then_it_is_quiet(seed: int) -> None:
    world = World(seed, validators=1 + seed % 7, max_lag=1 + seed % 3)
    connect(world)
    offered = offer_load(world, transactions=20, over_ms=300)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)
    assert all(node.replica.core.status().timeouts == 0 for node in world.nodes), "a timer fired without a fault"


@pytest.mark.parametrize("seed", range(40))
def test_with_one_of_four_dead_everything_is_included_once(seed: int) -> None:
    world = World(seed)
    world.crash(seed % 4)
    connect(world)
    offered = offer_load(world, transactions=20, over_ms=2_000)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@pytest.mark.parametrize("seed", range(40))
def test_lost_and_repeated_messages_delay_but_lose_nothing(seed: int) -> None:
    world = World(seed, faults=Faults(drop=0.1, duplicate=0.1, delay_us=30_000))
    connect(world)
    offered = offer_load(world, transactions=10, over_ms=2_000)
    world.run_until_quiet(limit_ms=600_000)
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@pytest.mark.parametrize("seed", range(60))
def test_crashes_and_partitions_never_break_agreement_and_heal(seed: int) -> None:
    world = World(seed, validators=4 + seed % 2, faults=Faults(drop=0.02, duplicate=0.02, delay_us=3_000))
    connect(world)
    offered = offer_load(world, transactions=20, over_ms=4_000)
    offer_faults(world, count=8, over_ms=4_000)
    world.run_for(8_000)
    repair(world)
    world.run_until_quiet(limit_ms=600_000)
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


HIDDEN_CERTIFICATES = {ProposalMessage: 0.15, Vote: 0.45, SyncInfo: 1.0, Timeout: 0.2}


@pytest.mark.parametrize("seed", range(40))
def test_hidden_certificates_never_break_agreement(seed: int) -> None:
    """Most certificates are known to few, so that branches compete, while the load keeps every round busy."""
    world = World(seed, faults=Faults(drops=HIDDEN_CERTIFICATES, delay_us=2_000))
    connect(world)
    offered = offer_load(world, transactions=40, over_ms=20_000)
    world.run_for(40_000)
    repair(world)
    world.run_until_quiet(limit_ms=600_000)
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_a_replica_that_missed_hundreds_of_proposals_catches_up_on_a_quiet_chain() -> None:
    world = World(1)
    world.crash(3)
    connect(world)
    offered = []
    for nonce in range(100):
        transaction = transfer(0, nonce)
        offered.append(transaction)
        world.admit([transaction])
        world.run_until_quiet()
    world.restart(3)
    world.run_until_quiet()
    assert world.nodes[3].replica.store.committed_height > 300
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_a_replica_with_an_empty_disk_learns_the_chain_anew() -> None:
    world = World(2)
    connect(world)
    offered = offer_load(world, transactions=10, over_ms=300)
    world.run_until_quiet()
    world.crash(0)
    world.nodes[0].database = CrashableDatabase()
    world.restart(0)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_a_transaction_that_only_one_replica_has_is_included_even_with_another_dead() -> None:
    world = World(3)
    world.crash(1)
    connect(world)
    transaction = transfer(0, 0)
    world.admit([transaction], to=[2])
    world.run_until_quiet()
    check_all_included(world, [transaction])
    assert world.idle


def test_with_two_of_four_dead_nothing_is_committed_and_one_more_brings_it_back() -> None:
    world = World(4)
    world.crash(0)
    world.crash(1)
    connect(world)
    offered = offer_load(world, transactions=5, over_ms=100)
    world.run_for(10_000)
    assert world.chain == {}
    world.restart(0)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_a_seed_replays_exactly() -> None:
    def run() -> tuple[int, int, int]:
        world = World(7, faults=Faults(drop=0.1, duplicate=0.1, delay_us=30_000))
        connect(world)
        offer_load(world, transactions=10, over_ms=1_000)
        offer_faults(world, count=4, over_ms=1_000)
        world.run_for(3_000)
        return world.events, world.messages, world.now_us

    assert run() == run()
