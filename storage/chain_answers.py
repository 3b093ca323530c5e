"""What is asked of the chain: heights, blocks, transactions, logs, and what operations have left."""

from chain.messages import Message
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.storage import (
    BlockApplied,
    BlockHashes,
    NotThere,
    ReadBlock,
    ReadHashes,
    ReadHead,
    ReadHeaders,
    ReadHeight,
    ReadOperation,
    ReadRecord,
    ReadSettings,
    ReadSnapshot,
    ReadSnapshots,
    ReadTransaction,
    Snapshots,
    StoredHeaders,
    StoredHeight,
    StoredRecord,
    StoredSettings,
)
from chain.types import ZERO_HASH
from storage.ancestors import hashes_at
from storage.awaited import Awaited
from storage.errors import BlockOutOfRange, TooManyBlocks
from storage.handlers import Handlers
from storage.remote_below import RemoteBelow
from storage.slices import in_slices
from storage.store import OLDEST_BLOCK, Store

MAX_HEADERS = 1024
MAX_SNAPSHOTS = 1024
"""Of suites that take one for each test and never go back."""


class ChainAnswers:
    def __init__(self, store: Store, remote: RemoteBelow | None, awaited: Awaited) -> None:
        self._store = store
        self._remote = remote
        self._awaited = awaited

    def handlers(self) -> Handlers:
        """By the class of what they answer."""
        return {
            ReadHead: self._read_head,
            ReadHeight: self._read_height,
            ReadOperation: self._read_operation,
            ReadSnapshot: self._read_snapshot,
            ReadSnapshots: self._read_snapshots,
            ReadSettings: self._read_settings,
            ReadBlock: self._read_block,
            ReadTransaction: self._read_transaction,
            ReadLogs: self._read_logs,
            ReadHashes: self._read_hashes,
            ReadRecord: self._read_record,
            ReadHeaders: self._read_headers,
        }

    async def _read_head(self, read: ReadHead) -> BlockApplied:
        return self._store.head

    async def _read_height(self, read: ReadHeight) -> Message:
        row = self._store.blocks.height(read.height) if read.height <= self._store.head.height else None
        if row is None:
            return NotThere()
        undone = self._store.is_undone(row)
        return StoredHeight(
            read.height, row.number, row.hash, row.version, row.proposal, row.result, row.blocks, undone
        )

    async def _read_operation(self, read: ReadOperation) -> Message:
        record = self._store.blocks.operation(read.height)
        return NotThere() if record is None else StoredRecord(record)

    async def _read_snapshot(self, read: ReadSnapshot) -> Message:
        return self._store.snapshots.get(read.snapshot) or NotThere()

    async def _read_snapshots(self, read: ReadSnapshots) -> Snapshots:
        found = []
        for id_, taken in self._store.snapshots.newest(MAX_SNAPSHOTS):
            header = self._store.blocks.header(taken.number)
            if header is not None:
                found.append((id_, taken.number, header.hash))
        return Snapshots(tuple(found))

    async def _read_settings(self, read: ReadSettings) -> StoredSettings:
        return StoredSettings(self._store.settings)

    async def _read_block(self, read: ReadBlock) -> Message:
        number = read.number
        if number is None and read.hash is not None:
            number = self._store.blocks.number_of(read.hash)
        found = None if number is None else self._store.blocks.block(number, read.with_receipts)
        return NotThere() if found is None else found

    async def _read_transaction(self, read: ReadTransaction) -> Message:
        found = self._store.blocks.transaction(read.hash)
        return NotThere() if found is None else found

    async def _read_logs(self, read: ReadLogs) -> FoundLogs:
        return await in_slices(self._store.logs(read))

    async def _read_hashes(self, read: ReadHashes) -> BlockHashes:
        version = await self._awaited.reached(read.version)
        hashes = hashes_at(self._store.blocks, self._store.head.height, version, read.numbers)
        if self._remote is not None:
            below = [number for number in read.numbers if number < self._remote.forked_at]
            hashes |= await self._remote.answers.hashes(below)
        return BlockHashes(tuple([hashes.get(number, ZERO_HASH) for number in read.numbers]))

    async def _read_record(self, read: ReadRecord) -> Message:
        record = self._store.blocks.record(read.number)
        return NotThere() if record is None else StoredRecord(record)

    async def _read_headers(self, read: ReadHeaders) -> StoredHeaders:
        if read.first > read.last:
            raise BlockOutOfRange(read.first, read.last, OLDEST_BLOCK, self._store.head.number)
        last = min(read.last, self._store.head.number)
        if last - read.first >= MAX_HEADERS:
            raise TooManyBlocks(last - read.first + 1, MAX_HEADERS)
        stored = [self._store.blocks.header(number) for number in range(max(read.first, 0), last + 1)]
        return StoredHeaders(tuple([header.header for header in stored if header is not None]))
