"""eth_subscribe: news of blocks, logs, pending transactions and blocks' states to WebSocket clients.

What a block says is rendered once for all subscribers, and only if there are some. Whether a client keeps up is its
connection's business: one that is gone or too slow takes nothing more, and its subscriptions end.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chain.genesis import Genesis
from chain.messages.mempool import Evicted, PooledTransaction
from chain.messages.storage import StoredBlock
from chain.transactions import decode_transaction
from chain.types import Hash32, ValidatorIndex
from rpc.block_logs import logs_in
from rpc.block_states import StateChange
from rpc.block_watch import BlockWatch, change_json
from rpc.consensus import ConsensusObserver
from rpc.environments import fork_of
from rpc.errors import InvalidArgument, MissingArgument, RpcError, ServerError
from rpc.log_filter import ALL_LOGS, LogFilter, log_filter, matches
from rpc.log_range import LogRange, log_range
from rpc.methods import Connection, Node, connection_method, optional
from rpc.news import HeadChange, PendingSource
from rpc.params import InvalidValue, Parser, boolean, hash32, mapping, member, sequence, text
from rpc.render import JsonObject, block_receipts_json, data_json, header_json, log_json, transaction_json

MAX_SUBSCRIPTIONS = 1_000
"""Of one connection."""
MAX_RECEIPT_HASHES = 200
"""geth's maxTxHashes."""


class SubscriptionNotFound(RpcError):
    """A kind of news that nobody here brings."""

    code = -32601

    def __init__(self, kind: str) -> None:
        super().__init__(f'no "{kind}" subscription in eth namespace')


class UnknownSubscription(ServerError):
    def __init__(self) -> None:
        super().__init__("subscription not found")


class TooManySubscriptions(ServerError):
    def __init__(self) -> None:
        super().__init__(f"too many subscriptions: one connection may have {MAX_SUBSCRIPTIONS}, unsubscribe some")


@dataclass(frozen=True, slots=True)
class Heads:
    """Wants the header of each new block."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Wants the matching logs of each new block in the range."""

    wanted: LogFilter
    range: LogRange


@dataclass(frozen=True, slots=True)
class Receipts:
    """Wants the receipts of each new block, of these transactions only if any are named."""

    hashes: frozenset[Hash32]


@dataclass(frozen=True, slots=True)
class PendingTransactions:
    """Wants each transaction that becomes pending: whole, or its hash."""

    full: bool


@dataclass(slots=True)
class BlockStateChanges:
    """Wants every change of a block's state. What blocks in flight have passed before goes into `backlog`, which waits
    until the client has been told the subscription's name; None then.
    """

    backlog: list[StateChange] | None


@dataclass(frozen=True, slots=True)
class Syncing:
    """Wants to hear when syncing begins and ends: it never does here, which is told once."""


@dataclass(frozen=True, slots=True)
class ConsensusChanges:
    """Wants the picture of consensus whenever it has changed."""


Interest = Heads | Logs | Receipts | PendingTransactions | BlockStateChanges | ConsensusChanges | Syncing


class Subscriptions:
    """Who wants which news. Told of blocks by `height_executed`, and of transactions by the source it is given."""

    def __init__(
        self, genesis: Genesis, pending: PendingSource, watch: BlockWatch, observer: ConsensusObserver
    ) -> None:
        self._genesis = genesis
        self._subscribers: dict[Connection, dict[str, Interest]] = {}
        self._watch = watch
        self._observer = observer
        pending.on_pending(self.transactions_pending)

    def __len__(self) -> int:
        return sum(map(len, self._subscribers.values()))

    def subscribe(self, connection: Connection, interest: Interest) -> str:
        """The new subscription's id. Raises TooManySubscriptions."""
        interests = self._subscribers.setdefault(connection, {})
        if len(interests) >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions
        subscription = random_id()
        interests[subscription] = interest
        if isinstance(interest, BlockStateChanges):
            self._watch.begin(self.block_states_changed)
            interest.backlog = list(self._watch.so_far())
            asyncio.get_running_loop().call_soon(self._catch_up, connection, subscription, interest)
        if isinstance(interest, Syncing):
            asyncio.get_running_loop().call_soon(self._push, connection, subscription, b"false")
        if isinstance(interest, ConsensusChanges):
            self._observer.begin(self.consensus_changed)
        return subscription

    def unsubscribe(self, connection: Connection, subscription: str) -> None:
        """Raises UnknownSubscription unless it is this connection's."""
        interests = self._subscribers.get(connection, {})
        if interests.pop(subscription, None) is None:
            raise UnknownSubscription
        if not interests:
            del self._subscribers[connection]
        self._end_what_is_unheard()

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        if self._subscribers.pop(connection, None) is not None:
            self._end_what_is_unheard()

    async def height_executed(self, change: HeadChange) -> None:
        """Tell of logs that are gone, of new heads, each header before its logs, and that the height is executed."""
        for removed in change.removed:
            self._tell_logs(removed, removed=True)
        for added in change.added:
            self._tell_heads(added.block)
            self._tell_logs(added.block)
            self._tell_receipts(added.block)
        self._watch.height_executed(change)

    async def transaction_evicted(self, validator: ValidatorIndex, evicted: Evicted) -> None:
        """Nothing to tell: no subscription has a word for it."""

    def transactions_pending(self, transactions: Sequence[PooledTransaction]) -> None:
        """Tell of transactions that have just become pending."""
        wanting = list(self._interested(PendingTransactions))
        if not wanting:
            return
        for transaction in transactions:
            rendered: dict[bool, bytes] = {}
            for connection, subscription, interest in wanting:
                assert isinstance(interest, PendingTransactions)
                if interest.full not in rendered:
                    rendered[interest.full] = orjson.dumps(_pending_json(transaction, interest.full))
                self._push(connection, subscription, rendered[interest.full])

    def block_states_changed(self, changes: Sequence[StateChange]) -> None:
        """Tell of what blocks have become."""
        wanting = list(self._interested(BlockStateChanges)) if changes else []
        for change in changes:
            rendered: bytes | None = None
            for connection, subscription, interest in wanting:
                assert isinstance(interest, BlockStateChanges)
                if interest.backlog is not None:
                    interest.backlog.append(change)
                    continue
                rendered = rendered or orjson.dumps(change_json(change))
                self._push(connection, subscription, rendered)

    def _catch_up(self, connection: Connection, subscription: str, interest: BlockStateChanges) -> None:
        backlog, interest.backlog = interest.backlog or (), None
        for change in backlog:
            self._push(connection, subscription, orjson.dumps(change_json(change)))

    def consensus_changed(self, picture: JsonObject) -> None:
        """Tell how consensus stands."""
        rendered = orjson.dumps(picture)
        for connection, subscription, _ in list(self._interested(ConsensusChanges)):
            self._push(connection, subscription, rendered)

    def _end_what_is_unheard(self) -> None:
        if next(self._interested(BlockStateChanges), None) is None:
            self._watch.end()
        if next(self._interested(ConsensusChanges), None) is None:
            self._observer.end()

    def _tell_heads(self, block: StoredBlock) -> None:
        wanting = list(self._interested(Heads))
        if wanting:
            header = orjson.dumps(header_json(block.header, block.hash))
            for connection, subscription, _ in wanting:
                self._push(connection, subscription, header)

    def _tell_logs(self, block: StoredBlock, removed: bool = False) -> None:
        wanting = list(self._interested(Logs))
        logs = logs_in(block, ALL_LOGS) if wanting else []
        for found in logs:
            rendered: bytes | None = None
            for connection, subscription, interest in wanting:
                assert isinstance(interest, Logs)
                if found.number in interest.range and matches(found, interest.wanted):
                    rendered = rendered or orjson.dumps(log_json(found, removed))
                    self._push(connection, subscription, rendered)

    def _tell_receipts(self, block: StoredBlock) -> None:
        """Those that are wanted of one block, as one piece of news."""
        wanting = list(self._interested(Receipts)) if block.transactions else []
        receipts = block_receipts_json(block, fork_of(block.header, self._genesis)) if wanting else []
        for connection, subscription, interest in wanting:
            assert isinstance(interest, Receipts)
            pairs = zip(block.hashes, receipts, strict=True)
            wanted = [receipt for named, receipt in pairs if not interest.hashes or named in interest.hashes]
            if wanted:
                self._push(connection, subscription, orjson.dumps(wanted))

    def _interested(self, kind: type) -> Iterator[tuple[Connection, str, Interest]]:
        for connection, interests in self._subscribers.items():
            for subscription, interest in interests.items():
                if type(interest) is kind:
                    yield connection, subscription, interest

    def _push(self, connection: Connection, subscription: str, result: bytes) -> None:
        if connection in self._subscribers and not connection.push(_notification(subscription, result)):
            self.forget(connection)


def random_id() -> str:
    """A random quantity of up to 16 bytes, as geth names subscriptions and filters."""
    return hex(int.from_bytes(secrets.token_bytes(16), "big"))


def _notification(subscription: str, result: bytes) -> bytes:
    head = b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"%b","result":%b}}'
    return head % (subscription.encode(), result)


def _pending_json(transaction: PooledTransaction, full: bool) -> Any:
    if not full:
        return data_json(transaction.hash)
    return transaction_json(decode_transaction(transaction.raw), transaction.sender, None)


def _as_given(value: Any) -> Any:
    """What the second argument must be depends on the first."""
    return value


def _second(parse: Parser[Any], value: Any) -> Any:
    try:
        return parse(value)
    except InvalidValue as problem:
        raise InvalidArgument(1, problem.text) from None


def transaction_hashes(value: Any) -> frozenset[Hash32]:
    """The transactions whose receipts are wanted; none named are all."""
    given = mapping(value, "filters.TransactionReceiptsQuery")
    hashes = member(given, "input", "transactionHashes", _hashes) or frozenset()
    if len(hashes) > MAX_RECEIPT_HASHES:
        raise ServerError("exceed max number of transaction hashes allowed per transactionReceipts subscription")
    return hashes


def _hashes(value: Any) -> frozenset[Hash32]:
    return frozenset(hash32(each) for each in sequence(value, "[]common.Hash"))


def _interest(kind: str, options: Any) -> Interest:
    if kind == "newHeads":
        return Heads()
    if kind == "newPendingTransactions":
        return PendingTransactions(full=options is not None and _second(boolean, options))
    if kind == "syncing":
        return Syncing()
    if kind == "transactionReceipts":
        return Receipts(frozenset() if options is None else _second(transaction_hashes, options))
    if kind == "tandemBlocks":
        return BlockStateChanges([])
    if kind == "tandemConsensus":
        return ConsensusChanges()
    if kind != "logs":
        raise SubscriptionNotFound(kind)
    if options is None:
        raise MissingArgument(1)
    wanted = _second(log_filter, options)
    return Logs(wanted, log_range(wanted))


@connection_method("eth_subscribe", text, optional(_as_given))
async def subscribe(node: Node, connection: Connection, kind: str, options: Any) -> str:
    return node.subscriptions.subscribe(connection, _interest(kind, options))


@connection_method("eth_unsubscribe", text)
async def unsubscribe(node: Node, connection: Connection, subscription: str) -> bool:
    node.subscriptions.unsubscribe(connection, subscription)
    return True
