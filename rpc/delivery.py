"""Brings admitted transactions into the validators' mempools.

Every validator is sent every transaction that is not executed soon, but one that has stored it is enough to answer the
client: a mempool is durable, and rpc itself sends a transaction again to each validator that comes back until it is
executed or evicted, and rebuilds its pool from the mempools after its own restart. To lose it, rpc and the disk of that
validator must go together; waiting for more would make each transaction as slow as the slowest disk.

The leader proposes what it gets, while the others only keep it, on the same processors. So a transaction that comes
alone goes to the leader and to one that answers while the leader proposes, and to the others a moment later or, mostly,
not at all. Where more come, all get them at once: the first to store one lets its client go on, and who holds a
transaction need not decode it in a proposal.
"""

import asyncio
import logging
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

MAX_IN_FLIGHT = 4
"""Admit messages that one validator has not answered yet. What arrives meanwhile makes the next one larger."""
LATER_S = 0.01
"""How long the others wait: about as long as a block takes, and a leader that is gone costs more."""
BURST_S = 0.1
"""How long after one that came while another was under way a transaction is not taken to come alone: a client that does
not wait for receipts sends many, and now and then the ones before are executed just then."""
MAX_BATCH = 1_000
MAX_BATCH_BYTES = 1024 * 1024


@dataclass(slots=True)
class _Waiting:
    """A transaction that no validator has stored yet: who waits, what it replaced, which validators refused it."""

    stored: "asyncio.Future[None]"
    replaced: PooledTransaction | None
    refused_by: int = 0


class _Feed:
    """The way to one validator: transactions not sent yet, in order, and a few batches on their way."""

    def __init__(self, index: ValidatorIndex, link: Link) -> None:
        self.index = index
        self.link = link
        self.backlog: deque[PooledTransaction] = deque()
        self.in_flight = 0


class Delivery:
    """Sends what enters the pool to the validators, and their senders to execution, a batch for each loop turn.

    One that comes alone goes to the `leader`, if one is known and there, and to one other at once, to the rest later.
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
        self._kept_back: list[tuple[Sequence[_Feed], PooledTransaction]] = []
        """What only these validators have been sent so far."""
        self._later: asyncio.TimerHandle | None = None
        self._burst_ends = 0.0
        self._waiting: dict[Hash32, _Waiting] = {}

    def send(self, transaction: PooledTransaction, replaced: PooledTransaction | None) -> "asyncio.Future[None]":
        """Hand over a transaction that has just entered the pool.

        The future is done when the first validator has stored it, or fails with RefusedByValidators when all that are
        there refuse it; then it has left the pool again, and what it `replaced` is back.
        """
        loop = asyncio.get_running_loop()
        if not self._new:
            loop.call_soon(self._flush)
        self._new.append(transaction)
        waiting = self._waiting[transaction.hash] = _Waiting(loop.create_future(), replaced)
        return waiting.stored

    def resend(self, validator: ValidatorIndex) -> None:
        """A validator is (back) there: it gets the whole pool."""
        feed = self._feeds[validator]
        feed.backlog = deque(self._pool)
        self._pump(feed)

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
        index = self._leader()
        leader = None if index is None else self._feeds.get(index)
        if leader is not None and leader.link.connected and self._is_alone(new):
            first = [leader, *self._witness(leader)]
            for feed in first:
                self._send_to(feed, new)
            self._keep_back(first, new[0])
        else:
            self.send_kept_back()  # in the order in which they came
            for feed in sorted(self._feeds.values(), key=lambda feed: feed is not leader):
                self._send_to(feed, new)
        self._tasks.start(self._hint(new))

    def _is_alone(self, new: Sequence[PooledTransaction]) -> bool:
        """Whether none came lately while another was under way: its client sends one and waits for its receipt."""
        now = asyncio.get_running_loop().time()
        if len(new) > 1 or any(kept.hash in self._pool for _, kept in self._kept_back):
            self._burst_ends = now + BURST_S
        return now >= self._burst_ends

    def _send_to(self, feed: _Feed, transactions: Iterable[PooledTransaction]) -> None:
        """One that is away gets the whole pool when it is back."""
        if feed.link.connected:
            feed.backlog.extend(transactions)
            self._pump(feed)
            self._prune(feed)

    def _witness(self, leader: _Feed) -> list[_Feed]:
        """The first that is there of those before the leader: by turns they lead last."""
        feeds = list(self._feeds.values())
        at = feeds.index(leader)
        before = reversed(feeds[at + 1 :] + feeds[:at])
        return [feed for feed in before if feed.link.connected][:1]

    def _keep_back(self, first: Sequence[_Feed], transaction: PooledTransaction) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(LATER_S, self.send_kept_back)
        self._kept_back.append((first, transaction))

    def send_kept_back(self) -> None:
        """All validators get at once what some have not been sent yet."""
        kept_back, self._kept_back = self._kept_back, []
        if self._later is not None:
            self._later.cancel()
            self._later = None
        for feed in self._feeds.values() if kept_back else ():
            self._send_to(feed, [kept for sent_to, kept in kept_back if feed not in sent_to])

    async def _hint(self, transactions: Sequence[PooledTransaction]) -> None:
        """After they were sent to the validators: the hints are not needed before a block."""
        self._execution.notify(SenderHints(tuple((t.hash, t.sender) for t in transactions)))

    def _prune(self, feed: _Feed) -> None:
        """A validator that is there but stopped takes nothing: what is executed meanwhile need not wait for it."""
        if len(feed.backlog) > 2 * len(self._pool) + MAX_BATCH:
            feed.backlog = deque(t for t in feed.backlog if t.hash in self._pool or t.hash in self._waiting)

    def _pump(self, feed: _Feed) -> None:
        while feed.in_flight < MAX_IN_FLIGHT and (batch := self._next_batch(feed.backlog)):
            feed.in_flight += 1
            self._tasks.start(self._deliver(feed, batch))

    def _next_batch(self, backlog: deque[PooledTransaction]) -> tuple[PooledTransaction, ...]:
        """The next to send, without those that are executed or given up. One replaced goes ahead of its replacement."""
        batch: list[PooledTransaction] = []
        size = 0
        while backlog and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            transaction = backlog.popleft()
            if transaction.hash in self._pool or transaction.hash in self._waiting:
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
