"""A small world to execute blocks in: funded accounts, storage in memory, and workers that speak only messages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.codec import decode_message, encode_message
from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.headers import Header, with_state_root
from chain.keccak import EMPTY_HASH, keccak256
from chain.links import LinkClosed, RequestFailed
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
from chain.messages.tasks import ComputeRoot, RunTransactions, SummarizeReceipts
from chain.operations import INITIAL_SETTINGS
from chain.proposals import BlockInputs, Certificate, ExecutedBlock, Proposal
from chain.signing import address_of_private_key
from chain.system_contracts import system_accounts
from chain.transactions import DYNAMIC_FEE, Transaction, TransactionType
from chain.types import (
    ZERO_ADDRESS,
    ZERO_HASH,
    Address,
    BlockNumber,
    Gas,
    Hash32,
    Height,
    Round,
    ValidatorIndex,
    Version,
    Wei,
)
from execution.assembly import ExecutedBlock as Executed
from execution.block_run import TransactionEngine
from execution.engine import Engine
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.roots import compute_root, summarize_receipts
from execution.senders import Senders
from execution.speculation import Speculator

ETHER = 10**18
GWEI = 10**9
CHAIN_ID = 31337
BENEFICIARY = Address(b"\xbe" * 20)
KEYS = [keccak256(b"key %d" % i) for i in range(64)]
ADDRESSES = [address_of_private_key(key) for key in KEYS]
ENGINE = Engine(Fork.PRAGUE)


def funded(addresses: Sequence[Address], balance: int = 1000 * ETHER) -> list[AccountChange]:
    return [AccountChange(address, Account(balance=Wei(balance)), {}) for address in addresses]


def contract(address: Address, code: bytes, slots: dict[int, int] | None = None) -> AccountChange:
    account = Account(nonce=1, code_hash=keccak256(code))
    return AccountChange(address, account, slots or {}, code=code)


def genesis(accounts: Sequence[AccountChange], validators: int = 4) -> Genesis:
    identities = tuple(ValidatorIdentity(bytes([i]) * 32, 1, BENEFICIARY) for i in range(validators))
    everything = (*system_accounts(Fork.PRAGUE), *accounts)
    return Genesis(
        CHAIN_ID,
        only(Fork.PRAGUE),
        first_header(Fork.PRAGUE, 1_700_000_000, Gas(30_000_000), Wei(GWEI)),
        everything,
        identities,
        3,
        "hotstuff-2",
        "weighted",
    )


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


class WorkerPeer:
    """A worker as the pool sees it. Its tasks run one after the other, as the event loop comes to them."""

    def __init__(self, name: str, storage: MemoryStorage, pool: Pool, engine: TransactionEngine = ENGINE) -> None:
        self._name = name
        self._pool = pool
        self._reads = BlockingStorage(storage)
        self._speculator = Speculator(lambda _: engine, self._reads)
        self._queue: asyncio.Queue[RunTransactions | ComputeRoot | SummarizeReceipts] = asyncio.Queue()
        self.tasks: list[RunTransactions] = []
        self.pace: Iterator[int] = repeat(1)
        """How often the event loop turns while each task runs."""
        self.takes = True
        self.dies_at: int | None = None
        self.open = True
        self._runner = asyncio.ensure_future(self._run())
        pool.follow(self)

    @property
    def name(self) -> str:
        return self._name

    def push(self, message: Message) -> bool:
        if not self.takes:
            return False
        self._queue.put_nowait(decode_message(encode_message(message)))
        return True

    async def drained(self) -> None:
        if not self.open:
            raise LinkClosed

    def die(self) -> None:
        self.open = False
        self._runner.cancel()
        self._pool.left(self)

    async def stop(self) -> None:
        self._runner.cancel()
        await asyncio.gather(self._runner, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            task = await self._queue.get()
            if isinstance(task, RunTransactions):
                self.tasks.append(task)
            if self.dies_at is not None and len(self.tasks) >= self.dies_at:
                self.open = False
                asyncio.get_running_loop().call_soon(self._pool.left, self)
                return
            answer = decode_message(encode_message(self._done(task)))
            await turns(next(self.pace))
            self._pool.finished(self, answer.task_id, answer)

    def _done(self, task: RunTransactions | ComputeRoot | SummarizeReceipts) -> Message:
        if isinstance(task, ComputeRoot):
            return compute_root(task)
        if isinstance(task, SummarizeReceipts):
            return summarize_receipts(task)
        return self._speculator.run(task)


async def until(true: Callable[[], bool]) -> None:
    """Let the event loop turn until something holds."""
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


async def turns(count: int = 300) -> None:
    """Let the event loop turn long enough for anything that can happen to have happened."""
    for _ in range(count):
        await asyncio.sleep(0)


def transaction(key: bytes, nonce: int, **fields: Any) -> Transaction:
    """A signed transaction; dynamic fee unless told otherwise."""
    values: dict[str, Any] = {
        "type": DYNAMIC_FEE,
        "chain_id": CHAIN_ID,
        "max_fee": Wei(10 * GWEI),
        "max_priority_fee": Wei(GWEI),
        "gas": Gas(21_000),
        "to": ADDRESSES[0],
        "value": Wei(0),
        "data": b"",
    } | fields
    values["type"] = TransactionType(values["type"])
    return Transaction(nonce=nonce, **values).signed_with(key)


def inputs_at(number: int, gas_limit: int = 30_000_000, milliseconds: int = 400) -> BlockInputs:
    timestamp_ms = 1_700_000_000_000 + number * milliseconds
    return BlockInputs(timestamp_ms, BENEFICIARY, keccak256(b"randao %d" % number), Gas(gas_limit))


def proposal(number: int, parent: Hash32, raws: Sequence[bytes], inputs: BlockInputs | None = None) -> Proposal:
    return Proposal(
        parent=parent,
        round=Round(number),
        proposer=ValidatorIndex(0),
        certificate=Certificate(parent, Round(number - 1), ()),
        timeout_certificate=None,
        height=Height(number),
        inputs=inputs or inputs_at(number),
        executed=ExecutedBlock(Height(0), ZERO_HASH),
        transactions=tuple(raws),
    )


class Chain:
    """Blocks one after the other through a BlockProcessor and a MemoryStorage."""

    def __init__(
        self,
        of: Genesis,
        strategy: str = "serial",
        workers: int = 0,
        cases: Path | None = None,
        engine: TransactionEngine = ENGINE,
    ) -> None:
        self.genesis = of
        self.storage = MemoryStorage(of)
        self.pool = Pool()
        self.senders = Senders(of.forks.newest)
        self.workers = [WorkerPeer(f"worker-{i}", self.storage, self.pool, engine) for i in range(workers)]
        self.processor = BlockProcessor(
            of.chain_id,
            of.forks,
            self.storage.head,
            self.storage,
            lambda _: engine,
            strategy,
            self.pool,
            self.senders,
            cases,
        )
        self._parent = of.id()
        self._number = 0
        self.blocks: list[Executed] = []

    async def run(self, transactions: Sequence[Transaction | bytes], **inputs: Any) -> Executed:
        """Execute a block of these and apply it."""
        block = await self.execute(transactions, **inputs)
        await self.apply(block)
        return block

    async def execute(self, transactions: Sequence[Transaction | bytes], **inputs: Any) -> Executed:
        self._number += 1
        raws = [t if isinstance(t, bytes) else t.raw for t in transactions]
        proposed = proposal(self._number, self._parent, raws, replace(inputs_at(self._number), **inputs))
        self._parent = proposed.id
        block = await self.processor.execute(proposed)
        self.blocks.append(block)
        return block

    async def apply(self, block: Executed) -> BlockApplied:
        applied = await self.storage.request(block.apply)
        assert isinstance(applied, BlockApplied)
        self.processor.applied(block, applied)
        return applied

    async def stop(self) -> None:
        for worker in self.workers:
            await worker.stop()

    def balance(self, address: Address) -> int:
        return self.storage.accounts.get(address, EMPTY_ACCOUNT).balance
