"""A small world to execute blocks in: funded accounts, a chain, and workers that speak only messages."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any

from chain.accounts import EMPTY_ACCOUNT, Account, AccountChange
from chain.codec import decode_message, encode_message
from chain.fork_schedule import only
from chain.forks import Fork
from chain.genesis import Genesis, ValidatorIdentity, first_header
from chain.keccak import keccak256
from chain.links import LinkClosed
from chain.messages import Message
from chain.messages.storage import BlockApplied
from chain.messages.tasks import ComputeRoot, RunTransactions, SummarizeReceipts
from chain.proposals import BlockInputs, Certificate, ExecutedBlock, Proposal
from chain.signing import address_of_private_key
from chain.system_contracts import system_accounts
from chain.transactions import DYNAMIC_FEE, Transaction, TransactionType
from chain.types import ZERO_HASH, Address, Gas, Hash32, Height, Round, ValidatorIndex, Wei
from execution.assembly import ExecutedBlock as Executed
from execution.block_run import TransactionEngine
from execution.engine import Engine
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.roots import compute_root, summarize_receipts
from execution.senders import Senders
from execution.speculation import Speculator
from tests.execution.memory_storage import BlockingStorage, MemoryStorage

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
