"""Execution and its workers: tasks out, outcomes back. Readers take their calls the same way (see calls)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from chain.accounts import Account
from chain.codec import message
from chain.messages.execution import BlockEnvironment
from chain.records import AccessKind
from chain.types import Address, BlockNumber, Hash32, Version

AccountRow: TypeAlias = tuple[Address, Account]
SlotRow: TypeAlias = tuple[Address, int, int]


@message(80)
@dataclass(frozen=True, slots=True)
class FollowTasks:
    """worker → pool: push me work. What this worker was given before and has not answered goes to another."""


@dataclass(frozen=True, slots=True)
class ProposedTransaction:
    """A transaction of the block: its position in the proposal, its signed envelope, and who signed it."""

    index: int
    raw: bytes
    sender: Address


@dataclass(frozen=True, slots=True)
class UnmergedRun:
    """A run of the transaction at a position, as its worker packed it, before anybody knows whether it counts."""

    index: int
    outcome: bytes


@message(81)
@dataclass(frozen=True, slots=True)
class RunTransactions:
    """execution → worker: run these in order, each on what the earlier left. Answer: TransactionsRun, as a request.

    The state they run on is storage at version `base` under everything that changed since. Of those changes the message
    carries what this worker has not been told yet, or all if `reset`, which makes it forget what it knows: `values` are
    execution's own packing of accounts, slots, cleared accounts and codes, as an attempt's outcome is. `position`
    counts the changes told so far and `settled` those that `base` contains. `merged` transactions of the block are in
    them. `applied` is the newest block whose hash storage knows, and `promises` are the slots that hold a block's hash,
    with an empty hash where it is not known yet.

    `unmerged` are runs of earlier transactions by other workers which this worker has not been told: they lie above the
    merged changes, each in its place. Where one at a position of `estimates` wrote, nobody knows yet what is right; a
    run that reads it stops.
    """

    task_id: int
    environment: BlockEnvironment
    base: Version
    applied: BlockNumber
    promises: tuple[tuple[Address, int, bytes], ...]
    reset: bool
    position: int
    settled: int
    values: bytes
    merged: int
    unmerged: tuple[UnmergedRun, ...]
    estimates: tuple[int, ...]
    transactions: tuple[ProposedTransaction, ...]


class AttemptStatus(IntEnum):
    """What came of a speculative run."""

    RAN = 1
    CANNOT_INCLUDE = 2
    PARENT_HASH_PENDING = 3
    ENGINE_FAILED = 4
    READ_ESTIMATE = 5


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the transaction at `writer` wrote in a run that does not count. `slot` is 0 unless `kind` is SLOT."""

    kind: AccessKind
    address: Address
    slot: int
    writer: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One speculative run. Offsets count from when the worker took up the task.

    `outcome` is there if it RAN: execution's own packing of what it read, wrote and gave, because checking each of its
    many small fields would take longer than running a token transfer (32 of 73 microseconds). A run that read an
    `estimate` names it.
    """

    index: int
    status: AttemptStatus
    outcome: bytes | None
    thread_us: int
    start_us: int
    end_us: int
    estimate: Estimate | None = None


@message(82)
@dataclass(frozen=True, slots=True)
class TransactionsRun:
    """worker → execution: what came of a task, and what had to be read from storage at its base. Answer: Done."""

    task_id: int
    attempts: tuple[Attempt, ...]
    read_accounts: tuple[AccountRow, ...]
    read_slots: tuple[SlotRow, ...]


@message(83)
@dataclass(frozen=True, slots=True)
class ComputeRoot:
    """execution → worker: the root of a block's transactions, encoded as their trie holds them and in the order of the
    block. Answer: RootComputed, as a request.
    """

    task_id: int
    items: tuple[bytes, ...]


@message(84)
@dataclass(frozen=True, slots=True)
class RootComputed:
    """worker → execution: a transactionsRoot. Answer: Done."""

    task_id: int
    root: Hash32


@message(85)
@dataclass(frozen=True, slots=True)
class SummarizeReceipts:
    """execution → worker: what a block's header says of its receipts, which are execution's own packing of them in the
    order of the block. Answer: ReceiptsSummarized, as a request.
    """

    task_id: int
    receipts: bytes


@message(86)
@dataclass(frozen=True, slots=True)
class ReceiptsSummarized:
    """worker → execution: a receiptsRoot and the bloom of all logs. Answer: Done."""

    task_id: int
    root: Hash32
    bloom: bytes
