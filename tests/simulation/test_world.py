"""Whole chains in situations that a seed meets rarely or that have a promise of their own."""

from functools import partial

import pytest

from chain.messages.mempool import PooledTransaction
from chain.operations import Mine, TakeSnapshot, ordered
from consensus.registry import RULE_SETS
from tests.consensus.builders import transfer
from tests.simulation.disk import Disk
from tests.simulation.running import check_quiet_and_agreed
from tests.simulation.scenario import Chain, Rates
from tests.simulation.world import World

SENDERS = 4
every_rule_set = pytest.mark.parametrize("rules", sorted(RULE_SETS))


def offer_load(world: World, transactions: int, over_ms: int) -> list[PooledTransaction]:
    """Transactions of a few senders at random times, each sender's in nonce order."""
    next_nonce = [0] * SENDERS
    offered = []
    for at in sorted(world.random.randrange(over_ms * 1000) for _ in range(transactions)):
        account = world.random.randrange(SENDERS)
        transaction = transfer(account, next_nonce[account])
        next_nonce[account] += 1
        offered.append(transaction)
        world.after(at, partial(world.admit, [transaction]))
    return offered


def check_all_included(world: World, offered: list[PooledTransaction]) -> None:
    missing = [tx.hash.hex()[:8] for tx in offered if tx.hash not in world.executor.included]
    assert not missing, f"never included: {missing}"


@every_rule_set
@pytest.mark.parametrize("seed", range(14))
def test_without_faults_everything_is_included_once_and_no_timer_ever_fires(seed: int, rules: str) -> None:
    world = World(seed, Chain(validators=1 + seed % 7, max_lag=1 + seed % 3, rules=rules))
    world.start()
    offered = offer_load(world, transactions=20, over_ms=300)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)
    assert all(node.replica.core.status().timeouts == 0 for node in world.nodes), "a timer fired without a fault"


@every_rule_set
@pytest.mark.parametrize("seed", range(8))
def test_with_one_of_four_dead_everything_is_included_once(seed: int, rules: str) -> None:
    world = World(seed, Chain(rules=rules))
    world.start()
    world.kill(world.nodes[seed % 4])
    offered = offer_load(world, transactions=20, over_ms=2_000)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@every_rule_set
def test_lost_and_repeated_messages_delay_but_lose_nothing(rules: str) -> None:
    world = World(5, Chain(rules=rules), Rates(drop=0.1, duplicate=0.1, delay_us=30_000))
    world.start()
    offered = offer_load(world, transactions=10, over_ms=2_000)
    world.run_until_quiet(limit_ms=600_000)
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@every_rule_set
@pytest.mark.parametrize("seed", range(4))
def test_operations_are_executed_once_and_in_order_through_kills_and_losses(seed: int, rules: str) -> None:
    world = World(seed, Chain(rules=rules), Rates(drop=0.05, duplicate=0.05, delay_us=10_000))
    world.start()
    offered = offer_load(world, transactions=10, over_ms=1_000)
    operations = [ordered(n, TakeSnapshot() if n % 3 else Mine(1)) for n in range(12)]
    world.operate(operations)
    victim = world.nodes[seed % 4]
    world.after(100_000, partial(world.kill, victim))
    world.after(600_000, partial(world.restart, victim))
    world.run_until_quiet(limit_ms=600_000)
    assert world.executor.operations == [operation.hash() for operation in operations]
    carried = [block for block in world.oracles.blocks.values() if block.operation is not None]
    assert len(carried) == len(operations), "none is proposed again once it is executed"
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_a_replica_that_missed_hundreds_of_proposals_catches_up_on_a_quiet_chain() -> None:
    world = World(1)
    world.start()
    world.kill(world.nodes[3])
    offered = []
    for nonce in range(100):
        transaction = transfer(0, nonce)
        offered.append(transaction)
        world.admit([transaction])
        world.run_until_quiet()
    world.restart(world.nodes[3])
    world.run_until_quiet()
    assert world.nodes[3].replica.store.committed_depth > 300
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@every_rule_set
def test_a_replica_with_an_empty_disk_learns_the_chain_anew(rules: str) -> None:
    world = World(2, Chain(rules=rules))
    world.start()
    offered = offer_load(world, transactions=10, over_ms=300)
    world.run_until_quiet()
    newcomer = world.nodes[0]
    world.kill(newcomer)
    newcomer.disk = Disk(newcomer.signatures_are_durable)
    world.restart(newcomer)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@every_rule_set
def test_a_transaction_that_only_one_replica_has_is_included_even_with_another_dead(rules: str) -> None:
    world = World(3, Chain(rules=rules))
    world.start()
    world.kill(world.nodes[1])
    transaction = transfer(0, 0)
    world.admit([transaction], to=[2])
    world.run_until_quiet()
    check_all_included(world, [transaction])
    assert world.idle


@every_rule_set
def test_with_two_of_four_dead_nothing_is_committed_and_one_more_brings_it_back(rules: str) -> None:
    world = World(4, Chain(rules=rules))
    world.start()
    world.kill(world.nodes[0])
    world.kill(world.nodes[1])
    offered = offer_load(world, transactions=5, over_ms=100)
    world.run_for(10_000_000)
    assert world.oracles.chain == {}
    world.restart(world.nodes[0])
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


def test_all_of_them_losing_power_at_once_forgets_nothing_that_was_committed() -> None:
    world = World(6)
    world.start()
    offered = offer_load(world, transactions=30, over_ms=400)
    for _ in range(8):
        world.run_for(50_000)
        before = dict(world.oracles.chain)
        for node in world.nodes:
            world.kill(node, unsynced_lost=1_000)
        for node in world.nodes:
            world.restart(node)
        assert before == {depth: world.oracles.chain[depth] for depth in before}
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)


@every_rule_set
@pytest.mark.parametrize("stakes", [(), (40, 30, 20, 10)], ids=str)
def test_a_validator_that_equivocates_on_request_in_every_turn_harms_nobody(
    stakes: tuple[int, ...], rules: str
) -> None:
    """What `tandem validator equivocate` does, with the oracles looking on."""
    world = World(7, Chain(stakes=stakes, rules=rules))
    liar = world.nodes[1]
    liar.watched = False
    world.start()
    liar.replica.equivocator.begin(1_000)
    offered = offer_load(world, transactions=80, over_ms=800)
    world.run_until_quiet()
    check_all_included(world, offered)
    check_quiet_and_agreed(world)
    assert world.counts["rivals of another proposal"] > 5
