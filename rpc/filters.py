"""Filters that a client polls: eth_newFilter, eth_newBlockFilter, eth_newPendingTransactionFilter and what reads them.

A filter is a cursor. Logs are read from storage when they are asked for; new blocks and pending transactions are
noted once for all filters, as long as there is one. A filter that nobody has asked for five minutes is forgotten at
the next request that concerns filters, so that no timer runs.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import orjson

from chain.messages.logs import FoundLog
from chain.messages.mempool import Evicted, PooledTransaction
from chain.messages.storage import StoredBlock
from chain.types import BlockNumber, Hash32, ValidatorIndex
from rpc.block_logs import logs_in
from rpc.chain_view import ChainView
from rpc.errors import LimitExceeded, ServerError
from rpc.log_filter import LogFilter, log_filter
from rpc.log_range import LogRange, log_range
from rpc.logs import logs_of_blocks, matching_logs
from rpc.methods import Json, Node, method, optional
from rpc.news import HeadChange, PendingSource
from rpc.params import boolean, text
from rpc.render import data_json, log_json
from rpc.rendered_logs import NO_LOGS, RenderedLogs, array_of, logs_as_json
from rpc.subscriptions import random_id
from rpc.transactions import get_transaction_by_hash

EXPIRY_S = 300.0
MAX_FILTERS = 10_000
MAX_NOTED_BLOCKS = 10_000
MAX_NOTED_TRANSACTIONS = 50_000

T = TypeVar("T")


class FilterNotFound(ServerError):
    def __init__(self) -> None:
        super().__init__("filter not found")


class TooManyFilters(ServerError):
    def __init__(self) -> None:
        super().__init__(f"too many filters: there are {MAX_FILTERS}, uninstall some")


class _Notes(Generic[T]):
    """The newest values of a stream. Who read up to a cursor gets what came since, less what was too much to keep."""

    def __init__(self, limit: int) -> None:
        self._values: deque[T] = deque(maxlen=limit)
        self.end = 0

    def add(self, value: T) -> None:
        self._values.append(value)
        self.end += 1

    def since(self, cursor: int) -> list[T]:
        start = self.end - len(self._values)
        return list(self._values)[max(0, cursor - start) :]


@dataclass(slots=True)
class LogsFilter:
    """Cursor: the next block to look at. `removed` are logs told of whose blocks were taken back since."""

    wanted: LogFilter
    range: LogRange
    cursor: BlockNumber
    removed: list[FoundLog] = field(default_factory=list)


@dataclass(slots=True)
class BlocksFilter:
    cursor: int


@dataclass(slots=True)
class PendingFilter:
    cursor: int
    full: bool


Filter = LogsFilter | BlocksFilter | PendingFilter


@dataclass(slots=True)
class _Installed:
    filter: Filter
    used_at: float


class Filters:
    """The installed filters, least recently used first. `clock` gives seconds that never go back."""

    def __init__(self, chain: ChainView, pending: PendingSource, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = chain
        self._clock = clock
        self._installed: OrderedDict[str, _Installed] = OrderedDict()
        self._blocks: _Notes[Hash32] = _Notes(MAX_NOTED_BLOCKS)
        self._transactions: _Notes[Hash32] = _Notes(MAX_NOTED_TRANSACTIONS)
        pending.on_pending(self.transactions_pending)

    def __len__(self) -> int:
        return len(self._installed)

    def install_logs(self, wanted: LogFilter) -> str:
        """Raises InvalidBlockRange, PendingLogsUnsupported, TooManyFilters."""
        range_ = log_range(wanted)
        return self._install(LogsFilter(wanted, range_, max(range_.first, BlockNumber(self._chain.number + 1))))

    def install_blocks(self) -> str:
        return self._install(BlocksFilter(self._blocks.end))

    def install_pending(self, full: bool) -> str:
        return self._install(PendingFilter(self._transactions.end, full))

    def uninstall(self, filter_id: str) -> bool:
        """Whether there was such a filter."""
        self._expire()
        return self._installed.pop(filter_id, None) is not None

    def get(self, filter_id: str) -> Filter:
        """The filter, which counts as used now. Raises FilterNotFound."""
        self._expire()
        installed = self._installed.get(filter_id)
        if installed is None:
            raise FilterNotFound
        installed.used_at = self._clock()
        self._installed.move_to_end(filter_id)
        return installed.filter

    def new_blocks(self, of: BlocksFilter) -> list[Hash32]:
        hashes = self._blocks.since(of.cursor)
        of.cursor = self._blocks.end
        return hashes

    def new_transactions(self, of: PendingFilter) -> list[Hash32]:
        hashes = self._transactions.since(of.cursor)
        of.cursor = self._transactions.end
        return hashes

    async def new_logs(self, of: LogsFilter) -> RenderedLogs:
        """The matching logs of the blocks since the last time. Raises LimitExceeded if they are too many."""
        first, head = of.cursor, self._chain.number
        last = head if of.range.last is None else min(head, of.range.last)
        if first > last:
            return NO_LOGS
        of.cursor = BlockNumber(head + 1)
        try:
            return await logs_of_blocks(self._chain, first, last, of.wanted)
        except LimitExceeded:  # asking again would not help: these blocks are passed over
            raise
        except BaseException:
            of.cursor = min(of.cursor, first)
            raise

    async def height_executed(self, change: HeadChange) -> None:
        """Note new blocks. Of blocks taken back filters tell the logs that they had told of, and read on there."""
        if self._installed:
            for added in change.added:
                self._blocks.add(added.block.hash)
        if not change.news.reverted:
            return
        after = BlockNumber(change.news.number + 1)
        for installed in self._installed.values():
            filter = installed.filter
            if isinstance(filter, LogsFilter) and filter.cursor > after:
                filter.removed += _told_by(filter, change.removed)
                filter.cursor = max(after, filter.range.first)

    async def transaction_evicted(self, validator: ValidatorIndex, evicted: Evicted) -> None:
        """Nothing to note: no filter has a word for it."""

    def transactions_pending(self, transactions: Sequence[PooledTransaction]) -> None:
        """Note transactions that have just become pending."""
        if self._installed:
            for transaction in transactions:
                self._transactions.add(transaction.hash)

    def _install(self, installed: Filter) -> str:
        self._expire()
        if len(self._installed) >= MAX_FILTERS:
            raise TooManyFilters
        filter_id = random_id()
        self._installed[filter_id] = _Installed(installed, self._clock())
        return filter_id

    def _expire(self) -> None:
        oldest_kept = self._clock() - EXPIRY_S
        while self._installed:
            filter_id, installed = next(iter(self._installed.items()))
            if installed.used_at >= oldest_kept:
                return
            del self._installed[filter_id]


def _told_by(filter: LogsFilter, removed: Sequence[StoredBlock]) -> list[FoundLog]:
    """The logs of these blocks that the filter had read up to its cursor."""
    return [
        found
        for block in removed
        if block.header.number < filter.cursor and block.header.number in filter.range
        for found in logs_in(block, filter.wanted)
    ]


@method("eth_newFilter", log_filter)
async def new_filter(node: Node, wanted: LogFilter) -> str:
    return node.filters.install_logs(wanted)


@method("eth_newBlockFilter")
async def new_block_filter(node: Node) -> str:
    return node.filters.install_blocks()


@method("eth_newPendingTransactionFilter", optional(boolean, False))
async def new_pending_transaction_filter(node: Node, full: bool) -> str:
    return node.filters.install_pending(full)


@method("eth_uninstallFilter", text)
async def uninstall_filter(node: Node, filter_id: str) -> bool:
    return node.filters.uninstall(filter_id)


@method("eth_getFilterChanges", text)
async def get_filter_changes(node: Node, filter_id: str) -> Json:
    """What is new since the last time: logs, or hashes of blocks or transactions."""
    found = node.filters.get(filter_id)
    if isinstance(found, LogsFilter):
        removed, found.removed = found.removed, []
        told = logs_as_json([log_json(log, removed=True) for log in removed])
        return array_of(told, await node.filters.new_logs(found))
    if isinstance(found, BlocksFilter):
        return [data_json(block_hash) for block_hash in node.filters.new_blocks(found)]
    hashes = node.filters.new_transactions(found)
    if not found.full:
        return [data_json(transaction_hash) for transaction_hash in hashes]
    transactions = [await get_transaction_by_hash(node, transaction_hash) for transaction_hash in hashes]
    return [transaction for transaction in transactions if transaction is not None]  # evicted ones are not there


@method("eth_getFilterLogs", text)
async def get_filter_logs(node: Node, filter_id: str) -> list[orjson.Fragment]:
    """All logs that the filter matches, not only new ones."""
    found = node.filters.get(filter_id)
    if not isinstance(found, LogsFilter):
        raise FilterNotFound
    return await matching_logs(node, found.wanted)
