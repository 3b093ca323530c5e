"""A block and its execution record, put together: who wanted what, how it ran, and what parallel execution gained."""

from dataclasses import dataclass
from enum import Enum

from chain.messages.storage import StoredBlock
from chain.records import AttemptResult, BlockRecord, TransactionRecord
from chain.transactions import included_transaction
from chain.types import Address

SELECTOR_BYTES = 4


class Failure(Enum):
    """How an included transaction failed, as far as its receipt says it. Whoever uses all gas ran out of it, or met an
    instruction that takes what is left, such as INVALID.
    """

    REVERTED = "reverted"
    ALL_GAS_USED = "allGasUsed"


@dataclass(frozen=True, slots=True)
class ProposedTransaction:
    """One transaction of the proposal. `index` is its place in the block, None if it was left out.

    `sender` is None for one that could not be decoded; `to` also for a creation, whose `selector` is empty. `failure`
    is None where it succeeded or was left out, and in a block that was read without its receipts.
    """

    position: int
    index: int | None
    sender: Address | None
    to: Address | None
    selector: bytes
    record: TransactionRecord
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class BlockExecution:
    """All transactions of a block's proposal, in its order."""

    block: StoredBlock
    record: BlockRecord
    transactions: tuple[ProposedTransaction, ...]

    @property
    def attempts(self) -> int:
        return sum(len(each.record.attempts) for each in self.transactions)

    @property
    def conflicts(self) -> int:
        runs = (run for each in self.transactions for run in each.record.attempts)
        return sum(run.result == AttemptResult.CONFLICT for run in runs)

    @property
    def left_out(self) -> int:
        return sum(each.record.left_out is not None for each in self.transactions)

    @property
    def thread_us(self) -> int:
        """Of all runs, those that did not count included."""
        return sum(run.thread_us for each in self.transactions for run in each.record.attempts)

    @property
    def counted_us(self) -> int:
        """Thread time of the runs that counted."""
        return sum(each.record.attempts[-1].thread_us for each in self.transactions if each.record.attempts)

    @property
    def is_serial(self) -> bool:
        """Whether no worker took part: the block was executed serially."""
        return not any(run.worker for each in self.transactions for run in each.record.attempts)

    @property
    def is_measured(self) -> bool:
        """Whether it is known how long serial execution takes: by --check-serial, or because the block had it."""
        return self.is_serial or self.record.serial_us > 0

    @property
    def serial_us(self) -> int:
        """What serial execution takes: measured, or else estimated as the thread time of the runs that counted."""
        if self.is_serial:
            return self.record.execution_us
        return self.record.serial_us or self.counted_us

    @property
    def speedup(self) -> float | None:
        """None for a block that nothing ran in."""
        return speedup_of(self.serial_us, self.record.execution_us) if self.attempts else None


def speedup_of(serial_us: int, execution_us: int) -> float | None:
    """How many times as fast as serial execution; None where that took no time."""
    return round(serial_us / execution_us, 3) if execution_us else None


def block_execution(block: StoredBlock, record: BlockRecord) -> BlockExecution:
    """The record with what the block knows of its transactions."""
    transactions = []
    index = 0
    for position, each in enumerate(record.transactions):
        if each.left_out is None:
            transactions.append(_included(block, position, index, each))
            index += 1
        else:
            transactions.append(_left_out(position, each))
    return BlockExecution(block, record, tuple(transactions))


def _included(block: StoredBlock, position: int, index: int, record: TransactionRecord) -> ProposedTransaction:
    transaction = included_transaction(block.transactions[index])
    selector = b"" if transaction.to is None else transaction.data[:SELECTOR_BYTES]
    failure = None
    if block.receipts and not block.receipts[index].succeeded:
        failure = Failure.REVERTED if block.receipts[index].gas_used < transaction.gas else Failure.ALL_GAS_USED
    return ProposedTransaction(position, index, block.senders[index], transaction.to, selector, record, failure)


def _left_out(position: int, record: TransactionRecord) -> ProposedTransaction:
    left_out = record.left_out
    assert left_out is not None
    sender = Address(left_out.sender) if left_out.sender else None
    to = Address(left_out.to) if left_out.to else None
    return ProposedTransaction(position, None, sender, to, left_out.selector, record)
