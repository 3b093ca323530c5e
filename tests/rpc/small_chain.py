"""A chain small enough for a test: storage, execution and validators that answer from memory, without processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from chain.accounts import Account
from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.headers import EMPTY_BLOOM, Header
from chain.keccak import EMPTY_HASH, keccak256
from chain.links import RequestFailed
from chain.merkle import EMPTY_ROOT
from chain.messages import Message
from chain.messages.execution import BlockNews
from chain.messages.logs import FoundLogs, ReadLogs
from chain.messages.mempool import (
    Admit,
    Admitted,
    LeftOut,
    MempoolPage,
    PooledTransaction,
    ReadMempool,
    SenderState,
)
from chain.messages.storage import (
    BlockApplied,
    NotThere,
    ReadBlock,
    ReadHead,
    ReadHeight,
    ReadSettings,
    ReadState,
    ReadTransaction,
    StateValues,
    StoredBlock,
    StoredHeight,
    StoredSettings,
)
from chain.operations import INITIAL_SETTINGS, AdmitOperations, OperationsAdmitted
from chain.receipts import Receipt
from chain.signing import address_of_private_key
from chain.transactions import DYNAMIC_FEE, Transaction, decode_transaction
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Gas, Hash32, Height, ValidatorIndex, Version, Wei
from rpc.admission import Admission
from rpc.block_logs import logs_in
from rpc.chain_view import ChainView
from rpc.news import NewBlock
from rpc.pool import PoolLimits
from tests.found_logs import pack_found_logs

CHAIN_ID = 31337
GAS_LIMIT = Gas(30_000_000)
BASE_FEE = Wei(10**9)
ETHER = 10**18
KEYS = [bytes(31) + bytes((i,)) for i in range(1, 9)]
ACCOUNTS = [address_of_private_key(key) for key in KEYS]
RECIPIENT = Address(b"\x77" * 20)


def genesis(validators: int = 4, fork: Fork = Fork.PRAGUE) -> Genesis:
    identities = [ValidatorIdentity(bytes((i,)) * 32, 1, Address(bytes((i,)) * 20)) for i in range(validators)]
    header = first_header(fork, 0, GAS_LIMIT, BASE_FEE)
    return Genesis(CHAIN_ID, only(fork), header, (), tuple(identities), 3, "hotstuff-2", "weighted")


def transfer(key: bytes = KEYS[0], nonce: int = 0, **fields: object) -> Transaction:
    """A signed transfer of 1 wei, changed by the fields given."""
    plain = Transaction(
        type=DYNAMIC_FEE,
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_fee=Wei(3 * 10**9),
        max_priority_fee=Wei(10**9),
        gas=Gas(21_000),
        to=RECIPIENT,
        value=Wei(1),
        data=b"",
    )
    return replace(plain, **fields).signed_with(key)  # type: ignore[arg-type]


class AnsweringLink:
    """A link whose peer answers at once, or when `hold` is released. Counts requests by the class of their message."""

    def __init__(self) -> None:
        self.connected = True
        self.requests: list[Message] = []
        self.notified: list[Message] = []
        self.hold: asyncio.Event | None = None
        self.heard: Callable[[], None] = lambda: None

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        self.requests.append(message)
        self.heard()
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(0)
        return self.answer(message)

    def answer(self, message: Message) -> Message:
        raise NotImplementedError

    def notify(self, message: Message) -> bool:
        self.notified.append(message)
        self.heard()
        return True

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        pass

    def count(self, kind: type) -> int:
        return sum(isinstance(message, kind) for message in self.requests)


class MemoryStorage(AnsweringLink):
    """Accounts by version, and the blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[Hash32, bytes] = {EMPTY_HASH: b""}
        self.states: list[dict[Address, Account]] = [{a: Account(0, Wei(100 * ETHER)) for a in ACCOUNTS}]
        self.blocks: list[StoredBlock] = [stored_block(0, ZERO_HASH)]

    def answer(self, message: Message) -> Message:
        match message:
            case ReadState():
                return self._state(message)
            case ReadSettings():
                return StoredSettings(INITIAL_SETTINGS)
            case ReadHead():
                head = self.blocks[-1]
                return applied_of(head)
            case ReadBlock():
                found = [b for b in self.blocks if message.number == b.header.number or message.hash == b.hash]
                return found[0] if found else NotThere()
            case ReadHeight(height):
                one = self.blocks[height]
                return StoredHeight(
                    height, one.header.number, one.hash, one.version, ZERO_HASH, one.hash, 1, undone=False
                )
            case ReadLogs():
                return self._logs(message)
            case ReadTransaction():
                return NotThere()
            case _:
                raise AssertionError(f"storage is not asked for {message}")

    def _state(self, read: ReadState) -> StateValues:
        version = Version(len(self.states) - 1) if read.version is None else read.version
        accounts = self.states[version]
        return StateValues(
            version,
            tuple(accounts.get(address, Account()) for address in read.accounts),
            (),
            tuple(self.codes[code_hash] for code_hash in read.codes),
        )

    def _logs(self, read: ReadLogs) -> FoundLogs:
        logs = [log for b in self.blocks if read.first <= b.header.number <= read.last for log in logs_in(b, read)]
        if len(logs) > read.limit:
            raise RequestFailed("TooManyLogs", f"more than {read.limit}")
        return pack_found_logs(logs)


def stored_block(
    number: int,
    parent: Hash32,
    transactions: Sequence[Transaction] = (),
    receipts: Sequence[Receipt] = (),
) -> StoredBlock:
    header = Header(
        parent_hash=parent,
        beneficiary=ZERO_ADDRESS,
        state_root=EMPTY_ROOT,
        transactions_root=EMPTY_ROOT,
        receipts_root=EMPTY_ROOT,
        logs_bloom=EMPTY_BLOOM,
        number=BlockNumber(number),
        gas_limit=GAS_LIMIT,
        gas_used=Gas(21_000 * len(transactions)),
        timestamp=number,
        prev_randao=ZERO_HASH,
        base_fee=BASE_FEE,
    )
    return StoredBlock(
        header=header,
        hash=header.hash(),
        version=Version(number),
        hashes=tuple(t.hash for t in transactions),
        transactions=tuple(t.raw for t in transactions),
        senders=tuple(t.sender() for t in transactions),
        receipts=tuple(receipts),
    )


class MemoryValidator(AnsweringLink):
    """A mempool that stores everything, save what `refusals` has a reason against."""

    def __init__(self) -> None:
        super().__init__()
        self.mempool: dict[Hash32, PooledTransaction] = {}
        self.refusals: dict[Hash32, str] = {}
        self.refuse_all: str | None = None
        self.page_size = 1_000

    def answer(self, message: Message) -> Message:
        match message:
            case Admit():
                return self._admit(message)
            case AdmitOperations():
                return OperationsAdmitted("")
            case ReadMempool():
                hashes = list(self.mempool)
                start = hashes.index(Hash32(message.after)) + 1 if message.after else 0
                page = [self.mempool[h] for h in hashes[start : start + self.page_size]]
                return MempoolPage(tuple(page), start + len(page) < len(hashes))
            case _:
                raise AssertionError(f"a validator is not asked for {message}")

    def _admit(self, admit: Admit) -> Admitted:
        refused: dict[Hash32, str] = {}
        for transaction in admit.transactions:
            reason = self.refuse_all or self.refusals.get(transaction.hash)
            if reason is None:
                self.mempool[transaction.hash] = transaction
            else:
                refused[transaction.hash] = reason
        return Admitted(tuple(refused.items()))


class SilentExecution(AnsweringLink):
    """Takes sender hints."""


@dataclass
class SmallChain:
    """The links, and what rpc has on them."""

    storage: MemoryStorage
    execution: SilentExecution
    validators: dict[ValidatorIndex, MemoryValidator]
    chain: ChainView
    admission: Admission
    told: list[Hash32] = field(default_factory=list)

    async def send(self, transaction: Transaction) -> Hash32:
        return await self.admission.submit(transaction.raw)

    async def execute(
        self,
        transactions: Sequence[Transaction] = (),
        receipts: Sequence[Receipt] = (),
        left_out: Sequence[LeftOut] = (),
        credits: dict[Address, int] | None = None,
        tell: bool = True,
        leader: ValidatorIndex | None = None,
    ) -> NewBlock:
        """Make the next block of these transactions, in which each costs its value and 21,000 gas at 2 gwei."""
        accounts = dict(self.storage.states[-1])
        before = dict(accounts)
        for transaction in transactions:
            sender = transaction.sender()
            old = accounts.get(sender, Account())
            assert old.nonce == transaction.nonce
            cost = transaction.value + 21_000 * 2 * 10**9
            accounts[sender] = replace(old, nonce=old.nonce + 1, balance=Wei(old.balance - cost))
        for address, amount in (credits or {}).items():
            old = accounts.get(address, Account())
            accounts[address] = replace(old, balance=Wei(old.balance + amount))
        self.storage.states.append(accounts)
        parent = self.storage.blocks[-1]
        block = stored_block(parent.header.number + 1, parent.hash, transactions, receipts)
        self.storage.blocks.append(block)
        changed = [SenderState(a, x.nonce, x.balance) for a, x in accounts.items() if before.get(a) != x]
        added = NewBlock(replace(block_news(block, left_out, changed), leader=leader), block)
        if tell:
            await self.tell(added)
        return added

    async def tell(self, added: NewBlock) -> None:
        """Let rpc hear of a block."""
        change = await self.chain.height_executed(added.news)
        assert change.head is not None
        await self.admission.height_executed(change)


def applied_of(block: StoredBlock) -> BlockApplied:
    """What there is after a height that made this block."""
    height = Height(block.header.number)
    return BlockApplied(height, ZERO_HASH, block.version, block.hash, block.header, block.hash, (block.hash,))


def block_news(block: StoredBlock, left_out: Sequence[LeftOut], senders: Sequence[SenderState]) -> BlockNews:
    header = block.header
    return BlockNews(
        height=Height(header.number),
        number=header.number,
        hash=block.hash,
        timestamp=header.timestamp,
        gas_used=header.gas_used,
        gas_limit=header.gas_limit,
        base_fee=BASE_FEE,
        next_base_fee=BASE_FEE,
        included=block.hashes,
        left_out=tuple(left_out),
        senders=tuple(senders),
        committed=Height(header.number),
        strategy="serial",
        retries=0,
        execution_us=0,
    )


async def small_chain(
    validators: int = 4, fork: Fork = Fork.PRAGUE, limits: PoolLimits | None = None, min_tip: int = 0
) -> SmallChain:
    """A chain at its genesis, with rpc's admission on it."""
    links = {ValidatorIndex(i): MemoryValidator() for i in range(validators)}
    storage, execution = MemoryStorage(), SilentExecution()
    world = genesis(validators, fork)
    chain = ChainView(storage, world)
    await chain.open()
    admission = Admission(world, chain, execution, links, limits, Wei(min_tip))
    small = SmallChain(storage, execution, links, chain, admission)
    admission.on_pending(lambda transactions: small.told.extend(t.hash for t in transactions))
    return small


async def turns(count: int = 20) -> None:
    """Let the event loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


def pooled_like(raw: bytes, sender: Address) -> PooledTransaction:
    """A pooled transaction with whatever sender one claims."""
    t = decode_transaction(raw)
    return PooledTransaction(t.hash, raw, sender, t.nonce, t.gas, t.max_fee, t.max_priority_fee, t.value)


def contract(code: bytes) -> Account:
    return Account(1, Wei(ETHER), keccak256(code))
