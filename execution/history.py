"""What became of executed blocks: BlockResult for validators and BlockNews for rpc.

Recent ones are kept; older ones are made again from what storage holds: the block, its execution record, and the state
after it.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from chain.codec import decode_value
from chain.fees import next_base_fee
from chain.links import RequestFailed
from chain.messages.execution import BlockNews
from chain.messages.mempool import BlockResult, LeftOut, Production, SenderState
from chain.messages.storage import (
    ApplyBlock,
    BlockApplied,
    NotThere,
    ReadBlock,
    ReadHeight,
    ReadOperation,
    ReadRecord,
    ReadState,
    StateValues,
    StoredBlock,
    StoredHeight,
)
from chain.messages.storage import StoredRecord as StoredRecordMessage
from chain.operations import BlockSettings, OperationRecord
from chain.records import BlockRecord, decode_record
from chain.types import Address, BlockNumber, Gas, Hash32, Height, ValidatorIndex, Version, Wei
from execution.assembly import ExecutedBlock
from execution.errors import ExecutionError
from execution.operations import ExecutedOperation, dropped_by
from execution.reader import UnexpectedAnswer
from execution.storage_requests import StorageRequests

KEPT_BLOCKS = 128
SMALL_BLOCK_BYTES = 16 * 1024
"""Of transactions and logs: encoding more here would hold up the next block longer than rpc's read takes."""
SMALL_BLOCK_TRANSACTIONS = 16


class BlockNotStored(ExecutionError):
    """Somebody asks for the result of a block that storage does not have (any more)."""

    def __init__(self, height: Height) -> None:
        super().__init__(f"the block of height {height} is not in storage")
        self.height = height


@dataclass(frozen=True, slots=True)
class Announcement:
    """One height's result, and its news unless its blocks were taken back since."""

    result: BlockResult
    news: BlockNews | None


@dataclass(frozen=True, slots=True)
class _Made:
    """What a height made of its transactions. Without a block there is no record of one."""

    included: tuple[Hash32, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    senders: tuple[SenderState, ...] = ()
    record: BlockRecord | None = None
    operation: OperationRecord | None = None


class History:
    """Announcements by height: the newest from memory, the others from storage.

    `gas_limit` is what a block has without an operation, `settings` what operations have set up to the newest height.
    """

    def __init__(self, storage: StorageRequests, head: Height, gas_limit: Gas, settings: BlockSettings) -> None:
        self._storage = storage
        self._gas_limit = gas_limit
        self._settings = settings
        self._kept: OrderedDict[Height, Announcement] = OrderedDict()
        self.newest = head

    def announce(
        self, block: ExecutedBlock, applied: BlockApplied, committed: Height, prover: ValidatorIndex | None = None
    ) -> Announcement:
        """What is told of a block that storage has just applied. `prover` proved the newest committed one."""
        if block.apply.settings is not None:
            self._settings = block.apply.settings
        made = _Made(block.included, block.left_out, block.senders, block.record)
        announcement = self._announcement(applied, made, committed)
        if announcement.news is not None:
            stored = _stored(block, applied) if _is_small(block.apply) else None
            leader = prover if block.height == committed else None
            announcement = replace(announcement, news=replace(announcement.news, block=stored, leader=leader))
        return self._keep(announcement)

    async def announce_operation(
        self, executed: ExecutedOperation, applied: BlockApplied, committed: Height
    ) -> Announcement:
        """What is told of an operation that storage has just applied."""
        self._settings = executed.apply.settings
        record = executed.record
        senders = tuple(await self._states(record.senders, applied.version))
        made = _Made((), dropped_by(record), senders, None, record)
        if executed.blocks:
            first = executed.blocks[0]
            made = replace(made, included=first.included, left_out=first.left_out, record=first.record)
        return self._keep(self._announcement(applied, made, committed))

    async def get(self, height: Height) -> Announcement:
        """The announcement of an executed height. Raises BlockNotStored."""
        kept = self._kept.get(height)
        return kept if kept is not None else await self._from_storage(height)

    def _keep(self, announcement: Announcement) -> Announcement:
        self.newest = announcement.result.height
        self._kept[self.newest] = announcement
        while len(self._kept) > KEPT_BLOCKS:
            self._kept.popitem(last=False)
        return announcement

    def _announcement(self, applied: BlockApplied, made: _Made, committed: Height) -> Announcement:
        header, settings, operation = applied.header, self._settings, made.operation
        reverted = operation is not None and operation.reverted
        fee = next_base_fee(header) if settings.next_base_fee is None else settings.next_base_fee
        result = BlockResult(
            height=applied.height,
            proposal=applied.proposal,
            header_hash=applied.result,
            gas_limit=self._gas_limit if settings.gas_limit is None else settings.gas_limit,
            next_base_fee=fee,
            included=made.included,
            left_out=made.left_out,
            senders=made.senders,
            production=_production(settings),
            reverted=reverted,
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
            included=made.included,
            left_out=made.left_out,
            senders=made.senders,
            committed=committed,
            strategy="" if made.record is None else made.record.strategy,
            retries=0 if made.record is None else made.record.retries,
            execution_us=0 if made.record is None else made.record.execution_us,
            settings=settings,
            operation=None if operation is None else operation.done,
            blocks=len(applied.hashes),
            reverted=reverted,
        )
        return Announcement(result, news)

    async def _from_storage(self, height: Height) -> Announcement:
        after = await self._storage.request(ReadHeight(height))
        if isinstance(after, NotThere):
            raise BlockNotStored(height)
        if not isinstance(after, StoredHeight):
            raise UnexpectedAnswer("StoredHeight", after)
        if after.undone:
            return self._undone(after)
        newest, operation = await self._block(after.number, height), await self._operation(height)
        record, made = None, _Made(operation=operation)
        if after.blocks:
            first = await self._block(BlockNumber(after.number - after.blocks + 1), height)
            record = await self._record(first.header.number, height)
            made = replace(made, included=first.hashes, left_out=_left_out_of(record), record=record)
        if operation is not None:
            made = replace(made, left_out=(*made.left_out, *dropped_by(operation)))
        addresses = operation.senders if operation is not None else record.senders if record is not None else ()
        made = replace(made, senders=tuple(await self._states(addresses, after.version)))
        hashes = (newest.hash,) * after.blocks  # only how many counts here
        applied = BlockApplied(height, after.proposal, after.version, newest.hash, newest.header, after.result, hashes)
        return self._announcement(applied, made, self.newest)

    def _undone(self, after: StoredHeight) -> Announcement:
        """Of a height whose blocks were taken back only the result is left to tell, and that to validators alone."""
        result = BlockResult(
            height=after.height,
            proposal=after.proposal,
            header_hash=after.result,
            gas_limit=self._gas_limit,
            next_base_fee=Wei(0),
            included=(),
            left_out=(),
            senders=(),
            production=_production(self._settings),
            undone=True,
        )
        return Announcement(result, None)

    async def _block(self, number: BlockNumber, height: Height) -> StoredBlock:
        block = await self._storage.request(ReadBlock(number, None, with_receipts=False))
        if isinstance(block, NotThere):
            raise BlockNotStored(height)
        if not isinstance(block, StoredBlock):
            raise UnexpectedAnswer("StoredBlock", block)
        return block

    async def _record(self, number: BlockNumber, height: Height) -> BlockRecord:
        stored = await self._storage.request(ReadRecord(number))
        if isinstance(stored, NotThere):
            raise BlockNotStored(height)
        if not isinstance(stored, StoredRecordMessage):
            raise UnexpectedAnswer("StoredRecord", stored)
        return decode_record(stored.record)

    async def _operation(self, height: Height) -> OperationRecord | None:
        stored = await self._storage.request(ReadOperation(height))
        if isinstance(stored, NotThere):
            return None
        if not isinstance(stored, StoredRecordMessage):
            raise UnexpectedAnswer("StoredRecord", stored)
        return decode_value(OperationRecord, stored.record)

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


def _is_small(block: ApplyBlock) -> bool:
    if len(block.transactions) > SMALL_BLOCK_TRANSACTIONS:
        return False
    logs = sum(receipt.logs_size for receipt in block.receipts)
    return logs + sum(map(len, block.transactions)) <= SMALL_BLOCK_BYTES


def _stored(block: ExecutedBlock, applied: BlockApplied) -> StoredBlock:
    """The block as storage answers it."""
    apply = block.apply
    return StoredBlock(
        header=applied.header,
        hash=applied.hash,
        version=applied.version,
        hashes=block.included,
        transactions=apply.transactions,
        senders=apply.senders,
        receipts=apply.receipts,
        ommers=apply.ommers,
        withdrawals=apply.withdrawals,
    )


def _left_out_of(record: BlockRecord) -> tuple[LeftOut, ...]:
    return tuple(
        [LeftOut(t.hash, t.left_out.reason, t.left_out.retry) for t in record.transactions if t.left_out is not None]
    )


def _production(settings: BlockSettings) -> Production:
    return Production(settings.automine, settings.interval_ms, settings.operations)
