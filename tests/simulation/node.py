"""One replica's process: it can die, sleep, and come back with what its disk kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from chain.messages.mempool import Admitted
from chain.operations import OperationsAdmitted
from chain.proposals import CommitProof
from chain.types import Hash32, ValidatorIndex
from consensus.errors import ConsensusError
from consensus.events import PeerMessage, Started, Timer, TimerFired
from consensus.replica import Environment, Input, Replica
from consensus.signatures import Signer
from tests.consensus.builders import CheapSigner
from tests.simulation.disk import Crashed, Disk
from tests.simulation.network import Network
from tests.simulation.oracles import Oracles, safety_of

MAX_GROUP = 64
"""As many as a validator process takes at once of its own (`consensus.inbox.MAX_OWN`)."""


class Surroundings(Protocol):
    """What a node needs of the world."""

    counts: Counter[str]
    network: Network
    oracles: Oracles

    @property
    def now_ms(self) -> int: ...

    def after(self, delay_us: int, action: Callable[[], None]) -> None: ...

    def transmit(self, sender: "Node", to: ValidatorIndex, message: PeerMessage) -> None: ...

    def blocks_committed(self) -> None: ...

    def refused(self, node: "Node", peer: ValidatorIndex | None, error: ConsensusError) -> None: ...

    def replica(self, node: "Node", signer: Signer, environment: Environment) -> Replica: ...


class WatchedSigner:
    """Tells what was signed, in order."""

    def __init__(self, index: ValidatorIndex, signed: list[bytes]) -> None:
        self._signer = CheapSigner(index)
        self._signed = signed

    def sign(self, content: bytes) -> bytes:
        self._signed.append(content)
        return self._signer.sign(content)


class Node:
    """`slot` is its place in the world, `index` the validator it is. `watched` is False for liars."""

    def __init__(self, world: Surroundings, slot: int, index: ValidatorIndex, watched: bool = True) -> None:
        self.world = world
        self.slot = slot
        self.index = index
        self.watched = watched
        self.disk = Disk(self.signatures_are_durable)
        self.timers: dict[Timer, int] = {}
        self.lives = 0
        self.alive = False
        self.paused = False
        self.skew_ms = 0
        self.sends_left: int | None = None
        self.waiting: list[Input] = []
        self.checked_depth = 0
        self.given_up: dict[Hash32, str] = {}
        self.replica: Replica
        self._signed: list[bytes] = []

    @property
    def now_ms(self) -> int:
        return self.world.now_ms + self.skew_ms

    def start(self) -> None:
        self.lives += 1
        self.alive = True
        try:
            self.replica = self.world.replica(self, WatchedSigner(self.index, self._signed), self)
        except Crashed:
            self.die()
            return
        depth = self.replica.store.committed_depth
        if self.watched:
            self.world.oracles.kept(self.index, depth, self.replica.store.id_at_depth)
        self.checked_depth = min(self.checked_depth, depth)
        self.take([Started()])

    def take(self, inputs: Sequence[Input]) -> None:
        if not self.alive:
            return
        if self.paused:
            self.waiting.extend(inputs)
            return
        try:
            self.replica.handle(inputs, self.now_ms)
        except Crashed:
            self.die()
            return
        self.signatures_are_durable()
        self._check(inputs)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        waiting, self.waiting = self.waiting, []
        for start in range(0, len(waiting), MAX_GROUP):
            self.take(waiting[start : start + MAX_GROUP])

    def die(self) -> None:
        self.alive = self.paused = False
        self.sends_left = None
        self.timers = {}
        self.waiting = []
        self._signed.clear()
        self.disk.repair()

    def forget(self) -> None:
        """Whatever was on the disk."""
        self.disk = Disk(self.signatures_are_durable)
        self.checked_depth = 0

    def signatures_are_durable(self) -> None:
        """What was signed so far may leave, so it counts."""
        if self.watched:
            for content in self._signed:
                self.world.oracles.signed(self.index, content)
        self._signed.clear()

    def _check(self, inputs: Sequence[Input]) -> None:
        store = self.replica.store
        if not self.watched:
            return
        while self.checked_depth < store.committed_depth:
            self.checked_depth += 1
            id = store.id_at_depth(self.checked_depth)
            assert id is not None
            if self.world.oracles.committed(self.checked_depth, id, partial(store.proposal, id)):
                self.world.counts["proposals committed"] += 1
                self.world.blocks_committed()
        self.world.oracles.remembers(self.index, safety_of(self.replica.core))

    # Environment

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        self.signatures_are_durable()
        if self.sends_left is not None:
            if self.sends_left == 0:
                raise Crashed
            self.sends_left -= 1
        self.world.transmit(self, to, message)

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None:
        self.timers[timer] = token
        life = self.lives
        self.world.after(delay_ms * 1000, lambda: self.fire(timer, token, life))

    def cancel_timer(self, timer: Timer) -> None:
        self.timers.pop(timer, None)

    def fire(self, timer: Timer, token: int, life: int) -> None:
        if self.alive and life == self.lives and self.timers.get(timer) == token:
            del self.timers[timer]
            self.world.counts[f"timer fired: {timer.name.lower()}"] += 1
            self.take([TimerFired(timer, token)])

    def admitted(self, ticket: int, answer: Admitted | OperationsAdmitted) -> None:
        """Whoever was refused sees that its transaction is never included."""

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None:
        self.given_up.update(transactions)

    def blocks_committed(self, proof: CommitProof | None) -> None:
        """The world looks for itself, after every step."""

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        self.world.refused(self, peer, error)
