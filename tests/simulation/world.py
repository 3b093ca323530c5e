"""A whole chain in one thread: replicas, the network between them, execution, and a clock that only events move.

Everything that happens is decided by one seed. Replicas are the real ones, with their mempools and stores; signatures
are cheap stand-ins and execution is a ledger of nonces. What breaks is done from outside, through the methods here.
The oracles look on as things happen (`oracles.py`).
"""

import heapq
import random
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from chain.messages.mempool import Admit, BlockResult, PooledTransaction
from chain.operations import AdmitOperations, OrderedOperation
from chain.proposals import Proposal
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.errors import ConsensusError
from consensus.events import MessageReceived, PeerConnected, PeerMessage
from consensus.leaders import LeaderSchedule
from consensus.registry import leader_schedule, rule_set
from consensus.replica import AdmitReceived, BlockResultReceived, Environment, OperationsReceived, Replica
from consensus.rules import RuleSet
from consensus.settings import DEFAULT_SETTINGS, ConsensusSettings
from consensus.signatures import Signer
from consensus.wire import ProposalMessage
from tests.consensus.builders import START_MS, CheapVerifier, make_genesis
from tests.simulation.execution import Executor
from tests.simulation.network import Network
from tests.simulation.node import Node
from tests.simulation.oracles import Oracles, Violation
from tests.simulation.scenario import Chain, Rates

QUIET_LIMIT_MS = 120_000
MAX_EVENTS = 100_000
"""Some hundred times what a scenario takes."""
DEFAULT_CHAIN = Chain()
GOOD_NETWORK = Rates()


class World:
    """`rules` and `leaders` stand in for those that `chain` names."""

    def __init__(
        self,
        seed: int,
        chain: Chain = DEFAULT_CHAIN,
        rates: Rates = GOOD_NETWORK,
        settings: ConsensusSettings = DEFAULT_SETTINGS,
        rules: RuleSet | None = None,
        leaders: LeaderSchedule | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.genesis = make_genesis(
            chain.validators, chain.max_lag, chain.stakes, rules=chain.rules, leaders=chain.leaders
        )
        self.rules = rules or rule_set(chain.rules)
        stakes = [identity.stake for identity in self.genesis.validators]
        self.leaders = leaders or leader_schedule(chain.leaders, stakes)
        self.settings = settings
        self.counts: Counter[str] = Counter()
        self.network = Network(rates, self.random, self.counts)
        self.executor = Executor(self)
        self.oracles = Oracles(stakes, self.executor.executed)
        self.now_us = 0
        self.trace = 0
        self.pooled: dict[Hash32, PooledTransaction] = {}
        self.changes_messages = rates.corrupt > 0
        self.branches: dict[Hash32, set[Hash32]] = {}
        self.to_operate: list[OrderedOperation] = []
        self._operated = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._last_in_order: dict[object, int] = {}
        self._latest_us: dict[tuple[int, int], int] = {}
        self.nodes = self.make_nodes()
        self._slots = {index: [node for node in self.nodes if node.index == index] for index in range(chain.validators)}

    def make_nodes(self) -> list[Node]:
        return [Node(self, i, ValidatorIndex(i)) for i in range(len(self.genesis.validators))]

    def replace_node(self, node: Node) -> None:
        """Before the start: another process takes the place of one that there is."""
        self.nodes[node.slot] = node
        self._slots[node.index] = [other for other in self.nodes if other.index == node.index]

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self.greet(node)

    def replica(self, node: Node, signer: Signer, environment: Environment) -> Replica:
        return Replica(
            node.index,
            self.genesis,
            signer,
            CheapVerifier(),
            node.disk,
            environment,
            self.settings,
            rules=self.rules,
            leaders=self.leaders,
        )

    # Time

    @property
    def now_ms(self) -> int:
        return START_MS + self.now_us // 1000

    def after(self, delay_us: int, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (self.now_us + delay_us, self._sequence, action))

    def after_in_order(self, lane: object, action: Callable[[], None]) -> None:
        """As one connection delivers: late, but in the order sent."""
        at = max(self.now_us + self.network.delay_us(), self._last_in_order.get(lane, 0))
        self._last_in_order[lane] = at
        self.after(at - self.now_us, action)

    def run_for(self, duration_us: int) -> None:
        end = self.now_us + duration_us
        while self._queue and self._queue[0][0] <= end:
            self._step()
        self.now_us = end

    def run_until(self, true: Callable[[], bool], limit_ms: int) -> None:
        end = self.now_us + limit_ms * 1000
        while not true():
            if not self._queue:
                raise Violation("everything stands still")
            if self._queue[0][0] > end:
                raise Violation(f"after {limit_ms} ms the chain has not come where it should")
            self._step()

    def run_until_quiet(self, limit_ms: int = QUIET_LIMIT_MS) -> None:
        """Until nothing is on its way and no timer runs."""
        self.run_until(lambda: not self._queue, limit_ms)

    def _step(self) -> None:
        self.now_us, _, action = heapq.heappop(self._queue)
        self.counts["events"] += 1
        if self.counts["events"] > MAX_EVENTS:
            raise Violation(f"{MAX_EVENTS} events, and no end: someone keeps the others busy")
        action()

    # The network

    def transmit(self, sender: Node, to: ValidatorIndex, message: PeerMessage) -> None:
        self.counts["messages"] += 1
        if type(message) is ProposalMessage:
            self._note_branch(message.proposal)
        for node in self._slots[to]:
            if self.passes(sender, node, message):
                for copy in self.network.copies(message):
                    delay_us = self.network.delay_us()
                    self._note_order(sender, node, self.now_us + delay_us)
                    self.after(delay_us, partial(self.arrive, sender, node, copy, node.lives))

    def passes(self, sender: Node, to: Node, message: PeerMessage) -> bool:
        """Whether a message is let onto its way at all."""
        return True

    def arrive(self, sender: Node, to: Node, message: PeerMessage, life: int) -> None:
        self.trace = zlib.crc32(b"%d %d %d %d" % (self.now_us, sender.slot, to.slot, life), self.trace)
        if to.lives != life or not self.network.reaches(sender.slot, to.slot):
            return
        if isinstance(message, self.rules.messages):
            to.take([MessageReceived(sender.index, message)])

    def greet(self, node: Node) -> None:
        """Connects a node to all it can reach, as its links do when it starts."""
        for other in self.nodes:
            if other.index != node.index and self.network.connected(node.slot, other.slot):
                if node.alive and other.alive:
                    node.take([PeerConnected(other.index)])
                if node.alive and other.alive:
                    other.take([PeerConnected(node.index)])

    def heal(self) -> None:
        self.network.mend()
        for node in self.nodes:
            self.greet(node)

    def _note_order(self, sender: Node, to: Node, at_us: int) -> None:
        lane = (sender.slot, to.slot)
        self.counts["messages out of order"] += at_us < self._latest_us.get(lane, 0)
        self._latest_us[lane] = max(at_us, self._latest_us.get(lane, 0))

    def _note_branch(self, proposal: Proposal) -> None:
        known = self.branches.setdefault(proposal.parent, set())
        if proposal.id not in known:
            known.add(proposal.id)
            self.oracles.proposed(proposal)
            self.counts["proposals"] += 1
            self.counts["rivals of another proposal"] += len(known) > 1

    # Processes

    def kill(self, node: Node, unsynced_lost: int = 0) -> None:
        node.die()
        node.disk.lose_unsynced(unsynced_lost)

    def lose_disk(self, node: Node) -> None:
        node.die()
        node.forget()
        self.oracles.forgets(node.index)

    def restart(self, node: Node) -> None:
        if not node.alive:
            self.counts["restarts"] += 1
            node.start()
            self.greet(node)
            for result in self.executor.results[node.replica.core.status().executed if node.alive else 0 :]:
                self._deliver(node, result)
            self._resend(node)

    # Execution

    def block(self, height: Height) -> Proposal | None:
        return self.oracles.blocks.get(height)

    def blocks_committed(self) -> None:
        self.after(1, self.executor.run)

    def execution_time_us(self) -> int:
        return 100 + int(self.random.random() * self.network.rates.execution_us)

    def deliver_result(self, result: BlockResult) -> None:
        if self.to_operate and result.production.operations > self._operated:
            self._operated = result.production.operations
            self._send_operation()
        for node in self.nodes:
            self._deliver(node, result)

    def _deliver(self, node: Node, result: BlockResult) -> None:
        life = node.lives
        self.after_in_order(
            ("execution", node.slot), lambda: node.take([BlockResultReceived(result)]) if node.lives == life else None
        )

    # Clients

    def admit(self, transactions: Sequence[PooledTransaction], to: Sequence[int] | None = None) -> None:
        for tx in transactions:
            self.pooled[tx.hash] = tx
        for node in self.nodes if to is None else [self.nodes[slot] for slot in to]:
            self.after_in_order(("rpc", node.slot), partial(self._offer, node, transactions))

    def operate(self, operations: Sequence[OrderedOperation]) -> None:
        """One after the other, each sent to everyone once the one before is executed, and again to who comes back."""
        self.to_operate = list(operations)
        self._send_operation()

    def _send_operation(self) -> None:
        if len(self.executor.operations) < len(self.to_operate):
            for node in self.nodes:
                self._send_operation_to(node)

    def _send_operation_to(self, node: Node) -> None:
        sent = self.to_operate[len(self.executor.operations) :][:1]
        if sent:
            received = OperationsReceived(AdmitOperations(tuple(sent)), 0)
            self.after_in_order(("rpc", node.slot), lambda: node.take([received]))

    def _offer(self, node: Node, transactions: Sequence[PooledTransaction]) -> None:
        states = tuple(self.executor.state(sender) for sender in sorted({tx.sender for tx in transactions}))
        node.take([AdmitReceived(Admit(tuple(transactions), states, Height(self.executor.height)), 0)])

    def _resend(self, node: Node) -> None:
        """As rpc does for a validator that comes back."""
        self._send_operation_to(node)
        waiting = [tx for tx in self.pooled.values() if tx.hash not in self.executor.included]
        if waiting:
            self.after_in_order(("rpc", node.slot), partial(self._offer, node, waiting))

    # Looking at it

    @property
    def honest(self) -> list[Node]:
        return [node for node in self.nodes if node.watched]

    @property
    def idle(self) -> bool:
        return not any(node.timers for node in self.nodes if node.alive)

    @property
    def round(self) -> Round:
        """The newest round that an honest replica is in."""
        return max(node.replica.core.status().round for node in self.honest if node.alive)

    def refused(self, node: Node, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        self.counts[f"refused: {type(error).__name__}"] += 1
        all_honest = all(other.watched for other in self.nodes)
        if peer is not None and all_honest and not self.changes_messages and peer not in self.oracles.forgetful:
            self.oracles.rejected(node.index, peer, error)
