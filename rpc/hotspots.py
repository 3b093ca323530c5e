"""What transactions of a range of blocks conflicted over and waited for, added up by key. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from chain.records import AccessKind, AttemptResult, Conflict, Dependency, WaitRecord
from chain.types import Address, BlockNumber
from rpc.block_execution import BlockExecution, ProposedTransaction

Key: TypeAlias = tuple[AccessKind, Address, int]
Function: TypeAlias = tuple[Address | None, bytes]
"""Whom a transaction calls, and the selector; no selector for a plain transfer, nobody for a creation."""
FAILED = frozenset(AttemptResult) - {AttemptResult.ACCEPTED, AttemptResult.NOT_INCLUDABLE}
"""Runs that serial execution would not have made."""
MAX_STEPS = 64
"""So many different changes of a value are told apart."""


def function_called(transaction: ProposedTransaction) -> Function:
    return transaction.to, transaction.selector


@dataclass(slots=True)
class Hotspot:
    """One key and whom it held up: `lost_us` went into runs that did not count and into waiting.

    `losers` and `writers` are (block, position). `steps` counts by how much the value was changed, where that is known.
    `newest` is the last block in which it mattered.
    """

    kind: AccessKind
    address: Address
    slot: int
    newest: BlockNumber
    conflicts: int = 0
    waits: int = 0
    real: int = 0
    lost_us: int = 0
    losers: dict[tuple[BlockNumber, int], ProposedTransaction] = field(default_factory=dict)
    writers: dict[tuple[BlockNumber, int], ProposedTransaction] = field(default_factory=dict)
    steps: Counter[int] = field(default_factory=Counter)

    @property
    def dependency(self) -> Dependency:
        """Real if any of it was."""
        return Dependency.REAL if self.real else Dependency.ARTEFACT

    @property
    def functions(self) -> Counter[Function]:
        """What those held up had called."""
        return Counter(function_called(each) for each in self.losers.values())


@dataclass(slots=True)
class Tally:
    """A range of blocks, added up. `measured_us` is the serial time of the blocks that were also run serially.

    `busiest` is the block whose runs took longest, None where nothing ran.
    """

    blocks: int = 0
    transactions: int = 0
    left_out: int = 0
    gas_used: int = 0
    attempts: int = 0
    conflicts: int = 0
    waits: int = 0
    lost_us: int = 0
    execution_us: int = 0
    thread_us: int = 0
    counted_us: int = 0
    measured_us: int = 0
    measured_blocks: int = 0
    busiest: BlockNumber | None = None
    busiest_us: int = 0
    sent_to_workers: int = 0
    serial_blocks: int = 0
    strategies: set[str] = field(default_factory=set)
    calls: Counter[Function] = field(default_factory=Counter)
    spots: dict[Key, Hotspot] = field(default_factory=dict)

    def add(self, execution: BlockExecution) -> None:
        self.blocks += 1
        self.transactions += len(execution.transactions)
        self.left_out += execution.left_out
        self.gas_used += execution.block.header.gas_used
        self._add_times(execution)
        self.attempts += execution.attempts
        self.conflicts += execution.conflicts
        self.strategies.add(execution.record.strategy)
        self.serial_blocks += execution.record.serial_from >= 0
        for transaction in execution.transactions:
            self.calls[function_called(transaction)] += 1
            record = transaction.record
            self.sent_to_workers += any(run.worker for run in record.attempts)
            self.lost_us += sum(run.thread_us for run in record.attempts if run.result in FAILED)
            self.lost_us += sum(wait.waited_us for wait in record.waits)
            self.waits += len(record.waits)
            self._add_conflicts(execution, transaction)
            self._add_waits(execution, transaction)

    @property
    def is_measured(self) -> bool:
        """Whether every block was also run serially, by --check-serial."""
        return self.measured_blocks == self.blocks > 0

    @property
    def serial_us(self) -> int:
        """What serial execution takes: measured, or else estimated as the thread time of the runs that counted."""
        return self.measured_us if self.is_measured else self.counted_us

    def _add_times(self, execution: BlockExecution) -> None:
        self.execution_us += execution.record.execution_us
        self.thread_us += execution.thread_us
        self.counted_us += execution.counted_us
        self.measured_us += execution.record.serial_us
        self.measured_blocks += execution.is_measured
        if execution.thread_us > self.busiest_us:
            self.busiest, self.busiest_us = execution.block.header.number, execution.thread_us

    def hottest(self, limit: int) -> list[Hotspot]:
        """Those that cost most first."""
        return sorted(self.spots.values(), key=lambda spot: (-spot.lost_us, -len(spot.losers)))[:limit]

    def _add_conflicts(self, execution: BlockExecution, transaction: ProposedTransaction) -> None:
        for run in transaction.record.attempts:
            if run.result == AttemptResult.CONFLICT and run.conflict is not None:
                spot = self._spot(execution, transaction, run.conflict)
                spot.conflicts += 1
                spot.lost_us += run.thread_us
                step = run.conflict.found - run.conflict.seen
                if step in spot.steps or len(spot.steps) < MAX_STEPS:
                    spot.steps[step] += 1

    def _add_waits(self, execution: BlockExecution, transaction: ProposedTransaction) -> None:
        for wait in transaction.record.waits:
            spot = self._spot(execution, transaction, wait)
            spot.waits += 1
            spot.lost_us += wait.waited_us

    def _spot(self, execution: BlockExecution, loser: ProposedTransaction, cause: Conflict | WaitRecord) -> Hotspot:
        number = execution.block.header.number
        key = (cause.kind, cause.address, cause.slot)
        spot = self.spots.setdefault(key, Hotspot(*key, newest=number))
        spot.newest = max(spot.newest, number)
        spot.real += cause.dependency == Dependency.REAL
        spot.losers[(number, loser.position)] = loser
        if 0 <= cause.writer < len(execution.transactions):
            spot.writers[(number, cause.writer)] = execution.transactions[cause.writer]
        return spot


def senders(transactions: Iterable[ProposedTransaction]) -> set[Address]:
    return {each.sender for each in transactions if each.sender is not None}
