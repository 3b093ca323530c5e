"""A whole chain in one thread: replicas, the network between them, execution, and a clock that only events move.

Everything that happens is decided by one seed. Replicas are the real ones, with their mempools and stores; signatures
are cheap stand-ins and execution is a ledger of nonces. Faults are switched on by `Faults` and by calling `crash`,
`restart`, `split` and `heal`. The oracles run as things happen: two replicas never commit different proposals at one
height, no replica signs two votes for one round (whatever it lost in a crash), and nothing is included twice.
"""

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from chain.keccak import keccak256
from chain.messages.mempool import Admit, Admitted, BlockResult, LeftOut, PooledTransaction, SenderState
from chain.proposals import Proposal
from chain.types import Address, BlockNumber, Hash32, Round, ValidatorIndex, Wei
from consensus.errors import ConsensusError
from consensus.events import MessageReceived, PeerConnected, PeerMessage, Started, Timer, TimerFired
from consensus.replica import AdmitReceived, BlockResultReceived, Input, Replica
from consensus.settings import DEFAULT_SETTINGS, ConsensusSettings
from consensus.wire import Vote
from tests.consensus.builders import (
    ETHER,
    GWEI,
    START_MS,
    CheapSigner,
    CheapVerifier,
    CrashableDatabase,
    make_genesis,
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Chances per message, and the longest delays in microseconds.

    `drops` says for a kind of message how often it is lost, instead of `drop`: losing votes and news of certificates,
    but few timeouts, hides certificates from most replicas, and that is what makes branches compete.
    """

    drop: float = 0.0
    drops: Mapping[type, float] = field(default_factory=dict)
    duplicate: float = 0.0
    delay_us: int = 500
    execution_us: int = 2_000


class Node:
    """One replica's process: it can die and come back with what its database kept."""

    def __init__(self, world: "World", index: ValidatorIndex) -> None:
        self.world = world
        self.index = index
        self.database = CrashableDatabase()
        self.timers: dict[Timer, int] = {}
        self.lives = 0
        self.alive = False
        self.sends_left: int | None = None
        self.checked_height = 0
        self.given_up: dict[Hash32, str] = {}
        self.reports: list[ConsensusError] = []
        self.replica: Replica

    def start(self) -> None:
        self.lives += 1
        self.alive = True
        self.sends_left = None
        self.timers = {}
        genesis, settings = self.world.genesis, self.world.settings
        self.replica = Replica(
            self.index, genesis, CheapSigner(self.index), CheapVerifier(), self.database, self, settings
        )
        self.checked_height = min(self.checked_height, self.replica.store.committed_height)
        self.take([Started()])

    def take(self, inputs: Sequence[Input]) -> None:
        if self.alive:
            self.replica.handle(inputs, self.world.now_ms)
            self.check_commits()
            if self.sends_left is not None:
                self.world.crash(self.index)

    def check_commits(self) -> None:
        store = self.replica.store
        for height in range(self.checked_height + 1, store.committed_height + 1):
            id = store.id_at_height(height)
            assert id is not None
            self.world.observe_commit(height, store.proposal(id))
        self.checked_height = store.committed_height

    # Environment

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        if self.sends_left is not None:
            if self.sends_left == 0:
                return
            self.sends_left -= 1
        if isinstance(message, Vote):
            self.world.observe_vote(message)
        self.world.transmit(self.index, to, message)

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None:
        self.timers[timer] = token
        life = self.lives
        self.world.after(delay_ms * 1000, lambda: self.fire(timer, token, life))

    def cancel_timer(self, timer: Timer) -> None:
        self.timers.pop(timer, None)

    def fire(self, timer: Timer, token: int, life: int) -> None:
        if self.alive and life == self.lives and self.timers.get(timer) == token:
            del self.timers[timer]
            self.take([TimerFired(timer, token)])

    def admitted(self, ticket: int, answer: Admitted) -> None:
        self.world.observe_admitted(self.index, answer)

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None:
        self.given_up.update(transactions)

    def blocks_committed(self) -> None:
        self.world.after(1, self.world.executor.run)

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        self.reports.append(error)


@dataclass(slots=True)
class Executor:
    """Execution as validators see it: takes committed blocks in order, answers with nonces and balances."""

    world: "World"
    number: int = 0
    busy: bool = False
    nonces: dict[Address, int] = field(default_factory=dict)
    results: list[BlockResult] = field(default_factory=list)
    included: dict[Hash32, int] = field(default_factory=dict)
    left_out: list[tuple[Hash32, str]] = field(default_factory=list)

    def run(self) -> None:
        proposal = self.world.blocks.get(BlockNumber(self.number + 1))
        if proposal is None or self.busy:
            return
        self.busy = True
        delay = self.world.random.randrange(100, self.world.faults.execution_us + 101)
        self.world.after(delay, lambda: self.finish(proposal))

    def finish(self, proposal: Proposal) -> None:
        self.busy = False
        self.number += 1
        included: list[Hash32] = []
        left_out: list[LeftOut] = []
        touched: set[Address] = set()
        for raw in proposal.transactions:
            tx = self.world.pooled[keccak256(raw)]
            nonce = self.nonces.get(tx.sender, 0)
            if tx.nonce != nonce:
                left_out.append(LeftOut(tx.hash, f"nonce {tx.nonce} at {nonce}", retry=tx.nonce > nonce))
                continue
            assert tx.hash not in self.included, "a transaction was included twice"
            self.nonces[tx.sender] = nonce + 1
            self.included[tx.hash] = self.number
            included.append(tx.hash)
            touched.add(tx.sender)
        self.left_out.extend((left.hash, left.reason) for left in left_out)
        result = BlockResult(
            number=BlockNumber(self.number),
            proposal=proposal.id,
            header_hash=keccak256(b"header" + proposal.id),
            gas_limit=self.world.genesis.gas_limit,
            next_base_fee=Wei(GWEI),
            included=tuple(included),
            left_out=tuple(left_out),
            senders=tuple(self.state(sender) for sender in sorted(touched)),
        )
        self.results.append(result)
        for node in self.world.nodes:
            self.deliver(node, result)
        self.run()

    def deliver(self, node: Node, result: BlockResult) -> None:
        life = node.lives
        self.world.after_in_order(
            ("execution", node.index), lambda: node.take([BlockResultReceived(result)]) if node.lives == life else None
        )

    def catch_up(self, node: Node) -> None:
        """A validator came back: it gets again what it may have missed."""
        executed = node.replica.core.status().executed
        for result in self.results[executed:]:
            self.deliver(node, result)

    def state(self, sender: Address) -> SenderState:
        return SenderState(sender, self.nonces.get(sender, 0), Wei(1000 * ETHER))


class World:
    def __init__(
        self,
        seed: int,
        validators: int = 4,
        faults: Faults = Faults(),
        settings: ConsensusSettings = DEFAULT_SETTINGS,
        max_lag: int = 3,
    ) -> None:
        self.random = random.Random(seed)
        self.genesis = make_genesis(validators, max_lag)
        self.settings = settings
        self.faults = faults
        self.now_us = 0
        self.events = 0
        self.messages = 0
        self.pooled: dict[Hash32, PooledTransaction] = {}
        self.blocks: dict[BlockNumber, Proposal] = {}
        self.chain: dict[int, Hash32] = {}
        self.votes: dict[tuple[ValidatorIndex, Round], Hash32] = {}
        self.refused: list[tuple[ValidatorIndex, Hash32, str]] = []
        self.group_of: dict[ValidatorIndex, int] = {}
        self.executor = Executor(self)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._last_in_order: dict[object, int] = {}
        self.nodes = [Node(self, ValidatorIndex(i)) for i in range(validators)]
        for node in self.nodes:
            node.start()

    @property
    def now_ms(self) -> int:
        return START_MS + self.now_us // 1000

    def after(self, delay_us: int, action: Callable[[], None]) -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (self.now_us + delay_us, self._sequence, action))

    def after_in_order(self, lane: object, action: Callable[[], None]) -> None:
        """As one connection delivers: late, but in the order sent."""
        at = max(self.now_us + self.random.randrange(20, self.faults.delay_us + 21), self._last_in_order.get(lane, 0))
        self._last_in_order[lane] = at
        self.after(at - self.now_us, action)

    # The network

    def connected(self, a: ValidatorIndex, b: ValidatorIndex) -> bool:
        return self.group_of.get(a, 0) == self.group_of.get(b, 0)

    def transmit(self, sender: ValidatorIndex, to: ValidatorIndex, message: PeerMessage) -> None:
        self.messages += 1
        copies = 0 if self.random.random() < self.faults.drops.get(type(message), self.faults.drop) else 1
        if self.random.random() < self.faults.duplicate:
            copies += 1
        for _ in range(copies):
            delay = self.random.randrange(20, self.faults.delay_us + 21)
            self.after(delay, partial(self.arrive, sender, to, message, self.nodes[to].lives))

    def arrive(self, sender: ValidatorIndex, to: ValidatorIndex, message: PeerMessage, life: int) -> None:
        if self.connected(sender, to) and self.nodes[to].lives == life:
            self.nodes[to].take([MessageReceived(sender, message)])

    def greet(self, a: ValidatorIndex) -> None:
        """Connects a node to all it can reach, as its links do when it starts."""
        for b in range(len(self.nodes)):
            other = ValidatorIndex(b)
            if other != a and self.connected(a, other) and self.nodes[a].alive and self.nodes[b].alive:
                self.nodes[a].take([PeerConnected(other)])
                self.nodes[b].take([PeerConnected(a)])

    def split(self, groups: Sequence[Sequence[int]]) -> None:
        self.group_of = {ValidatorIndex(member): i for i, group in enumerate(groups) for member in group}

    def heal(self) -> None:
        self.group_of = {}
        for node in self.nodes:
            self.greet(node.index)

    def crash(self, index: int, unsynced_lost: int = 0) -> None:
        node = self.nodes[index]
        node.alive = False
        node.sends_left = None
        node.timers = {}
        node.database.lose_unsynced(unsynced_lost)

    def crash_while_sending(self, index: int) -> None:
        """At the next thing it does: after the durable write, in the middle of its messages."""
        self.nodes[index].sends_left = self.random.randrange(3)

    def restart(self, index: int) -> None:
        node = self.nodes[index]
        if not node.alive:
            node.start()
            self.greet(node.index)
            self.executor.catch_up(node)
            self.resend(node)

    # Clients

    def admit(self, transactions: Sequence[PooledTransaction], to: Sequence[int] | None = None) -> None:
        for tx in transactions:
            self.pooled[tx.hash] = tx
        for index in range(len(self.nodes)) if to is None else to:
            self.after_in_order(("rpc", index), lambda node=self.nodes[index]: self.offer(node, transactions))  # type: ignore[misc]

    def offer(self, node: Node, transactions: Sequence[PooledTransaction]) -> None:
        states = tuple(self.executor.state(sender) for sender in sorted({tx.sender for tx in transactions}))
        node.take([AdmitReceived(Admit(tuple(transactions), states, BlockNumber(self.executor.number)), 0)])

    def resend(self, node: Node) -> None:
        """As rpc does for a validator that comes back."""
        waiting = [tx for tx in self.pooled.values() if tx.hash not in self.executor.included]
        if waiting:
            self.after_in_order(("rpc", node.index), lambda: self.offer(node, waiting))

    # Oracles

    def observe_commit(self, height: int, proposal: Proposal) -> None:
        agreed = self.chain.setdefault(height, proposal.id)
        assert agreed == proposal.id, f"two proposals are committed at height {height}"
        if proposal.makes_block:
            self.blocks[proposal.number] = proposal

    def observe_vote(self, vote: Vote) -> None:
        voted = self.votes.setdefault((vote.validator, vote.round), vote.proposal)
        assert voted == vote.proposal, f"validator {vote.validator} voted twice in round {vote.round}"

    def observe_admitted(self, index: ValidatorIndex, answer: Admitted) -> None:
        self.refused.extend((index, hash, reason) for hash, reason in answer.refused)

    # Running

    def run_for(self, duration_ms: int) -> None:
        end = self.now_us + duration_ms * 1000
        while self._queue and self._queue[0][0] <= end:
            self._step()
        self.now_us = end

    def run_until_quiet(self, limit_ms: int = 120_000) -> None:
        """Until nothing is on its way and no timer runs. Fails if that takes longer than the limit."""
        end = self.now_us + limit_ms * 1000
        while self._queue:
            assert self._queue[0][0] <= end, f"the chain is still busy after {limit_ms} ms"
            self._step()

    def _step(self) -> None:
        self.now_us, _, action = heapq.heappop(self._queue)
        self.events += 1
        action()

    @property
    def idle(self) -> bool:
        return not any(node.timers for node in self.nodes if node.alive)
