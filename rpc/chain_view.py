"""What rpc knows of the chain: its head, the stages behind it, and how to read any of it from storage.

The head moves when execution's news has come, by when storage has the block, *and* the block itself, with the news or
from storage, so `latest` never names what storage cannot answer. Without speculation `safe` is the same block; with
several executors, of which this reads one, it is the newest block that validators say they agree on. `finalized` is the
newest one that validators call verified.
Both count by the header's hash, and need validators with more than a third of the stake: at least one is honest.
Validators speak of heights; clients are told the number of the newest block at that height.
"""

import time
from dataclasses import dataclass, replace

from chain.accounts import Account, AccountChange
from chain.genesis import Genesis
from chain.headers import Header
from chain.links import Link
from chain.messages import Message
from chain.messages.execution import BlockEnvironment, BlockNews
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.mempool import ConsensusNews
from chain.messages.proofs import Proof, ReadProof
from chain.messages.storage import (
    BlockApplied,
    NotThere,
    ReadBlock,
    ReadHead,
    ReadHeaders,
    ReadHeight,
    ReadRecord,
    ReadSettings,
    ReadSnapshots,
    ReadTransaction,
    Snapshots,
    StoredBlock,
    StoredHeaders,
    StoredHeight,
    StoredRecord,
    StoredSettings,
    StoredTransaction,
)
from chain.operations import INITIAL_SETTINGS
from chain.records import BlockRecord, decode_record
from chain.types import Address, BlockNumber, Hash32, Height, ValidatorIndex, Version
from rpc.bounded_cache import BoundedCache
from rpc.environments import NewestEnvironment
from rpc.errors import HeaderNotFound
from rpc.kept_logs import KeptLogs
from rpc.news import HeadChange, NewBlock
from rpc.params import BlockReference, BlockTag
from rpc.recent_blocks import RecentBlocks
from rpc.recent_logs import RecentLogs
from rpc.rendered_logs import RenderedLogs, render_logs
from rpc.state_reader import READ_TIMEOUT_S, StateReader
from rpc.vouching import Vouching

CACHED_VERSIONS = 4_096
CACHED_HEIGHTS = 4_096
LOGS_LOOKED_THROUGH = 512
"""So many logs of the newest blocks are looked through here: storage would not have answered sooner."""
KEPT_LEFT_OUT = 16_384
"""So many transactions are known to have been left out of a block, those of the newest blocks."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The newest block after a height, the height's result, and how many blocks it made."""

    number: BlockNumber
    result: Hash32
    blocks: int


class ChainView:
    """Reads by block, in the words of JSON-RPC. `open` comes before everything else."""

    def __init__(self, storage: Link, genesis: Genesis, executors: int = 1) -> None:
        self.state = StateReader(storage)
        self._genesis_chain_id = genesis.chain_id
        self._storage = storage
        self._executors = executors
        stakes = [validator.stake for validator in genesis.validators]
        self._agreed, self._verified = Vouching(stakes, self._hash_of), Vouching(stakes, self._hash_of)
        self._head: StoredBlock | None = None
        self.head_since_ms = 0
        """When the head came here, in milliseconds of the clock."""
        self._heights: BoundedCache[Height, _Place] = BoundedCache(CACHED_HEIGHTS)
        self._ways_back: list[tuple[Height, BlockNumber]] = []
        """The heights above the verified one that took blocks back, and to which."""
        self._safe = self._finalized = genesis.base.number
        self.height = Height(0)
        self.settings = INITIAL_SETTINGS
        self._recent = RecentBlocks()
        self._versions: BoundedCache[BlockNumber, Version] = BoundedCache(CACHED_VERSIONS)
        self._logs = KeptLogs()
        self._recent_logs = RecentLogs()
        self._left_out: BoundedCache[Hash32, BlockNumber] = BoundedCache(KEPT_LEFT_OUT)
        self._consensus: dict[ValidatorIndex, ConsensusNews] = {}
        self._next_leader: tuple[Height, ValidatorIndex] | None = None
        """Who leads after a height, as its news said."""
        self._environment = NewestEnvironment(genesis)

    async def open(self) -> None:
        """Read the head from storage, waiting for storage as long as it takes."""
        applied, stored = await self._storage.request(ReadHead()), await self._storage.request(ReadSettings())
        assert isinstance(applied, BlockApplied)
        assert isinstance(stored, StoredSettings)
        self.settings = stored.settings
        block = await self._storage.request(ReadBlock(applied.number, None, with_receipts=True))
        assert isinstance(block, StoredBlock)
        self._advance(applied.height, block)
        self._heights.put(applied.height, _Place(applied.number, applied.result, len(applied.hashes)))

    @property
    def head(self) -> StoredBlock:
        """The newest executed block, with its receipts."""
        assert self._head is not None, "the chain view is not open yet"
        return self._head

    @property
    def chain_id(self) -> int:
        """Of the blocks to come: genesis says it, until an operation says another."""
        return self._genesis_chain_id if self.settings.chain_id is None else self.settings.chain_id

    @property
    def number(self) -> BlockNumber:
        return self.head.header.number

    @property
    def safe(self) -> BlockNumber:
        return self.number if self._executors == 1 else min(self._safe, self.number)

    @property
    def safe_height(self) -> Height:
        return self.height if self._executors == 1 else min(self._agreed.height, self.height)

    @property
    def finalized(self) -> BlockNumber:
        return min(self._finalized, self.number)

    @property
    def finalized_height(self) -> Height:
        return min(self._verified.height, self.height)

    @property
    def consensus(self) -> dict[ValidatorIndex, ConsensusNews]:
        """The last word of each validator."""
        return self._consensus

    async def height_executed(self, news: BlockNews) -> HeadChange:
        """Take the newest block of `news` as the head."""
        blocks = [news.block] if news.block is not None else await self._blocks_of(news)
        self.settings = news.settings
        if news.leader is not None:
            self._next_leader = news.height, news.leader
        if news.reverted:
            self._logs = KeptLogs()
            self._ways_back.append((news.height, news.number))
        if not blocks or blocks[-1].hash != news.hash:
            self.height = news.height
            return HeadChange(news, (), (), None)
        removed = self._recent.above(news.number) if news.reverted else ()
        for block in blocks:
            self._advance(news.height, block)
        if news.blocks:
            self._heights.put(news.height, _Place(news.number, news.hash, news.blocks))
        for out in news.left_out:
            self._left_out.put(out.hash, news.number)
        await self._agreed.served(self.height)
        await self._verified.served(self.height)
        await self._place_tags()
        added = tuple([NewBlock(_news_of(block, news), block) for block in blocks]) if news.blocks else ()
        return HeadChange(news, removed, added, blocks[-1])

    async def _blocks_of(self, news: BlockNews) -> list[StoredBlock]:
        """What storage has of them; none if one is missing."""
        numbers = range(news.number - news.blocks + 1, news.number + 1) if news.blocks else (news.number,)
        found = [await self._storage.request(ReadBlock(BlockNumber(n), None, with_receipts=True)) for n in numbers]
        blocks = [block for block in found if isinstance(block, StoredBlock)]
        return blocks if len(blocks) == len(numbers) else []

    async def consensus_changed(self, news: ConsensusNews) -> None:
        self._consensus[news.validator] = news
        await self._agreed.said(news.validator, news.executed, news.executed_hash, self.height)
        await self._verified.said(news.validator, news.verified, news.verified_hash, self.height)
        await self._place_tags()

    def leader(self) -> ValidatorIndex | None:
        """Who makes the next block, as far as anyone has told: execution tells with each block, validators of the round
        that they are in now and then. While a block is on its way the next is not of that round.
        """
        settled = (news for news in self._consensus.values() if news.proposed == news.committed)
        newest = max(settled, key=lambda news: news.round, default=None)
        told = self._next_leader
        if told is not None and (newest is None or newest.committed < told[0]):
            return told[1]
        return None if newest is None else newest.leader

    async def number_at(self, height: Height) -> BlockNumber:
        """The newest block after a height; of one that is not executed yet the block it is going to make."""
        place = await self._place(height)
        return self.expected_number(height) if place is None else place.number

    def expected_number(self, height: Height) -> BlockNumber:
        """The block that a height above the head makes, if each of those between makes one."""
        return BlockNumber(self.number + height - self.height)

    async def blocks_at(self, height: Height) -> int:
        """How many blocks a height made: none by most operations, several by some. Of one not executed yet: 1."""
        place = await self._place(height)
        return 1 if place is None else place.blocks

    async def _place_tags(self) -> None:
        """Blocks of a height that were taken back since are not there any more, whatever has their numbers."""
        self._ways_back = [(height, number) for height, number in self._ways_back if height > self._verified.height]
        self._safe, self._finalized = [await self._reached(tag.height) for tag in (self._agreed, self._verified)]

    async def _reached(self, tag: Height) -> BlockNumber:
        return min([await self.number_at(tag), *[number for height, number in self._ways_back if height > tag]])

    async def _place(self, height: Height) -> _Place | None:
        if height > self.height:
            return None
        known = self._heights.get(height)
        if known is None:
            answer = await self._read(ReadHeight(height))
            assert isinstance(answer, StoredHeight), f"height {height} is not stored below the newest, {self.height}"
            known = _Place(answer.number, answer.result, answer.blocks)
            self._heights.put(height, known)
        return known

    def _advance(self, height: Height, block: StoredBlock) -> None:
        self.height = height
        if self._head is not None and block.header.number <= self._head.header.number:
            self._versions = BoundedCache(CACHED_VERSIONS)
            self._logs = KeptLogs()
        self._head, self.head_since_ms = block, int(time.time() * 1000)
        self._recent.add(block)
        self._versions.put(block.header.number, block.version)

    async def _hash_of(self, height: Height) -> Hash32 | None:
        place = await self._place(height)
        return None if place is None else place.result

    def resolve(self, reference: BlockTag | BlockNumber) -> BlockNumber:
        """The block number a tag stands for; pending state is that of the latest block."""
        if not isinstance(reference, BlockTag):
            return reference
        if reference is BlockTag.FINALIZED:
            return self.finalized
        if reference is BlockTag.SAFE:
            return self.safe
        return BlockNumber(0) if reference is BlockTag.EARLIEST else self.number

    async def block(self, reference: BlockReference, with_receipts: bool = False) -> StoredBlock | None:
        """The block, None if there is none; with its receipts only if asked for."""
        if isinstance(reference, bytes):
            return self._recent.by_hash(reference) or await self._read_block(None, reference, with_receipts)
        number = self.resolve(reference)
        if number > self.number:
            return None
        return self._recent.by_number(number) or await self._read_block(number, None, with_receipts)

    async def existing_block(self, reference: BlockReference) -> StoredBlock:
        """The block. Raises HeaderNotFound."""
        block = await self.block(reference)
        if block is None:
            raise HeaderNotFound(None if isinstance(reference, BlockTag) else reference)
        return block

    def environment(self, block: StoredBlock) -> BlockEnvironment:
        """What calls on the block see of it."""
        return self._environment.of(block.header, self.settings)

    async def version(self, reference: BlockReference) -> Version:
        """The version whose state is that after the block. Raises HeaderNotFound."""
        if isinstance(reference, bytes):
            return (await self.existing_block(reference)).version
        number, versions = self.resolve(reference), self._versions
        known = versions.get(number)
        if known is not None:
            return known
        version = (await self.existing_block(number)).version
        versions.put(number, version)  # forgotten with the others if the chain went back meanwhile
        return version

    async def version_before(self, block: StoredBlock) -> Version:
        """The version that a block after genesis ran on: its parent's, with what operations changed after the parent.

        Raises HeaderNotFound.
        """
        return await self.version(block.header.parent_hash)

    async def account(self, address: Address, reference: BlockReference) -> Account:
        """The account after a block. Raises HeaderNotFound."""
        return await self.state.account(await self.version(reference), address)

    async def proof(
        self,
        address: Address,
        slots: tuple[int, ...],
        reference: BlockReference,
        changes: tuple[AccountChange, ...] = (),
    ) -> Proof:
        """The account and the slots after a block and these changes, proven against that state's root.

        Raises HeaderNotFound.
        """
        answer = await self._read(ReadProof(await self.version(reference), address, slots, changes))
        assert isinstance(answer, Proof)
        return answer

    async def transaction(self, transaction_hash: Hash32) -> StoredTransaction | None:
        """The executed transaction, None if there is none (yet)."""
        recent = self._recent.transaction(transaction_hash)
        if recent is not None:
            return recent
        answer = await self._read(ReadTransaction(transaction_hash))
        # Storage is ahead of the head for a moment; a receipt of a block that does not exist yet would confuse.
        if isinstance(answer, StoredTransaction) and answer.header.number <= self.number:
            return answer
        # While storage said no, the transaction may have moved from the pool into the head.
        return self._recent.transaction(transaction_hash)

    def left_out_of(self, transaction_hash: Hash32) -> BlockNumber | None:
        """The last block whose proposal had the transaction and that did not take it in, as far as rpc was there."""
        return self._left_out.get(transaction_hash)

    async def record(self, number: BlockNumber) -> BlockRecord | None:
        """How the block was executed; None for genesis."""
        answer = await self._read(ReadRecord(number))
        return decode_record(answer.record) if isinstance(answer, StoredRecord) else None

    async def logs(self, query: ReadLogs) -> RenderedLogs:
        """Of blocks up to the head.

        Raises RequestFailed with error TooManyLogs when more match than the query's limit.
        """
        kept = self._logs
        known = kept.get(query)
        if known is None:
            recent = self._recent.between(query.first, query.last, min(LOGS_LOOKED_THROUGH, query.limit))
            known = await self._stored_logs(query) if recent is None else self._recent_logs.matching(recent, query)
            kept.put(query, known)
        return known

    async def _stored_logs(self, query: ReadLogs) -> RenderedLogs:
        answer = await self._read(query)
        assert isinstance(answer, FoundLogs)
        return await render_logs(answer)

    async def headers(self, first: BlockNumber, last: BlockNumber) -> tuple[Header, ...]:
        """The headers of blocks that exist, oldest first."""
        recent = [self._recent.by_number(BlockNumber(number)) for number in range(first, last + 1)]
        known = tuple(block.header for block in recent if block is not None)
        if len(known) == len(recent):
            return known
        answer = await self._read(ReadHeaders(first, last))
        assert isinstance(answer, StoredHeaders)
        return answer.headers

    async def snapshots(self) -> tuple[tuple[int, BlockNumber, Hash32], ...]:
        """Those that can be gone back to: id, and number and hash of the newest block at that time."""
        answer = await self._read(ReadSnapshots())
        assert isinstance(answer, Snapshots)
        return answer.taken

    async def _read_block(
        self, number: BlockNumber | None, block_hash: Hash32 | None, with_receipts: bool
    ) -> StoredBlock | None:
        answer = await self._read(ReadBlock(number, block_hash, with_receipts))
        if isinstance(answer, NotThere):
            return None
        assert isinstance(answer, StoredBlock)
        return answer if answer.header.number <= self.number else None

    async def _read(self, request: Message) -> Message:
        return await self._storage.request(request, READ_TIMEOUT_S)


def _news_of(block: StoredBlock, news: BlockNews) -> BlockNews:
    """The height's news as that of one of its blocks."""
    if block.hash == news.hash and news.blocks == 1:
        return news
    header = block.header
    return replace(
        news,
        number=header.number,
        hash=block.hash,
        timestamp=header.timestamp,
        gas_used=header.gas_used,
        included=block.hashes,
        blocks=1,
    )
