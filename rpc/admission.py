"""Lets signed transactions in: checks them as geth's pool does, pools them, and has the validators store them.

A refusal for want of funds never rests on what is remembered alone: the sender is read again first. Of the rest of a
sender's state, what is remembered is what the newest block left.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from chain.genesis import Genesis
from chain.links import Link
from chain.messages.mempool import Evicted, MempoolPage, PooledTransaction, ReadMempool
from chain.transactions import Transaction, decode_transaction
from chain.types import Address, Hash32, ValidatorIndex, Wei
from rpc.awaited_transactions import AwaitedTransactions
from rpc.chain_view import ChainView
from rpc.checks_in_turns import MAX_IN_A_TURN, Checked, ChecksInTurns
from rpc.delivery import Delivery
from rpc.environments import pending_fork
from rpc.errors import TransactionRejected
from rpc.news import HeadChange
from rpc.pool import Added, Place, PoolLimits, TransactionPool
from rpc.sender_states import SenderStates
from rpc.store_deadlines import StoreDeadlines
from rpc.tasks import Tasks
from rpc.transaction_errors import (
    AddressReserved,
    InsufficientFunds,
    InsufficientFundsForAll,
    InsufficientFundsForReplacement,
    InvalidSender,
    SenderNotAnAccount,
)
from rpc.transaction_rules import NO_MINIMUM, Rules, check, decode, pooled

log = logging.getLogger("tandem.rpc")

MEMPOOL_WAIT_S = 1.0
MAX_MEMPOOL_PAGES = 10_000

MAX_WAITED_FOR = 500
"""With more transactions in the pool nobody waits until they are executed."""

SHORT_OF_FUNDS = (InsufficientFunds, InsufficientFundsForAll, InsufficientFundsForReplacement)

Pending = Callable[[Sequence[PooledTransaction]], None]
"""Told of transactions that have just become pending, in the order of their nonces."""


class _Sent(NamedTuple):
    """A transaction on its way, and what is done once it is stored."""

    hash: Hash32
    stored: "asyncio.Future[None]"


_Entering: TypeAlias = "Exception | _Sent | asyncio.Task[Hash32 | Exception]"
"""How far one of several is that were sent together: refused, on its way, or waiting for something before."""


class Admission:
    """The way of a transaction into the chain. Needs the chain view open; its state follows the news it is told of."""

    def __init__(
        self,
        genesis: Genesis,
        chain: ChainView,
        execution: Link,
        validators: Mapping[ValidatorIndex, Link],
        limits: PoolLimits | None = None,
        min_tip: Wei = NO_MINIMUM,
        lacks_room: Callable[[], bool] = lambda: False,
    ) -> None:
        self.pool = TransactionPool(limits, chain.height, self._left)
        self._genesis = genesis
        self.min_tip = min_tip
        self._chain = chain
        self._validators = validators
        self._tasks = Tasks()
        self._checks = ChecksInTurns(self._all_checked)
        self._states = SenderStates(chain, self.pool)
        self._delivery = Delivery(self.pool, validators, execution, self._tasks, chain.leader)
        self._deadlines = StoreDeadlines(lacks_room)
        self._awaited = AwaitedTransactions()
        self.newest: Hash32 | None = None
        """What became executable last, until somebody has waited for it."""
        self._reports = log.isEnabledFor(logging.INFO)
        self._adopted: set[ValidatorIndex] = set()
        self._knows_mempools = asyncio.Event()
        self._on_pending: list[Pending] = []

    def on_pending(self, tell: Pending) -> None:
        """Have `tell` called, at once and for ever, with what becomes pending."""
        self._on_pending.append(tell)

    async def submit(self, raw: bytes) -> Hash32:
        """Admit a signed transaction; its hash, once a validator has stored it.

        Raises the TransactionRejected that geth would give, or NoValidatorAnswered.
        """
        [checked] = await self._checked_with_others(raw)
        entering, is_impersonated = _passed(checked)
        await self.stored(await self._enter(entering, is_impersonated))
        return entering.hash

    async def _checked_with_others(self, raw: bytes) -> list[Checked]:
        """At the end of the turn with all that came in it; at once where no other is on its way."""
        if self._delivery.is_waited_for or self._checks.are_under_way:
            return await self._checks.checked((raw,))
        return self._all_checked((raw,))

    async def caught_up(self) -> None:
        """Let the signed transactions enter first that came before, one by one, from senders that are known."""
        if self._checks.are_under_way:
            await self._checks.checked(())

    async def enter(self, transaction: Transaction) -> "asyncio.Future[None]":
        """Put a transaction into the pool and on its way; the future is for `stored`.

        If the sender's state is known, this does not give way to others: the next transaction of the same sender finds
        the pending nonce already moved. Raises TransactionRejected.
        """
        return await self._enter(self._checked(transaction, self._rules()), transaction.is_impersonated)

    async def submit_all(self, raws: Sequence[bytes]) -> list[Hash32 | Exception]:
        """Admit signed transactions in their order. Of each the hash, or what `submit` would raise, when validators
        have stored all that enter.
        """
        parts = [raws[start : start + MAX_IN_A_TURN] for start in range(0, len(raws), MAX_IN_A_TURN)]
        entering: list[_Entering] = []
        async with asyncio.TaskGroup() as group:
            for ready in [group.create_task(self._ready(part)) for part in parts]:
                entering += [self._begun(checked, group) for checked in await ready]
            stored = [each.stored for each in entering if isinstance(each, _Sent)]
            failures = iter(await self._deadlines.wait_for_all(stored))
        return [_became(each, failures) for each in entering]

    def _begun(self, checked: Checked, group: asyncio.TaskGroup) -> "_Entering":
        """It enters at once, or as soon as what it must wait for is there."""
        if isinstance(checked, Exception):
            return checked
        transaction, is_impersonated = checked
        added = self._add_at_once(transaction)
        if added is None:
            return group.create_task(self._outcome(transaction, is_impersonated))
        return _Sent(transaction.hash, self._send(transaction, added)) if isinstance(added, Added) else added

    async def _ready(self, raws: Sequence[bytes]) -> list[Checked]:
        """What may enter of them, with its senders known. Those that the pool does not know are read together."""
        checked = await self._checks.checked(raws)
        senders = {each[0].sender for each in checked if not isinstance(each, Exception)}
        unknown = [sender for sender in senders if self.pool.state(sender) is None]
        if not unknown:
            return checked
        read = await asyncio.gather(*map(self._states.read, unknown), return_exceptions=True)
        failed = {s: outcome for s, outcome in zip(unknown, read, strict=True) if isinstance(outcome, Exception)}
        return [each if isinstance(each, Exception) else failed.get(each[0].sender, each) for each in checked]

    async def _outcome(self, entering: PooledTransaction, is_impersonated: bool) -> Hash32 | Exception:
        try:
            await self.stored(await self._enter(entering, is_impersonated))
        except Exception as error:
            return error
        return entering.hash

    def _all_checked(self, raws: Sequence[bytes]) -> list[Checked]:
        rules, checked = self._rules(), list[Checked]()
        for raw in raws:
            try:
                transaction = decode(raw)
                checked.append((self._checked(transaction, rules), transaction.is_impersonated))
            except Exception as error:  # of this one: it keeps no other from its answer
                checked.append(error)
        return checked

    def _rules(self) -> Rules:
        return Rules(self._chain.chain_id, pending_fork(self._chain.head.header, self._genesis), self.min_tip)

    def _checked(self, transaction: Transaction, rules: Rules) -> PooledTransaction:
        """What may enter, whatever the state is. Raises TransactionRejected.

        One that is there already is told so where it enters: those before it may replace it until then.
        """
        known = self.pool.get(transaction.hash)
        if known is not None:
            return known
        settings = self._chain.settings
        sender = check(transaction, rules, settings.gas_limit or self._chain.head.header.gas_limit)
        if transaction.is_impersonated and not settings.impersonates(sender):
            raise InvalidSender("invalid sender")
        return pooled(transaction, sender)

    async def _enter(self, entering: PooledTransaction, is_impersonated: bool) -> "asyncio.Future[None]":
        return self._send(entering, await self._add(entering, any_sender=is_impersonated))

    def _send(self, entering: PooledTransaction, added: Added) -> "asyncio.Future[None]":
        """What has just been added goes on its way."""
        if self._reports:
            log.info("admitted 0x%s: nonce %d of 0x%s", entering.hash.hex(), entering.nonce, entering.sender.hex())
        stored = self._delivery.send(entering, added.replaced)
        if added.promoted:
            self.newest = added.promoted[-1].hash
            for tell in self._on_pending:
                tell(added.promoted)
        return stored

    async def stored(self, stored: "asyncio.Future[None]") -> None:
        """Wait until a validator has stored the transaction.

        Raises RefusedByValidators, NoRoomLeft or NoValidatorAnswered.
        """
        await self._deadlines.wait(stored)

    async def while_pending(self, transaction_hash: Hash32) -> None:
        """Give a transaction that the next block can take the moment it needs; does not wait for any other."""
        if self._chain.settings.automine and self.pool.place(transaction_hash) is Place.PENDING:
            await self._awaited.until_gone(transaction_hash)

    async def settled(self) -> None:
        """In automatic mode, give what was sent before a moment to get its block; once, so that what cannot be executed
        holds nobody up again, and not in a flood."""
        newest = self.newest
        if newest is not None and self._chain.settings.automine and len(self.pool) <= MAX_WAITED_FOR:
            if self.pool.place(newest) is Place.PENDING:
                await self._awaited.until_gone(newest)
            if self.newest == newest:
                self.newest = None

    async def while_pooled(self, transaction_hash: Hash32, limit_s: float) -> None:
        """Give a transaction so long to leave the pool."""
        if transaction_hash in self.pool:
            await self._awaited.until_gone(transaction_hash, limit_s)

    async def pending_nonce(self, address: Address) -> int:
        """The nonce of the account's next transaction, behind those in the pool."""
        known = self.pool.pending_nonce(address)
        if known is not None:
            return known
        read = await self._states.read(address)
        known = self.pool.pending_nonce(address)
        return read.state.nonce if known is None else known

    def send_waiting(self) -> None:
        """Every validator that is there gets what it has not been sent yet."""
        self._delivery.send_kept_back()

    # News

    async def height_executed(self, change: HeadChange) -> None:
        """What waited may be in a block now, or impossible."""
        news = change.news
        self._states.told(news.senders)
        evicted = self.pool.height_executed(news)
        self._delivery.settled(news.included)
        self._delivery.settled(transaction_hash for transaction_hash, _ in evicted)
        self._delivery.send_to_leader()

    def leader_named(self) -> None:
        """A validator has said who leads."""
        self._delivery.send_to_leader()

    async def transaction_evicted(self, validator: ValidatorIndex, evicted: Evicted) -> None:
        """A validator gave a transaction up. What only a validator that is away may hold is not waited for."""
        others = self._delivery.connected() & ~(1 << validator)
        self.pool.given_up_by(evicted.hash, validator, evicted.reason, others)

    def validator_joined(self, validator: ValidatorIndex) -> None:
        """A validator is (back) there: first learn what it holds, if it was never asked, then send it the pool."""
        self._tasks.start(self._welcome(validator))

    async def mempools_known(self) -> None:
        """Wait until every validator has said what it holds, since each may hold what no other does: before, pending
        nonces may be too low. Not for ever, because a chain whose validators are away can still be read."""
        try:
            await asyncio.wait_for(self._knows_mempools.wait(), MEMPOOL_WAIT_S)
        except TimeoutError:
            missing = ", ".join(str(index) for index in sorted(set(self._validators) - self._adopted))
            log.warning("these validators have not told their mempools within %g s: %s", MEMPOOL_WAIT_S, missing)

    async def close(self) -> None:
        """Stop sending. Whoever still waits for a validator is left to the end of its connection."""
        await self._tasks.close()

    async def _welcome(self, validator: ValidatorIndex) -> None:
        if validator not in self._adopted:
            await self._adopt_all(validator)
            self._adopted.add(validator)
            if len(self._adopted) == len(self._validators):
                self._knows_mempools.set()
        self._delivery.resend(validator)

    async def _adopt_all(self, validator: ValidatorIndex) -> None:
        after = b""
        for _ in range(MAX_MEMPOOL_PAGES):
            page: MempoolPage = await self._validators[validator].request(ReadMempool(after))
            await self._adopt(validator, page.transactions)
            if not page.more or not page.transactions:
                return
            after = page.transactions[-1].hash

    async def _adopt(self, validator: ValidatorIndex, held: Iterable[PooledTransaction]) -> None:
        """Take what a validator holds. Its word on the sender is not taken: everything is derived anew."""
        transactions = [decode_transaction(transaction.raw) for transaction in held]
        adopting = [pooled(t, t.sender()) for t in transactions if t.hash not in self.pool]
        unknown = {t.sender for t in adopting if self.pool.state(t.sender) is None}
        await asyncio.gather(*(self._states.read(address) for address in unknown))
        known = [candidate for candidate in adopting if self.pool.state(candidate.sender) is not None]
        self._delivery.pass_on([candidate for candidate in known if self.pool.adopt(candidate)], self._adopted)
        for transaction in transactions:
            self.pool.held_by(transaction.hash, validator)

    def _left(self, transaction_hash: Hash32, reason: str | None) -> None:
        """A transaction has left the pool, in a block if there is no reason."""
        self._awaited.gone(transaction_hash)
        if reason is not None and self._reports:
            log.info("evicted 0x%s: %s", transaction_hash.hex(), reason)

    # Admission

    def _add_at_once(self, transaction: PooledTransaction) -> Added | TransactionRejected | None:
        """None if something is to be waited for first: `_add` does that."""
        if self.pool.state(transaction.sender) is None:
            return None
        try:
            return self.pool.add(transaction)
        except (AddressReserved, *SHORT_OF_FUNDS):
            return None
        except TransactionRejected as error:
            return error

    async def _add(self, transaction: PooledTransaction, any_sender: bool) -> Added:
        was_known = await self._know(transaction.sender, any_sender)
        try:
            return self.pool.add(transaction)
        except AddressReserved:
            await self._executed(transaction.sender)
        except SHORT_OF_FUNDS:
            if not was_known:
                raise
            await self._read_sender(transaction.sender, any_sender)
        await self._know(transaction.sender, any_sender)
        return self.pool.add(transaction)

    async def _know(self, address: Address, any_sender: bool) -> bool:
        """Have the pool know the sender now; whether it did. Where many are read at once it may have forgotten this one
        before whoever waits for it has its turn. Raises SenderNotAnAccount.
        """
        was_known = True
        while self.pool.state(address) is None:
            was_known = False
            await self._read_sender(address, any_sender)
        return was_known

    async def _executed(self, sender: Address) -> None:
        """Where blocks are made at once, give what the sender has waiting the moment that it needs."""
        last = self.pool.newest_of(sender)
        if last is not None:
            await self.while_pending(last)

    async def _read_sender(self, address: Address, any_sender: bool) -> None:
        """Have the pool know the sender. Raises SenderNotAnAccount, unless a contract may send too."""
        read = await self._states.read(address)
        if read.contract is None:
            return
        if not any_sender:
            raise SenderNotAnAccount(address, read.contract)
        self.pool.learn(read.state)


def _became(entering: _Entering, failures: Iterator[Exception | None]) -> Hash32 | Exception:
    """The outcome of one that is done; `failures` has the next one on its way first."""
    match entering:
        case asyncio.Task():
            return entering.result()
        case _Sent():
            return next(failures) or entering.hash
    return entering


def _passed(checked: Checked) -> tuple[PooledTransaction, bool]:
    """Raises what is wrong with it."""
    if isinstance(checked, Exception):
        raise checked
    return checked
