"""Blocks with made-up execution records, for the methods that tell of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chain.records import (
    AccessKind,
    AttemptRecord,
    AttemptResult,
    BlockRecord,
    Conflict,
    Dependency,
    LeftOutRecord,
    TransactionRecord,
    WaitRecord,
)
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, Gas, Hash32
from tests.rpc.fake_chain import TOKEN, FakeChain

REAL, ARTEFACT = Dependency.REAL, Dependency.ARTEFACT


def ran(worker: str = "worker-0", start_us: int = 0, thread_us: int = 100) -> AttemptRecord:
    return AttemptRecord(AttemptResult.ACCEPTED, worker, start_us, start_us + thread_us, thread_us, None)


def lost(
    writer: int,
    slot: int = 0,
    seen: int = 1,
    found: int = 2,
    *,
    address: Address = TOKEN,
    kind: AccessKind = AccessKind.SLOT,
    dependency: Dependency = REAL,
    worker: str = "worker-1",
    thread_us: int = 60,
) -> AttemptRecord:
    """A run that lost by a conflict."""
    conflict = Conflict(kind, address, slot, seen, found, writer, dependency)
    return AttemptRecord(AttemptResult.CONFLICT, worker, 0, thread_us, thread_us, conflict)


def waited(
    writer: int,
    slot: int = 0,
    waited_us: int = 50,
    *,
    address: Address = TOKEN,
    kind: AccessKind = AccessKind.SLOT,
    dependency: Dependency = REAL,
) -> WaitRecord:
    return WaitRecord(kind, address, slot, writer, waited_us, dependency)


def transaction_record(
    transaction_hash: Hash32,
    *attempts: AttemptRecord,
    waits: Sequence[WaitRecord] = (),
    left_out: LeftOutRecord | None = None,
) -> TransactionRecord:
    gas = Gas(21_000 if left_out is None else 0)
    return TransactionRecord(transaction_hash, gas, attempts or (ran(),), tuple(waits), left_out)


def block_record(*transactions: TransactionRecord, **fields: Any) -> BlockRecord:
    plain = BlockRecord(ZERO_HASH, "optimistic", 2, -1, 100, 0, transactions, ())
    return replace(plain, **fields)


async def append(chain: FakeChain, *rows: tuple[Transaction, TransactionRecord], **fields: object) -> int:
    """A block of these transactions with these records, and rpc told of it. Gives its number."""
    block = chain.append(*[transaction for transaction, record in rows if record.left_out is None])
    chain.records[block.header.number] = block_record(*[record for _, record in rows], **fields)
    await chain.execution.tell(chain.news(block))
    return block.header.number
