"""Brings admitted transactions into the validators' mempools.

Every validator is sent every transaction that is not executed soon, but one that has stored it is enough to answer the
client: a mempool is durable, and rpc itself sends a transaction again to each validator that comes back until it is
executed or evicted, and rebuilds its pool from the mempools after its own restart. To lose it, rpc and the disk of that
validator must go together; waiting for more would make each transaction as slow as the slowest disk.

The leader proposes what it gets, while the others only keep it, on the same processors. So a transaction goes to the
leader at once, and if no other waits to be stored, to one other, which answers while the leader proposes.
Whoever leads next is told as soon as that is known. The rest are told of what is not executed soon, mostly of nothing.
Monad does the same: its nodes forward a transaction only to the validators that lead next.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.mempool import Admit, Admitted, PooledTransaction, SenderHints
from chain.types import Hash32, ValidatorIndex
from rpc.pool import TransactionPool
from rpc.tasks import Tasks
from rpc.transaction_errors import RefusedByValidators

log = logging.getLogger("tandem.rpc")

LATER_S = 0.01
"""How long the others wait for one that comes alone: about as long as a block takes, and a leader that is gone costs
more."""
LATER_IN_BURST_S = 0.2
"""The same where more come: longer than a leader waits for more, and the block takes that it makes of them; as long as
validators wait for a leader that may be gone."""
GROUPED_S = 0.05
"""What will be due so soon goes with what is due, so that messages are few."""
HINTS_S = 0.006
"""How long execution waits for the senders of what does not come alone: about as long as a leader waits for more and
the block takes to be committed. Each message wakes execution, on the processors that others need."""
BURST_S = 0.1
"""How long after one that came while another was under way a transaction is not taken to come alone: a client that does
not wait for receipts sends many, and now and then the ones before are executed just then."""
MAX_IN_FLIGHT = 2
"""Admit messages that one validator has not answered yet: the one that it handles and the next. What arrives meanwhile
makes a later one larger: a message costs as much as a dozen transactions."""
MAX_BATCH = 1_000
MAX_BATCH_BYTES = 1024 * 1024


@dataclass(slots=True)
class _Waiting:
    """A transaction that no validator has stored yet: who waits, what it replaced, which validators refused it."""

    transaction: PooledTransaction
    stored: "asyncio.Future[None]"
    replaced: PooledTransaction | None
    refused_by: int = 0


class _Feed:
    """The way to one validator: transactions not sent yet, in order, and a few batches on their way.

    What is kept back from it comes behind the backlog, as groups with the loop's time at which each is due. They are in
    the order in which they came and never due later than those behind them.
    """

    def __init__(self, index: ValidatorIndex, link: Link) -> None:
        self.index = index
        self.link = link
        self.backlog: deque[PooledTransaction] = deque()
        self.kept_back: deque[tuple[float, Sequence[PooledTransaction]]] = deque()
        self.in_flight = 0

    def keep_back(self, transactions: Sequence[PooledTransaction], due: float) -> None:
        """Those before go with them at the latest: a replacement may not overtake what it replaces."""
        later: list[Sequence[PooledTransaction]] = []
        while self.kept_back and self.kept_back[-1][0] > due:
            later.append(self.kept_back.pop()[1])
        self.kept_back.extend((due, group) for group in reversed(later))
        self.kept_back.append((due, transactions))

    def take_kept_back(self, until: float = math.inf) -> list[PooledTransaction]:
        """What is to be sent by then."""
        taken: list[PooledTransaction] = []
        while self.kept_back and self.kept_back[0][0] <= until:
            taken += self.kept_back.popleft()[1]
        return taken


class Delivery:
    """Sends what enters the pool to the validators, and their senders to execution, a batch for each loop turn.

    It goes at once to the `leader` alone, or with one other, if it is known and there; else to all.
    """

    def __init__(
        self,
        pool: TransactionPool,
        validators: Mapping[ValidatorIndex, Link],
        execution: Link,
        tasks: Tasks,
        leader: Callable[[], ValidatorIndex | None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._feeds = {index: _Feed(index, link) for index, link in validators.items()}
        self._all = sum(1 << index for index in validators)
        self._execution = execution
        self._tasks = tasks
        self._leader = leader
        self._new: list[PooledTransaction] = []
        self._timer: asyncio.TimerHandle | None = None
        """For the first of what is kept back."""
        self._wakes_at = 0.0
        """When it goes off. uvloop's handle cannot always be asked: that of a time which has passed has no `when`."""
        self._newest: tuple[float, Hash32] = 0.0, Hash32(b"")
        """What was sent last, and when."""
        self._burst_ends = 0.0
        self._unhinted: list[PooledTransaction] = []
        self._waiting: dict[Hash32, _Waiting] = {}

    @property
    def is_waited_for(self) -> bool:
        """Whether a client waits for a transaction to be stored."""
        return bool(self._waiting)

    def send(self, transaction: PooledTransaction, replaced: PooledTransaction | None) -> "asyncio.Future[None]":
        """Hand over a transaction that has just entered the pool.

        The future is done when the first validator has stored it, or fails with RefusedByValidators when all that are
        there refuse it; then it has left the pool again, and what it `replaced` is back.
        """
        loop = asyncio.get_running_loop()
        if not self._new:
            loop.call_soon(self._flush)
        self._new.append(transaction)
        waiting = self._waiting[transaction.hash] = _Waiting(transaction, loop.create_future(), replaced)
        return waiting.stored

    def resend(self, validator: ValidatorIndex) -> None:
        """A validator is (back) there: it gets the whole pool, after what has left that and is waited for: what was
        replaced while the validator was away goes ahead of its replacement."""
        feed = self._feeds[validator]
        left = [waiting.transaction for name, waiting in self._waiting.items() if name not in self._pool]
        feed.backlog = deque([*left, *self._pool])
        feed.kept_back.clear()
        self._pump(feed)

    def send_kept_back(self) -> None:
        """All validators get at once what some have not been sent yet."""
        for feed in self._feeds.values():
            self._send_to(feed, feed.take_kept_back())

    def send_to_leader(self) -> None:
        """Another validator may lead now: it gets at once what was kept back from it."""
        leader = self._connected_leader()
        if leader is not None and leader.kept_back:
            self._send_to(leader, leader.take_kept_back())

    def pass_on(self, transactions: Sequence[PooledTransaction], validators: Iterable[ValidatorIndex]) -> None:
        """Send what one validator held to others that got the pool before."""
        for index in validators:
            feed = self._feeds[index]
            if transactions and feed.link.connected:
                feed.backlog.extend(transactions)
                self._pump(feed)

    def settled(self, hashes: Iterable[Hash32]) -> None:
        """These were included or given up, which says better than any answer that a validator had taken them."""
        if self._waiting:
            for transaction_hash in hashes:
                self._stored(transaction_hash)

    def connected(self) -> int:
        """The validators that are there, as a bit mask."""
        return sum(1 << feed.index for feed in self._feeds.values() if feed.link.connected)

    def _flush(self) -> None:
        new, self._new = self._new, []
        now = asyncio.get_running_loop().time()
        alone, leader = self._is_alone(new, now), self._connected_leader()
        leaders = tuple(self._feeds.values()) if leader is None else (leader,)
        witnesses = [] if leader is None or len(self._waiting) > 1 else self._witness(leader)
        for feed in leaders:
            self._send_to(feed, [*feed.take_kept_back(), *new])
        for feed in witnesses:  # only to store these: it need not be able to propose them
            self._send_to(feed, new)
        self._keep_back(new, (*leaders, *witnesses), now + (LATER_S if alone else LATER_IN_BURST_S))
        self._hint_soon(new, alone)

    def _is_alone(self, new: Sequence[PooledTransaction], now: float) -> bool:
        """Whether none came lately while another was under way: its client sends one and waits for its receipt."""
        sent_at, newest = self._newest
        if len(new) > 1 or (newest in self._pool and now - sent_at < BURST_S):
            self._burst_ends = now + BURST_S
        self._newest = now, new[-1].hash
        return now >= self._burst_ends

    def _connected_leader(self) -> _Feed | None:
        index = self._leader()
        leader = None if index is None else self._feeds.get(index)
        return leader if leader is not None and leader.link.connected else None

    def _witness(self, leader: _Feed) -> list[_Feed]:
        """The first that is there of those before the leader: by turns they lead last."""
        feeds = list(self._feeds.values())
        at = feeds.index(leader)
        before = reversed(feeds[at + 1 :] + feeds[:at])
        return [feed for feed in before if feed.link.connected][:1]

    def _send_to(self, feed: _Feed, transactions: Sequence[PooledTransaction]) -> None:
        """One that is away gets the whole pool when it is back."""
        if transactions and feed.link.connected:
            feed.backlog.extend(transactions)
            self._pump(feed)
            self._prune(feed)

    def _keep_back(self, transactions: Sequence[PooledTransaction], told: Sequence[_Feed], due: float) -> None:
        others = [feed for feed in self._feeds.values() if feed not in told]
        for feed in others:
            feed.keep_back(transactions, due)
        if others:
            self._wake_at(due)

    def _wake_at(self, due: float) -> None:
        if self._timer is not None and self._wakes_at > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._wakes_at = due
            self._timer = asyncio.get_running_loop().call_at(due, self._send_due)

    def _send_due(self) -> None:
        self._timer = None
        until = asyncio.get_running_loop().time() + GROUPED_S
        for feed in self._feeds.values():
            while feed.kept_back and not any(map(self._is_wanted, feed.kept_back[0][1])):
                feed.kept_back.popleft()
            self._send_to(feed, feed.take_kept_back(until))
        dues = [feed.kept_back[0][0] for feed in self._feeds.values() if feed.kept_back]
        if dues:
            self._wake_at(min(dues))

    def _is_wanted(self, transaction: PooledTransaction) -> bool:
        """Neither executed nor given up, or a client waits for it: one replaced goes ahead of its replacement."""
        return transaction.hash in self._pool or transaction.hash in self._waiting

    def _hint_soon(self, transactions: Sequence[PooledTransaction], alone: bool) -> None:
        """After they were sent to the validators: the hints are not needed before a block."""
        if not self._unhinted:
            asyncio.get_running_loop().call_later(0.0 if alone else HINTS_S, self._hint)
        self._unhinted.extend(transactions)

    def _hint(self) -> None:
        hinted, self._unhinted = self._unhinted, []
        self._execution.notify(SenderHints(tuple((t.hash, t.sender) for t in hinted)))

    def _prune(self, feed: _Feed) -> None:
        """A validator that is there but stopped takes nothing: what is executed meanwhile need not wait for it."""
        if len(feed.backlog) > 2 * len(self._pool) + MAX_BATCH:
            feed.backlog = deque(filter(self._is_wanted, feed.backlog))

    def _pump(self, feed: _Feed) -> None:
        while feed.in_flight < MAX_IN_FLIGHT and (batch := self._next_batch(feed.backlog)):
            feed.in_flight += 1
            self._tasks.start(self._deliver(feed, batch))

    def _next_batch(self, backlog: deque[PooledTransaction]) -> tuple[PooledTransaction, ...]:
        """The next to send, without those that nobody wants any more."""
        batch: list[PooledTransaction] = []
        size = 0
        while backlog and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            transaction = backlog.popleft()
            if self._is_wanted(transaction):
                batch.append(transaction)
                size += len(transaction.raw)
        return tuple(batch)

    async def _deliver(self, feed: _Feed, batch: tuple[PooledTransaction, ...]) -> None:
        try:
            answer: Admitted = await feed.link.request(self._admit(batch))
            refused = dict(answer.refused)
        except RequestFailed as failure:
            if failure.error == LinkClosed.__name__:  # it is stopping: what it did not store it gets when it is back
                return
            log.error("validator %d failed to admit %d transactions: %s", feed.index, len(batch), failure.text)
            refused = {transaction.hash: failure.text for transaction in batch}
        finally:
            feed.in_flight -= 1
        self._answered(feed.index, batch, refused)
        self._pump(feed)

    def _admit(self, batch: Sequence[PooledTransaction]) -> Admit:
        states = (self._pool.state(address) for address in dict.fromkeys(t.sender for t in batch))
        return Admit(tuple(batch), tuple(state for state in states if state is not None), self._pool.height)

    def _answered(
        self, validator: ValidatorIndex, batch: Sequence[PooledTransaction], refused: Mapping[Hash32, str]
    ) -> None:
        for transaction in batch:
            reason = refused.get(transaction.hash)
            if reason is None:
                self._pool.held_by(transaction.hash, validator)
                self._stored(transaction.hash)
            else:
                self._refused(transaction.hash, validator, reason)

    def _stored(self, transaction_hash: Hash32) -> None:
        waiting = self._waiting.pop(transaction_hash, None)
        if waiting is not None and not waiting.stored.done():
            waiting.stored.set_result(None)

    def _refused(self, transaction_hash: Hash32, validator: ValidatorIndex, reason: str) -> None:
        """Fails the transaction once nobody is left who might take it. One that was stored somewhere stays, even if
        only a validator that is away now has it."""
        waiting = self._waiting.get(transaction_hash)
        if waiting is None:
            self._pool.given_up_by(transaction_hash, validator, reason, self._all)
            return
        waiting.refused_by |= 1 << validator
        if self.connected() & ~waiting.refused_by:
            return
        del self._waiting[transaction_hash]
        self._pool.withdraw(transaction_hash, waiting.replaced)
        if not waiting.stored.done():
            waiting.stored.set_exception(RefusedByValidators(reason))
