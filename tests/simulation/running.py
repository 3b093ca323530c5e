"""Runs a scenario: faults, then repair, then the promises that hold once the network is whole again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from chain.messages.mempool import PooledTransaction
from chain.types import Round, ValidatorIndex
from consensus.catchup import FETCH_TIMEOUT_MS
from consensus.leaders import LeaderSchedule
from consensus.rules import RuleSet
from tests.consensus.builders import transfer
from tests.simulation.byzantine import Liar
from tests.simulation.drawing import PHASES, SENDERS
from tests.simulation.faults import happen, repair
from tests.simulation.oracles import Violation
from tests.simulation.scenario import Scenario
from tests.simulation.world import World

LIVENESS_LIMIT_MS = 600_000
SPOILT_RUNS = 2
"""How many such runs of honest leaders may come to nothing after the repair, because a timer that was started before
it ends a round, or because a replica has to fetch what it missed before it can vote and lead."""
LATE_COMER = SENDERS
"""The account that sends a transaction after the repair."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`trace` stands for every message that arrived, when and where, in order; `chain` for all that was committed."""

    trace: int
    chain: bytes
    counts: Counter[str]
    rounds_between_commits: Counter[int]
    rounds_to_recover: int
    simulated_us: int


def run(scenario: Scenario, rules: RuleSet | None = None) -> Outcome:
    """Raises `Violation` or another AssertionError when a promise is broken."""
    world = world_of(scenario, rules)
    world.start()
    offered = _offer(world, scenario)
    for fault in scenario.faults:
        if fault.at_us < scenario.until_us:
            world.after(fault.at_us, partial(happen, world, fault))
    world.run_for(scenario.until_us)
    repair(world)
    recovery = _check_recovers(world, scenario)
    _check_all_included(world, offered)
    _silence_liars(world)
    world.run_until_quiet(LIVENESS_LIMIT_MS)
    check_quiet_and_agreed(world)
    return outcome_of(world, recovery)


def world_of(scenario: Scenario, rules: RuleSet | None = None) -> World:
    world = World(scenario.seed, scenario.chain, scenario.rates, rules=rules)
    for liar in scenario.liars:
        world.replace_node(Liar(world, liar.node, ValidatorIndex(liar.node), liar.behaviours))
    return world


def _offer(world: World, scenario: Scenario) -> list[PooledTransaction]:
    next_nonce: Counter[int] = Counter()
    offered = []
    for at_us, account in scenario.load:
        transaction = transfer(account, next_nonce[account])
        next_nonce[account] += 1
        offered.append(transaction)
        world.after(at_us, partial(world.admit, [transaction]))
    return offered


def _check_recovers(world: World, scenario: Scenario) -> int:
    """The next commit, of a transaction that came after the repair, within a bounded number of rounds.

    They are counted from when everybody can have fetched what it missed: a liar that is asked, by the replica that
    learnt of it from the liar or because the liar signed it too, answers nothing of use, and costs a fetch timeout.
    """
    repaired, depth = world.round, len(world.oracles.chain)
    world.admit([transfer(LATE_COMER, 0)])
    fetched_at_us = world.now_us + wasted_fetching_ms(len(scenario.liars)) * 1000
    world.run_until(lambda: len(world.oracles.chain) > depth or world.now_us >= fetched_at_us, LIVENESS_LIMIT_MS)
    start = world.round if world.now_us >= fetched_at_us else repaired
    world.run_until(lambda: len(world.oracles.chain) > depth, LIVENESS_LIMIT_MS)
    liars = {ValidatorIndex(liar.node) for liar in scenario.liars}
    bound = rounds_to_commit(world.leaders, start, liars, PHASES[scenario.chain.rules])
    if world.round - start > bound:
        raise Violation(f"the first commit after the repair took {world.round - start} rounds, more than {bound}")
    return world.round - repaired


def wasted_fetching_ms(liars: int) -> int:
    """Each liar asked once, one of them twice, with a timeout that doubles."""
    return sum(FETCH_TIMEOUT_MS << attempt for attempt in range(liars + 1)) if liars else 0


def rounds_to_commit(leaders: LeaderSchedule, start: Round, liars: set[ValidatorIndex], phases: int) -> int:
    """How many rounds after `start` there must have been a commit.

    A commit takes as many consecutive rounds with honest leaders as there are phases, and the round after, in which
    the last certificate is seen. The round of the repair itself may be lost, and so may `SPOILT_RUNS` such runs.
    """
    round, runs, length = start, 0, 0
    while runs <= SPOILT_RUNS:
        round = Round(round + 1)
        length = length + 1 if leaders.leader(round) not in liars else 0
        if length == phases:
            runs, length = runs + 1, 0
    return round + 1 - start


def _check_all_included(world: World, offered: Sequence[PooledTransaction]) -> None:
    """Every admitted transaction gets into a block (twice is seen when it happens)."""
    world.run_until(lambda: all(tx.hash in world.executor.included for tx in offered), LIVENESS_LIMIT_MS)


def _silence_liars(world: World) -> None:
    """Liars may keep a chain busy. Without them it becomes quiet, because the others have a quorum."""
    for node in world.nodes:
        if not node.watched:
            world.kill(node)


def check_quiet_and_agreed(world: World) -> None:
    """No timer runs, and every honest replica alive has the same verified chain and an empty mempool."""
    assert world.idle
    alive = [node for node in world.honest if node.alive]
    statuses = {node.index: node.replica.core.status() for node in alive}
    newest = max(status.committed for status in statuses.values())
    for node in alive:
        status = statuses[node.index]
        if not status.committed == status.executed == status.verified == newest:
            raise Violation(f"validator {node.index} is not where the others are: {statuses}")
        if len(node.replica.mempool):
            raise Violation(f"validator {node.index} still holds {len(node.replica.mempool)} transactions")


def outcome_of(world: World, recovery: int) -> Outcome:
    chain = b"".join(world.oracles.chain[depth] for depth in sorted(world.oracles.chain))
    return Outcome(world.trace, chain, world.counts, world.oracles.rounds_between_commits, recovery, world.now_us)
