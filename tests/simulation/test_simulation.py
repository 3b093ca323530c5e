"""Whole chains under seeds. A failing seed is in the test's name: it replays exactly."""

import pytest

from consensus.wire import ProposalMessage, SyncInfo, Timeout, Vote
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


@pytest.mark.parametrize("seed", range(60))
def test_without_faults_everything_is_included_once_and_then_it_is_quiet(seed: int) -> None:
    world = World(seed, validators=1 + seed % 7, max_lag=1 + seed % 3)
    connect(world)
    offered = offer_load(world, transactions=20, over_ms=300)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)
    assert all(node.replica.core.status().timeouts == 0 for node in world.nodes), "a timer fired without a fault"


@pytest.mark.parametrize("seed", range(60))
def test_with_one_of_four_dead_everything_is_included_once(seed: int) -> None:
    world = World(seed)
    world.crash(seed % 4)
    connect(world)
    offered = offer_load(world, transactions=20, over_ms=2_000)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@pytest.mark.parametrize("seed", range(60))
def test_lost_and_repeated_messages_delay_but_lose_nothing(seed: int) -> None:
    world = World(seed, faults=Faults(drop=0.1, duplicate=0.1, delay_us=30_000))
    connect(world)
    offered = offer_load(world, transactions=10, over_ms=2_000)
    world.run_until_quiet(limit_ms=600_000)
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@pytest.mark.parametrize("seed", range(100))
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


HIDDEN_CERTIFICATES = {ProposalMessage: 0.2, Vote: 0.35, SyncInfo: 0.9, Timeout: 0.15}


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
