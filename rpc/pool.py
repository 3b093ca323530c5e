"""rpc's view of the transactions that are admitted and not executed yet, by sender and nonce. Plain values in and out.

The validators' mempools decide what is ordered; this pool decides what may enter, as geth's does, and answers what
wallets ask meanwhile: the pending nonce, a pending transaction by hash, why one is gone. A sender's transactions are
*pending* from its next nonce on without a gap, and *queued* behind one.

It also owns the newest known state of the senders. The height that goes with all of them is the newest one
told of: each state is as of that height or newer, because a change between the two is told before the height moves.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from chain.messages.execution import BlockNews
from chain.messages.mempool import PooledTransaction, SenderState
from chain.replacement import outbids
from chain.types import Address, Hash32, Height, ValidatorIndex, Wei
from rpc.sender_entries import Entry, Sender, cost_of
from rpc.transaction_errors import (
    AccountLimitExceeded,
    AddressReserved,
    AlreadyKnown,
    InsufficientFunds,
    InsufficientFundsForAll,
    InsufficientFundsForReplacement,
    NonceTooLow,
    PoolFull,
    ReplacementUnderpriced,
)

GENESIS = Height(0)
Left: TypeAlias = Callable[[Hash32, str | None], None]
"""Told of each transaction that leaves the pool, with the reason unless a block has included it."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What the pool holds at most.

    geth holds 5,120 transactions and 64 behind a gap of one account; bursts of a test against a devnet are larger, and
    requests sent at once may arrive in any order, so both are more here. `idle_senders` is how many states of senders
    without transactions are kept; `evictions`, how many reasons of transactions given up.
    """

    transactions: int = 50_000
    raw_bytes: int = 64 * 1024 * 1024
    queued_of_one_sender: int = 1_024
    idle_senders: int = 20_000
    evictions: int = 10_000


class Place(StrEnum):
    """Where a transaction that is not executed stands, in the words of geth's txpool namespace."""

    PENDING = "pending"
    QUEUED = "queued"


class Added(NamedTuple):
    """What an admission changed: the transaction replaced, and those that became pending, itself or queued ones."""

    replaced: PooledTransaction | None
    promoted: tuple[PooledTransaction, ...]


def _unheard(_: Hash32, __: str | None) -> None:
    """What is told to nobody."""


class TransactionPool:
    """The admitted transactions that are not executed yet, the states of their senders, and why others left."""

    def __init__(self, limits: PoolLimits | None = None, height: Height = GENESIS, left: Left = _unheard) -> None:
        self._limits = limits or PoolLimits()
        self._entries: dict[Hash32, Entry] = {}
        self._senders: dict[Address, Sender] = {}
        self._idle: OrderedDict[Address, None] = OrderedDict()
        self._evictions: OrderedDict[Hash32, str] = OrderedDict()
        self._raw_bytes = 0
        self._left = left
        self.height = height

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, transaction_hash: object) -> bool:
        return transaction_hash in self._entries

    def __iter__(self) -> Iterator[PooledTransaction]:
        """In the order of arrival; the pool may change between two steps of a caller that made a tuple first."""
        return (entry.transaction for entry in self._entries.values())

    @property
    def raw_bytes(self) -> int:
        return self._raw_bytes

    # What wallets ask

    def get(self, transaction_hash: Hash32) -> PooledTransaction | None:
        entry = self._entries.get(transaction_hash)
        return None if entry is None else entry.transaction

    def place(self, transaction_hash: Hash32) -> Place | None:
        """Whether the transaction is pending or queued; None if it is not in the pool."""
        entry = self._entries.get(transaction_hash)
        if entry is None:
            return None
        sender = self._senders[entry.transaction.sender]
        return Place.PENDING if entry.transaction.nonce < sender.next else Place.QUEUED

    def eviction(self, transaction_hash: Hash32) -> str | None:
        """Why the transaction left without being included, as long as it is remembered."""
        return self._evictions.get(transaction_hash)

    def pending_nonce(self, address: Address) -> int | None:
        """The nonce of the sender's next transaction; None if its state is not known here."""
        sender = self._senders.get(address)
        return None if sender is None else sender.next

    def newest_of(self, address: Address) -> Hash32 | None:
        """What the sender has put in last; None if nothing of it is here."""
        sender = self._senders.get(address)
        if sender is None or not sender.entries:
            return None
        return sender.entries[max(sender.entries)].transaction.hash

    def waiting(self, address: Address, nonce: int) -> PooledTransaction | None:
        """The sender's transaction of that nonce."""
        sender = self._senders.get(address)
        entry = None if sender is None else sender.entries.get(nonce)
        return None if entry is None else entry.transaction

    def state(self, address: Address) -> SenderState | None:
        """The newest known state of the sender, as of `height` or newer."""
        sender = self._senders.get(address)
        return None if sender is None else sender.state

    def queued_cost(self, address: Address) -> Wei:
        """What the sender's transactions in the pool can cost together."""
        sender = self._senders.get(address)
        return Wei(0 if sender is None else sender.cost)

    def counts(self) -> tuple[int, int]:
        """(pending, queued)."""
        queued = sum(sender.queued() for sender in self._senders.values() if sender.entries)
        return len(self._entries) - queued, queued

    # Admission

    def learn(self, state: SenderState) -> None:
        """Take a sender's state as read from storage just now."""
        sender = self._senders.get(state.address)
        if sender is None:
            self._senders[state.address] = Sender(state, next=state.nonce)
        elif sender.state != state:
            sender.learn(state)
        self._settle(state.address)

    def add(self, transaction: PooledTransaction) -> Added:
        """Admit a transaction whose sender's state is known.

        Raises AlreadyKnown, NonceTooLow, InsufficientFunds and its two kin, AddressReserved, PoolFull,
        ReplacementUnderpriced and AccountLimitExceeded, looked for in geth's order.
        """
        sender = self._senders[transaction.sender]
        if transaction.hash in self._entries:
            raise AlreadyKnown
        old = sender.entries.get(transaction.nonce)
        cost = cost_of(transaction)
        _check_state(transaction, cost, sender, old)
        if sender.is_reserved_against(transaction):
            raise AddressReserved
        free = sender.next
        if old is None:
            self._check_room(transaction, sender)
        elif not outbids(transaction, old.transaction):
            raise ReplacementUnderpriced
        else:
            self._drop(old, f"replaced by 0x{transaction.hash.hex()}")
        self._evictions.pop(transaction.hash, None)
        self._insert(Entry(transaction, cost), sender)
        if old is not None:
            return Added(old.transaction, (transaction,) if transaction.nonce < free else ())
        return Added(None, tuple(sender.entries[nonce].transaction for nonce in range(free, sender.next)))

    def adopt(self, transaction: PooledTransaction) -> bool:
        """Take what a validator holds already, after a restart. False if it is known, executed or outbid by now.

        Validators may hold different transactions of one nonce, if everything was killed before a replacement had
        reached them all: the one that outbids the other has replaced it.
        """
        sender = self._senders[transaction.sender]
        old = sender.entries.get(transaction.nonce)
        if old is not None and transaction.nonce >= sender.state.nonce and outbids(transaction, old.transaction):
            self._drop(old, f"replaced by 0x{transaction.hash.hex()}")
        if not _is_free(sender, transaction.nonce) or len(self._entries) >= self._limits.transactions:
            return False
        self._evictions.pop(transaction.hash, None)
        self._insert(Entry(transaction, cost_of(transaction)), sender)
        return True

    def _check_room(self, transaction: PooledTransaction, sender: Sender) -> None:
        limits = self._limits
        if len(self._entries) >= limits.transactions or self._raw_bytes + len(transaction.raw) > limits.raw_bytes:
            raise PoolFull
        if transaction.nonce > sender.next and (queued := sender.queued()) >= limits.queued_of_one_sender:
            raise AccountLimitExceeded(queued)

    def _insert(self, entry: Entry, sender: Sender) -> None:
        transaction = entry.transaction
        sender.put(entry)
        self._entries[transaction.hash] = entry
        self._raw_bytes += len(transaction.raw)
        self._idle.pop(transaction.sender, None)

    # What becomes of the transactions

    def held_by(self, transaction_hash: Hash32, validator: ValidatorIndex) -> None:
        """A validator has stored the transaction."""
        entry = self._entries.get(transaction_hash)
        if entry is not None:
            entry.holders |= 1 << validator

    def given_up_by(self, transaction_hash: Hash32, validator: ValidatorIndex, reason: str, others: int) -> bool:
        """A validator refused or evicted the transaction. It is gone, and True returned, unless one of `others`, a
        bit mask, may still hold it. Of one that is not here, the reason is kept: it may be from before a restart."""
        entry = self._entries.get(transaction_hash)
        if entry is None:
            self._remember(transaction_hash, reason)
            return False
        entry.holders &= ~(1 << validator)
        if entry.holders & others:
            return False
        self._drop(entry, reason)
        return True

    def withdraw(self, transaction_hash: Hash32, restore: PooledTransaction | None = None) -> None:
        """Undo an `add` that no validator agreed to, and put back what it had replaced if its place is free."""
        entry = self._entries.get(transaction_hash)
        if entry is None:
            return
        self._forget(entry, "no validator took it")
        sender = self._senders.get(entry.transaction.sender)
        if restore is not None and sender is not None and _is_free(sender, restore.nonce):
            self._evictions.pop(restore.hash, None)
            self._insert(Entry(restore, cost_of(restore)), sender)
        self._settle(entry.transaction.sender)

    def height_executed(self, news: BlockNews) -> list[tuple[Hash32, str]]:
        """A height is durable: what it included is gone, and so is what it made impossible, returned with reasons.

        News that does not follow on the newest known height (a restart of execution) makes every state
        unknown that no transaction needs, and the others are as the news has them.
        """
        if news.height != self.height + 1:
            self._forget_idle()
        self.height = news.height
        for transaction_hash in news.included:
            self._evictions.pop(transaction_hash, None)
            if (entry := self._entries.get(transaction_hash)) is not None:
                self._forget(entry)
        evicted: list[tuple[Hash32, str]] = []
        for out in news.left_out:
            if not out.retry and (entry := self._entries.get(out.hash)) is not None:
                self._drop(entry, out.reason)
                evicted.append((out.hash, out.reason))
        for state in news.senders:
            evicted += self._overtaken(state)
        return evicted

    def _overtaken(self, state: SenderState) -> Iterable[tuple[Hash32, str]]:
        """Learn a sender's new state, and give up its transactions whose nonce another transaction has used."""
        sender = self._senders.get(state.address)
        if sender is None:
            return
        sender.learn(state)
        if sender.executed:
            for entry in [e for nonce, e in sender.entries.items() if nonce < state.nonce]:
                reason = str(NonceTooLow(state.nonce, entry.transaction.nonce))
                self._drop(entry, reason)
                yield entry.transaction.hash, reason

    def _drop(self, entry: Entry, reason: str) -> None:
        self._forget(entry, reason)
        self._remember(entry.transaction.hash, reason)

    def _remember(self, transaction_hash: Hash32, reason: str) -> None:
        self._evictions.setdefault(transaction_hash, reason)
        if len(self._evictions) > self._limits.evictions:
            self._evictions.popitem(last=False)

    def _forget(self, entry: Entry, reason: str | None = None) -> None:
        transaction = entry.transaction
        del self._entries[transaction.hash]
        self._raw_bytes -= len(transaction.raw)
        self._senders[transaction.sender].take(transaction.nonce)
        self._settle(transaction.sender)
        self._left(transaction.hash, reason)

    def _settle(self, address: Address) -> None:
        """Count a sender without transactions among the idle ones, and forget the one idle for longest."""
        sender = self._senders.get(address)
        if sender is None or sender.entries:
            return
        self._idle[address] = None
        self._idle.move_to_end(address)
        if len(self._idle) > self._limits.idle_senders:
            oldest, _ = self._idle.popitem(last=False)
            del self._senders[oldest]

    def _forget_idle(self) -> None:
        for address in self._idle:
            del self._senders[address]
        self._idle.clear()


def _is_free(sender: Sender, nonce: int) -> bool:
    return nonce >= sender.state.nonce and nonce not in sender.entries


def _check_state(transaction: PooledTransaction, cost: Wei, sender: Sender, old: Entry | None) -> None:
    """geth's ValidateTransactionWithState (core/txpool/validation.go)."""
    nonce, balance = sender.state.nonce, sender.state.balance
    if transaction.nonce < nonce:
        raise NonceTooLow(nonce, transaction.nonce)
    if balance < cost:
        raise InsufficientFunds(balance, cost)
    if old is not None and balance < sender.cost + cost - old.cost:
        raise InsufficientFundsForReplacement(balance, Wei(sender.cost), Wei(cost - old.cost))
    if old is None and balance < sender.cost + cost:
        raise InsufficientFundsForAll(balance, Wei(sender.cost), cost)
