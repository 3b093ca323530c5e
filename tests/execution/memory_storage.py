"""Storage as execution and its workers see it, over dictionaries."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.codec import decode_message, encode_message
from chain.genesis import Genesis
from chain.headers import Header, with_state_root
from chain.keccak import EMPTY_HASH, keccak256
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.simulation import StateRoot, WorkOutRoot
from chain.messages.state_pages import ReadStatePage
from chain.messages.storage import (
    ApplyBlock,
    BlockApplied,
    BlockHashes,
    NotThere,
    ReadBlock,
    ReadHashes,
    ReadHead,
    ReadHeight,
    ReadOperation,
    ReadRecord,
    ReadSettings,
    ReadState,
    StateValues,
    StoredBlock,
    StoredHeight,
    StoredRecord,
    StoredSettings,
)
from chain.operations import INITIAL_SETTINGS
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Height, Version


def genesis_header(of: Genesis) -> Header:
    empty = bytes(32)
    return Header(
        parent_hash=ZERO_HASH,
        beneficiary=ZERO_ADDRESS,
        state_root=Hash32(empty),
        transactions_root=Hash32(empty),
        receipts_root=Hash32(empty),
        logs_bloom=bytes(256),
        number=BlockNumber(0),
        gas_limit=of.gas_limit,
        gas_used=Gas(of.gas_limit // 2),
        timestamp=of.timestamp,
        prev_randao=ZERO_HASH,
        base_fee=of.base_fee,
    )


def stored_height(after: BlockApplied) -> StoredHeight:
    blocks = len(after.hashes)
    return StoredHeight(
        after.height, after.number, after.hash, after.version, after.proposal, after.result, blocks, undone=False
    )


class MemoryStorage:
    """Storage's messages over dictionaries, one copy for each version. `gate` holds back blocks while it is clear."""

    def __init__(self, of: Genesis) -> None:
        header = genesis_header(of)
        self.head = BlockApplied(Height(0), of.id(), Version(1), header.hash(), header, header.hash(), ())
        self.accounts: dict[Address, Account] = {}
        self.slots: dict[tuple[Address, int], int] = {}
        self.codes: dict[Hash32, bytes] = {EMPTY_HASH: b""}
        self.versions: dict[int, tuple[dict[Address, Account], dict[tuple[Address, int], int]]] = {}
        self.blocks: dict[int, tuple[BlockApplied, ApplyBlock]] = {}
        self.hashes: dict[int, Hash32] = {0: header.hash()}
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests: list[Message] = []
        self.refusals: list[RequestFailed] = []
        self._take(of.accounts)
        self.versions[self.head.version] = (dict(self.accounts), dict(self.slots))

    @property
    def connected(self) -> bool:
        return True

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        await asyncio.sleep(0)
        if isinstance(message, ApplyBlock):
            await self.gate.wait()
            if self.refusals:
                raise self.refusals.pop()
        return decode_message(encode_message(self.answer(decode_message(encode_message(message)))))

    def notify(self, message: Message) -> bool:
        raise NotImplementedError

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        raise NotImplementedError

    def answer(self, message: Message) -> Message:
        self.requests.append(message)
        match message:
            case ReadHead():
                return self.head
            case ReadSettings():
                return StoredSettings(INITIAL_SETTINGS)
            case ReadOperation():
                return NotThere()
            case ReadHeight(height):
                applied = self.blocks[height][0] if height in self.blocks else None
                if applied is None:
                    return NotThere()
                return stored_height(applied)
            case ReadState():
                return self._read(message)
            case ReadStatePage():
                raise RequestFailed("NoWholeState", "only single values")
            case ReadHashes():
                return BlockHashes(tuple(self.hashes.get(number, ZERO_HASH) for number in message.numbers))
            case ApplyBlock():
                return self._apply(message)
            case WorkOutRoot():
                return StateRoot(keccak256(encode_message(message)))
            case ReadBlock():
                return self._block(message)
            case ReadRecord():
                found = self.blocks.get(message.number)
                return NotThere() if found is None else StoredRecord(found[1].record)
        raise AssertionError(message)

    def _read(self, read: ReadState) -> StateValues:
        version = Version(max(self.versions)) if read.version is None else read.version
        accounts, slots = self.versions[version]
        return StateValues(
            version,
            tuple(accounts.get(address, EMPTY_ACCOUNT) for address in read.accounts),
            tuple(slots.get(key, 0) for key in read.slots),
            tuple(self.codes[code_hash] for code_hash in read.codes),
        )

    def _apply(self, block: ApplyBlock) -> BlockApplied:
        if block.height == self.head.height and block.proposal == self.head.proposal:
            return self.head
        assert (block.height, block.header.number) == (self.head.height + 1, self.head.number + 1)
        parent_hash = self.head.hash
        if block.parent_hash_slot is not None:
            self.slots[block.parent_hash_slot] = int.from_bytes(parent_hash, "big")
        self._take(block.changes)
        header = with_state_root(block.header, parent_hash, self._root())
        version = Version(self.head.version + 1)
        hash_ = header.hash()
        self.head = BlockApplied(block.height, block.proposal, version, hash_, header, hash_, (hash_,))
        self.versions[self.head.version] = (dict(self.accounts), dict(self.slots))
        self.hashes[header.number] = header.hash()
        self.blocks[header.number] = (self.head, block)
        return self.head

    def _root(self) -> Hash32:
        """Not a Merkle root, but equal for equal states."""
        return keccak256(repr((sorted(self.accounts.items()), sorted(self.slots.items()))).encode())

    def _take(self, changes: Sequence[AccountChange]) -> None:
        for change in changes:
            if change.clears_storage:
                self.slots = {key: value for key, value in self.slots.items() if key[0] != change.address}
            self.accounts[change.address] = change.account
            if change.account.is_empty:
                del self.accounts[change.address]
            for slot, value in change.slots.items():
                self.slots[(change.address, slot)] = value
                if value == 0:
                    del self.slots[(change.address, slot)]
            if change.code is not None:
                self.codes[keccak256(change.code)] = change.code

    def _block(self, read: ReadBlock) -> Message:
        found = self.blocks.get(read.number or -1)
        if found is None:
            return NotThere()
        applied, block = found
        hashes = tuple(keccak256(raw) for raw in block.transactions)
        return StoredBlock(applied.header, applied.hash, applied.version, hashes, block.transactions, block.senders, ())


class BlockingStorage:
    """A worker's reads of a MemoryStorage."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self.requests = 0

    def request(self, message: Message) -> Message:
        self.requests += 1
        return decode_message(encode_message(self._storage.answer(message)))
