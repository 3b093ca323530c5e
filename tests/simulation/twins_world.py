"""Runs a Twins scenario: real replicas, some of them twice, under leaders and partitions that the scenario dictates."""

from chain.types import Round, ValidatorIndex
from consensus.core import Core
from consensus.events import PeerMessage
from consensus.rules import RuleSet
from consensus.settings import ConsensusSettings
from consensus.wire import ProposalMessage, Timeout, Vote
from tests.simulation.byzantine import Liar
from tests.simulation.drawing import PHASES
from tests.simulation.node import Node
from tests.simulation.oracles import Violation
from tests.simulation.running import Outcome, outcome_of, rounds_to_commit
from tests.simulation.scenario import Chain, Rates
from tests.simulation.twins_scenario import TwinsScenario
from tests.simulation.world import World

NETWORK = Rates(delay_us=1_000, execution_us=1_000)
ALWAYS_BUSY = ConsensusSettings(block_interval_ms=1)
"""So that every leader has something to propose."""
NO_BACK_PRESSURE = 1_000
SKEW_OF_TWINS_MS = 1
"""Makes a twin's proposal another than its sibling's."""
STUCK_US = 6_000_000
"""Longer than any timeout: where a quorum hears each other, a round has ended by then."""
LIMIT_MS = 600_000


class Dictated:
    """The leaders that a scenario names."""

    def __init__(self, scenario: TwinsScenario) -> None:
        self._scenario = scenario

    def leader(self, round: Round) -> ValidatorIndex:
        return ValidatorIndex(self._scenario.leader(round))


class TwinsWorld(World):
    """Partitions without a quorum in any part would last for ever, so timeouts pass them once nothing moves any more:
    first between those who are behind, for whoever is ahead may know what must stay hidden, and if that does not help,
    between all. Nothing else ever passes.
    """

    def __init__(self, scenario: TwinsScenario, rules: RuleSet | None = None) -> None:
        self.scenario = scenario
        self.frontier = Round(1)
        self._rounds: list[Round] = []
        self._moved_at_us = 0
        self._healed = False
        chain = Chain(scenario.replicas, max_lag=NO_BACK_PRESSURE, rules=scenario.rules)
        super().__init__(0, chain, NETWORK, ALWAYS_BUSY, rules, Dictated(scenario))

    def make_nodes(self) -> list[Node]:
        replicas, twins = self.scenario.replicas, self.scenario.twins
        slots = range(replicas + twins)
        nodes = [Node(self, slot, ValidatorIndex(slot % replicas), slot % replicas >= twins) for slot in slots]
        for slot, behaviours in self.scenario.liars.items():
            nodes[slot] = Liar(self, slot, ValidatorIndex(slot), behaviours)
        for node in nodes[replicas:]:
            node.skew_ms = SKEW_OF_TWINS_MS
        return nodes

    def passes(self, sender: Node, to: Node, message: PeerMessage) -> bool:
        self._look_at_rounds()
        round = _round_of(sender, message)
        if self._healed or round > self.scenario.last_round or self.scenario.passes(round, sender.slot, to.slot):
            return True
        self.counts["messages between partitions"] += 1
        return isinstance(message, Timeout) and self._may_help(sender, to)

    def heal(self) -> None:
        self._healed = True
        super().heal()

    def _may_help(self, sender: Node, to: Node) -> bool:
        stuck_for_us = self.now_us - self._moved_at_us
        behind = self._rounds[sender.slot] < self.frontier and self._rounds[to.slot] < self.frontier
        return stuck_for_us > (STUCK_US if behind else 2 * STUCK_US)

    def _look_at_rounds(self) -> None:
        rounds = [_round(node) for node in self.nodes if node.lives]
        if rounds != self._rounds:
            self._rounds, self._moved_at_us = rounds, self.now_us
        newest = max(rounds)
        while self.frontier < newest:
            self.frontier = Round(self.frontier + 1)
            for slot in self.scenario.restarts.get(self.frontier, ()):
                self.after(0, lambda node=self.nodes[slot]: self._lose_power(node))  # type: ignore[misc]

    def _lose_power(self, node: Node) -> None:
        self.counts["fault: power loss"] += 1
        self.kill(node, unsynced_lost=1_000)
        self.restart(node)


def run_twins(scenario: TwinsScenario, rules: RuleSet | None = None) -> Outcome:
    """Raises `Violation` or another AssertionError when a promise is broken."""
    world = TwinsWorld(scenario, rules)
    world.start()
    world.run_until(lambda: world.frontier > scenario.last_round, LIMIT_MS)
    world.heal()
    start, depth = world.round, len(world.oracles.chain)
    world.run_until(lambda: len(world.oracles.chain) > depth, LIMIT_MS)
    liars = {node.index for node in world.nodes if not node.watched}
    bound = rounds_to_commit(world.leaders, start, liars, PHASES[scenario.rules])
    taken = world.round - start
    if taken > bound:
        raise Violation(f"the first commit after the partitions took {taken} rounds, more than {bound}")
    return outcome_of(world, taken)


def _round(node: Node) -> Round:
    assert isinstance(node.replica.core, Core)
    return node.replica.core._state.round


def _round_of(sender: Node, message: PeerMessage) -> Round:
    """The round a message belongs to; that of its sender if it belongs to none."""
    match message:
        case ProposalMessage(proposal):
            return proposal.round
        case Vote(round) | Timeout(round):
            return round
    return _round(sender)
