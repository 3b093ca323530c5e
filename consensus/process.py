"""The validator process: gives the replica a clock, timers, peers, and a socket that others ask and follow.

Everything that arrives waits in one bounded inbox (`inbox.py`); once a turn of the event loop the replica handles what
is due as one group, with one durable write. Nothing runs between turns, so an idle validator uses no CPU.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from chain.codec import MessageError, decode_message
from chain.genesis import Genesis
from chain.links import LinkClosed, Peer
from chain.messages import Message
from chain.messages.faults import Equivocate
from chain.messages.mempool import (
    Admit,
    Admitted,
    BlockResult,
    ConsensusNews,
    FollowCommits,
    FollowConsensus,
    MempoolPage,
    ReadMempool,
    ResultsTaken,
)
from chain.messages.watching import ConsensusView, ReadConsensus, WatchBlocks
from chain.operations import AdmitOperations, OperationsAdmitted
from chain.proposals import CommitProof
from chain.types import ExecutorIndex, Hash32, Height, ValidatorIndex
from consensus.errors import (
    ConsensusError,
    Flooded,
    MalformedMessage,
    NotAPeerMessage,
    NotAValidator,
    Rejected,
    UnknownRequest,
)
from consensus.events import MessageReceived, PeerConnected, PeerMessage, Started, Timer, TimerFired
from consensus.followers import CommitFollowers, ConsensusFollowers
from consensus.inbox import Inbox
from consensus.introductions import Introductions
from consensus.mempool import DEFAULT_LIMITS, MempoolLimits
from consensus.rejections import NOBODY, STRANGER
from consensus.replica import FIRST_EXECUTOR, AdmitReceived, BlockResultReceived, Input, OperationsReceived, Replica
from consensus.settings import DEFAULT_SETTINGS, ConsensusSettings
from consensus.signatures import Ed25519Signer, Ed25519Verifier
from consensus.store import KeyValue

MEMPOOL_PAGE = 512

log = logging.getLogger("tandem.consensus")


class Peers(Protocol):
    """The links to the other validators, one non-blocking bounded queue each."""

    def send(self, to: ValidatorIndex, message: Message) -> None:
        """Queue a message; when the queue is full its oldest goes. Never waits, never raises."""
        ...

    @property
    def connected(self) -> int:
        """How many of the others are connected."""
        ...

    @property
    def queued_bytes(self) -> int: ...

    @property
    def dropped_frames(self) -> int: ...


class ValidatorProcess:
    """One validator. Implements `chain.links.Service`, and `consensus.replica.Environment` towards its replica.

    Made inside a running event loop. `receive` and `peer_connected` are for the links to the other validators.
    `executor_of` tells by a peer's name which executor it is, and raises if it is none.
    """

    def __init__(
        self,
        index: ValidatorIndex,
        genesis: Genesis,
        private_key: bytes,
        database: KeyValue,
        peers: Peers,
        settings: ConsensusSettings = DEFAULT_SETTINGS,
        limits: MempoolLimits = DEFAULT_LIMITS,
        executor_of: Callable[[str], ExecutorIndex] = lambda _: FIRST_EXECUTOR,
    ) -> None:
        signer = Ed25519Signer(private_key)
        if not 0 <= index < len(genesis.validators) or genesis.validators[index].public_key != signer.public_key:
            raise NotAValidator(
                f"the key of validator {index} is not the one that genesis names: put back the key that the chain was "
                "made with, or start a new chain in another data folder"
            )
        verifier = Ed25519Verifier([identity.public_key for identity in genesis.validators])
        self._index = index
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(ValidatorIndex(i) for i in range(len(genesis.validators)) if i != index)
        self._turn: asyncio.Handle | None = None
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._admissions: dict[int, asyncio.Future[Any]] = {}
        self._results: deque[tuple[BlockResultReceived, asyncio.Future[None]]] = deque()
        self._held: dict[ExecutorIndex, tuple[Height, asyncio.Future[None]]] = {}
        self._executor_of = executor_of
        self._tickets = 0
        self._closed = False
        self.dropped_messages = 0
        self.introductions = Introductions(index, genesis, signer, verifier)
        self._replica = Replica(index, genesis, signer, verifier, database, self, settings, limits)
        store, mempool = self._replica.store, self._replica.mempool
        self._commits = CommitFollowers(store)
        self._news = ConsensusFollowers(self.status, mempool.__contains__, store.evictions)

    def start(self) -> None:
        """Begin to act on what the store holds."""
        self._put(Started())

    async def close(self) -> None:
        """Stop acting; what was asked and not answered fails with LinkClosed."""
        self._stop()
        await self._commits.close()

    def status(self) -> ConsensusNews:
        """This validator's view of the chain, now."""
        core, mempool, peers = self._replica.core.status(), self._replica.mempool, self._peers
        return ConsensusNews(
            validator=self._index,
            round=core.round,
            leader=core.leader,
            proposed=core.proposed,
            certified=core.certified,
            committed=core.committed,
            committed_depth=self._replica.store.committed_depth,
            committed_proposal=self._replica.store.committed_proposal,
            executed=core.executed,
            executed_hash=core.executed_hash,
            verified=core.verified,
            verified_hash=core.verified_hash,
            executors=self._replica.executors.news(),
            timeouts=core.timeouts,
            mempool_transactions=len(mempool),
            mempool_bytes=mempool.size_bytes,
            connected_peers=peers.connected,
            queued_bytes=peers.queued_bytes,
            dropped_frames=peers.dropped_frames + self.dropped_messages,
            rejections=self._replica.rejections.listed(),
            late=self._replica.late.listed(),
            equivocating_turns=self._replica.equivocator.turns,
        )

    def rejections(self) -> dict[tuple[int, str], int]:
        """How often each peer (-1: nobody in particular) sent something to refuse, by the name of the reason."""
        return self._replica.rejections.as_dict()

    # The other validators

    def receive(self, sender: ValidatorIndex, payload: bytes) -> None:
        """A message of another validator arrived, encoded."""
        if self._closed:
            return
        dropped = self._inbox.put_message(sender, payload)
        if dropped:
            self.dropped_messages += dropped
            self.refuse(sender, Flooded(dropped), dropped)
        self._wake()

    def refuse(self, peer: ValidatorIndex | None, error: Rejected, times: int = 1) -> None:
        """Counts something that arrived and that nobody acts on. Strangers count as `rejections.STRANGER`."""
        self._replica.rejections.count(peer, type(error).__name__, times)
        self.report(peer, error)
        self._news.changed()

    def peer_connected(self, index: ValidatorIndex) -> None:
        """The link to that validator is up (again)."""
        if not self._closed:
            self._put(PeerConnected(index))

    # Service

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        match message:
            case Admit():
                return await self._admit(message)
            case AdmitOperations():
                return await self._admit_operations(message)
            case BlockResult():
                self._commits.executed(peer, message.height)
                return await self._take_result(message, self._executor_of(peer.name))
            case WatchBlocks(after) if after is not None:
                self._news.watch(peer, self._replica.stages.after(after))
            case WatchBlocks():
                self._news.unwatch(peer)
            case ReadConsensus():
                return ConsensusView(self._replica.certificates.newest(), self._replica.core.status().suspected)
            case FollowCommits(after):
                self._commits.follow(peer, after)
            case FollowConsensus():
                self._news.follow(peer)
            case Equivocate(turns):
                self._replica.equivocator.begin(turns)
                self._news.changed()
            case ReadMempool(after):
                return MempoolPage(*self._replica.mempool.transactions_after(after, MEMPOOL_PAGE))
            case _:
                raise UnknownRequest(type(message).__name__)
        return None

    def joined(self, peer: Peer) -> None:
        """Nothing is kept for a peer before it asks."""

    def left(self, peer: Peer) -> None:
        self._commits.forget(peer)
        self._news.forget(peer)

    async def _admit(self, admit: Admit) -> Admitted:
        answer: asyncio.Future[Admitted] = self._loop.create_future()
        self._tickets += 1
        self._put(AdmitReceived(admit, self._tickets))
        self._admissions[self._tickets] = answer
        return await answer

    async def _admit_operations(self, admit: AdmitOperations) -> OperationsAdmitted:
        answer: asyncio.Future[OperationsAdmitted] = self._loop.create_future()
        self._tickets += 1
        self._put(OperationsReceived(admit, self._tickets))
        self._admissions[self._tickets] = answer
        return await answer

    async def _take_result(self, result: BlockResult, executor: ExecutorIndex) -> ResultsTaken:
        taken: asyncio.Future[None] = self._loop.create_future()
        received = BlockResultReceived(result, executor)
        self._put(received)
        self._results.append((received, taken))
        await taken
        executors = self._replica.executors
        return ResultsTaken(executors.newest_of(executor) if executors.counts(executor) else result.height)

    # Environment of the replica

    def send(self, to: ValidatorIndex, message: PeerMessage) -> None:
        self._peers.send(to, message)

    def set_timer(self, timer: Timer, token: int, delay_ms: int) -> None:
        self.cancel_timer(timer)
        self._timers[timer] = self._loop.call_later(delay_ms / 1000, self._fire, timer, token)

    def cancel_timer(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def admitted(self, ticket: int, answer: Admitted | OperationsAdmitted) -> None:
        future = self._admissions.pop(ticket, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None:
        for hash, reason in transactions:
            log.info("gave up transaction 0x%s: %s", hash.hex(), reason)
        self._news.evicted(transactions)

    def blocks_committed(self, proof: CommitProof | None) -> None:
        self._commits.blocks_committed(proof)

    def report(self, peer: ValidatorIndex | None, error: ConsensusError) -> None:
        """Logs the first of a kind, the tenth, the hundredth: a flood must not fill the log too."""
        times = self._replica.rejections.of(peer, type(error).__name__)
        if times == 10 ** (len(str(times)) - 1):
            log.warning("%s: %s (%d so far): %s", _named(peer), type(error).__name__, times, error)

    # Turns

    def _fire(self, timer: Timer, token: int) -> None:
        self._timers.pop(timer, None)
        self._put(TimerFired(timer, token))

    def _put(self, item: Input) -> None:
        if self._closed:
            raise LinkClosed("this validator is stopping")
        self._inbox.put(item)
        self._wake()

    def _wake(self) -> None:
        if self._turn is None:
            self._turn = self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        own, messages = self._inbox.take()
        group = [*own, *self._decoded(messages)]
        self._turn = self._loop.call_soon(self._take_turn) if self._inbox else None
        try:
            self._replica.handle(group, int(time.time() * 1000))
        except Exception:
            self._stop()  # memory and disk may differ now; only a restart makes them one again
            raise
        for item in group:
            if isinstance(item, BlockResultReceived):
                self._result_handled(item)
        self._release_held()
        self._news.stages_reached(self._replica.stages.take_changes())
        self._news.changed()

    def _result_handled(self, item: BlockResultReceived) -> None:
        """Answers the executor, unless it is so far ahead of the others that it must wait for them."""
        received, taken = self._results.popleft()
        assert received is item
        _, held_before = self._held.pop(item.executor, (None, None))
        if held_before is not None:
            _finish(held_before)
        self._held[item.executor] = item.result.height, taken

    def _release_held(self) -> None:
        for executor, (height, taken) in list(self._held.items()):
            if not self._replica.executors.must_wait(executor, height):
                del self._held[executor]
                _finish(taken)

    def _decoded(self, messages: Sequence[tuple[ValidatorIndex, bytes]]) -> Iterator[MessageReceived]:
        for sender, payload in messages:
            try:
                message = decode_message(payload)
            except MessageError as error:
                self.refuse(sender, MalformedMessage(str(error)))
                continue
            if isinstance(message, self._replica.rules.messages):
                yield MessageReceived(sender, message)
            else:
                self.refuse(sender, NotAPeerMessage(type(message).__name__))

    def _stop(self) -> None:
        self._closed = True
        if self._turn is not None:
            self._turn.cancel()
        for timer in list(self._timers):
            self.cancel_timer(timer)
        self._news.close()
        self._inbox.clear()
        for admission in self._admissions.values():
            _fail(admission)
        for _, taken in [*self._results, *self._held.values()]:
            _fail(taken)
        self._admissions.clear()
        self._results.clear()
        self._held.clear()


def _fail(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(LinkClosed("this validator is stopping"))


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _named(peer: ValidatorIndex | None) -> str:
    if peer is None or peer == NOBODY:
        return "own state"
    return "a stranger" if peer == STRANGER else f"validator {peer}"
