"""What became of executed blocks: BlockResult for validators and BlockNews for rpc.

Recent ones are kept; older ones are made again from what storage holds: the block, its execution record, and the state
after it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from chain.fees import next_base_fee
from chain.links import RequestFailed
from chain.messages.execution import BlockNews
from chain.messages.mempool import BlockResult, LeftOut, SenderState
from chain.messages.storage import (
    BlockApplied,
    NotThere,
    ReadBlock,
    ReadHeight,
    ReadRecord,
    ReadState,
    StateValues,
    StoredBlock,
    StoredHeight,
)
from chain.messages.storage import StoredRecord as StoredRecordMessage
from chain.records import BlockRecord, decode_record
from chain.types import Address, Hash32, Height, Version, Wei
from execution.assembly import ExecutedBlock
from execution.errors import ExecutionError
from execution.reader import UnexpectedAnswer
from execution.storage_requests import StorageRequests

KEPT_BLOCKS = 128


class BlockNotStored(ExecutionError):
    """Somebody asks for the result of a block that storage does not have (any more)."""

    def __init__(self, height: Height) -> None:
        super().__init__(f"the block of height {height} is not in storage")
        self.height = height


@dataclass(frozen=True, slots=True)
class Announcement:
    """One block's result and news."""

    result: BlockResult
    news: BlockNews


def announce(block: ExecutedBlock, applied: BlockApplied, committed: Height) -> Announcement:
    """What is told of a block that storage has just applied."""
    return _announcement(applied, block.included, block.left_out, block.senders, block.record, committed)


def _announcement(
    applied: BlockApplied,
    included: tuple[Hash32, ...],
    left_out: tuple[LeftOut, ...],
    senders: Sequence[SenderState],
    record: BlockRecord,
    committed: Height,
) -> Announcement:
    header = applied.header
    fee = next_base_fee(header)
    result = BlockResult(
        height=applied.height,
        proposal=applied.proposal,
        header_hash=applied.hash,
        gas_limit=header.gas_limit,
        next_base_fee=fee,
        included=included,
        left_out=left_out,
        senders=tuple(senders),
    )
    news = BlockNews(
        height=applied.height,
        number=applied.number,
        hash=applied.hash,
        timestamp=header.timestamp,
        gas_used=header.gas_used,
        gas_limit=header.gas_limit,
        base_fee=header.base_fee or Wei(0),
        next_base_fee=fee,
        included=included,
        left_out=left_out,
        senders=tuple(senders),
        committed=committed,
        strategy=record.strategy,
        retries=record.retries,
        execution_us=record.execution_us,
    )
    return Announcement(result, news)


class History:
    """Announcements by height: the newest from memory, the others from storage."""

    def __init__(self, storage: StorageRequests, head: Height) -> None:
        self._storage = storage
        self._kept: OrderedDict[Height, Announcement] = OrderedDict()
        self.newest = head

    def add(self, announcement: Announcement) -> None:
        self.newest = announcement.result.height
        self._kept[self.newest] = announcement
        while len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)

    async def get(self, height: Height) -> Announcement:
        """The announcement of an executed height. Raises BlockNotStored."""
        kept = self._kept.get(height)
        return kept if kept is not None else await self._from_storage(height)

    async def _from_storage(self, height: Height) -> Announcement:
        after = await self._storage.request(ReadHeight(height))
        if isinstance(after, NotThere):
            raise BlockNotStored(height)
        if not isinstance(after, StoredHeight):
            raise UnexpectedAnswer("StoredHeight", after)
        block, stored = await asyncio.gather(
            self._storage.request(ReadBlock(after.number, None, with_receipts=False)),
            self._storage.request(ReadRecord(after.number)),
        )
        if isinstance(block, NotThere) or isinstance(stored, NotThere):
            raise BlockNotStored(height)
        if not isinstance(block, StoredBlock):
            raise UnexpectedAnswer("StoredBlock", block)
        if not isinstance(stored, StoredRecordMessage):
            raise UnexpectedAnswer("StoredRecord", stored)
        record = decode_record(stored.record)
        left_out = tuple(
            LeftOut(t.hash, t.left_out.reason, t.left_out.retry) for t in record.transactions if t.left_out
        )
        applied = BlockApplied(height, after.proposal, after.version, block.hash, block.header)
        senders = await self._states(record.senders, after.version)
        return _announcement(applied, block.hashes, left_out, senders, record, self.newest)

    async def _states(self, addresses: tuple[Address, ...], version: Version) -> list[SenderState]:
        """The accounts at `version`; where that is pruned the newest ones, which a validator behind comes to anyway."""
        try:
            values = await self._storage.request(ReadState(version, addresses, (), ()))
        except RequestFailed as refusal:
            if refusal.error != "StatePruned":
                raise
            values = await self._storage.request(ReadState(None, addresses, (), ()))
        if not isinstance(values, StateValues):
            raise UnexpectedAnswer("StateValues", values)
        pairs = zip(addresses, values.accounts, strict=True)
        return [SenderState(address, account.nonce, account.balance) for address, account in pairs]
