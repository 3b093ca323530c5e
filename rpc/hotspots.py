"""What transactions of a range of blocks conflicted over and waited for, added up by key. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from chain.messages.traces import Access, BlockTrace
from chain.records import AccessKind, AttemptResult, Conflict, Dependency, WaitRecord
from chain.types import Address, BlockNumber
from rpc.block_execution import BlockExecution, ProposedTransaction

Key: TypeAlias = tuple[AccessKind, Address, int]
Function: TypeAlias = tuple[Address | None, bytes]
"""Whom a transaction calls, and the selector; no selector for a plain transfer, nobody for a creation."""
MAX_KEYS = 10_000
"""So many are told apart."""
FAILED = frozenset(AttemptResult) - {AttemptResult.ACCEPTED, AttemptResult.NOT_INCLUDABLE}
"""Runs that serial execution would not have made."""


class Caller(NamedTuple):
    """A transaction as far as hotspots keep it: their blocks may hold hundreds of thousands."""

    sender: Address | None
    function: Function


def caller_of(transaction: ProposedTransaction) -> Caller:
    return Caller(transaction.sender, (transaction.to, transaction.selector))


@dataclass(slots=True)
class Hotspot:
    """One key and whom it held up: `lost_us` went into runs that did not count and into waiting.

    `losers` and `writers` are (block, position), and `had_to` are the losers whose dependency was real. Of the
    transactions of the `fullest` block `changes` has the slot before and after each that changed it, and `only_read`
    counts those that only read it. `changed_bits` are those of the slot that differed in a conflict or a change:
    several variables may share it.
    """

    kind: AccessKind
    address: Address
    slot: int
    conflicts: int = 0
    waits: int = 0
    lost_us: int = 0
    losers: dict[tuple[BlockNumber, int], Caller] = field(default_factory=dict)
    writers: dict[tuple[BlockNumber, int], Caller] = field(default_factory=dict)
    had_to: set[tuple[BlockNumber, int]] = field(default_factory=set)
    changes: list[tuple[int, int]] = field(default_factory=list)
    only_read: int = 0
    changed_bits: int = 0

    @property
    def dependency(self) -> Dependency:
        """Real if any of it was."""
        return Dependency.REAL if self.had_to else Dependency.ARTEFACT

    @property
    def fullest(self) -> BlockNumber:
        """The block in which most transactions had to come after others, the newest of several."""
        held_up = Counter(block for block, _ in self.had_to or self.losers)
        return max(held_up, key=lambda block: (held_up[block], block))

    @property
    def functions(self) -> Counter[Function]:
        """What those held up had called."""
        return Counter(caller.function for caller in self.losers.values())

    def look_into(self, trace: BlockTrace) -> None:
        """Learn from the trace of the fullest block how a slot is used."""
        key = (self.address, self.slot)
        for transaction in trace.transactions:
            before = _value(transaction.reads, key)
            after = _value(transaction.writes, key)
            if before is not None and after is not None:
                self.changes.append((before, after))
                self.changed_bits |= before ^ after
            elif before is not None:
                self.only_read += 1


def _value(accesses: Iterable[Access], key: tuple[Address, int]) -> int | None:
    for access in accesses:
        if (access.address, access.slot) == key and access.kind == AccessKind.SLOT:
            return access.value
    return None


@dataclass(slots=True)
class Tally:
    """A range of blocks, added up. `held_up` counts transactions that lost or waited, once each.

    `serial_us` is measured but for `estimated_blocks`. `busiest` is the block of several transactions, if there is
    one, whose runs took longest, None where nothing ran.
    """

    blocks: int = 0
    transactions: int = 0
    left_out: int = 0
    gas_used: int = 0
    attempts: int = 0
    conflicts: int = 0
    waits: int = 0
    held_up: int = 0
    lost_us: int = 0
    execution_us: int = 0
    thread_us: int = 0
    serial_us: int = 0
    estimated_blocks: int = 0
    busiest: BlockNumber | None = None
    busiest_rank: tuple[bool, int] = (False, 0)
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
            self.calls[transaction.to, transaction.selector] += 1
            record = transaction.record
            self.sent_to_workers += any(run.worker for run in record.attempts)
            self.lost_us += sum(run.thread_us for run in record.attempts if run.result in FAILED)
            self.lost_us += sum(wait.waited_us for wait in record.waits)
            self.waits += len(record.waits)
            self.held_up += bool(record.waits or any(run.conflict for run in record.attempts))
            self._add_conflicts(execution, transaction)
            self._add_waits(execution, transaction)

    @property
    def is_measured(self) -> bool:
        """Whether it is known of every block how long serial execution takes."""
        return self.estimated_blocks == 0

    def _add_times(self, execution: BlockExecution) -> None:
        """Of blocks in which something ran; the others take the same time whatever the strategy."""
        if not execution.attempts:
            return
        self.execution_us += execution.record.execution_us
        self.thread_us += execution.thread_us
        self.serial_us += execution.serial_us
        self.estimated_blocks += not execution.is_measured
        rank = (len(execution.transactions) > 1, execution.thread_us)
        if rank > self.busiest_rank:
            self.busiest, self.busiest_rank = execution.block.header.number, rank

    def hottest(self, limit: int) -> list[Hotspot]:
        """Those that cost most first."""
        return sorted(self.spots.values(), key=lambda spot: (-spot.lost_us, -len(spot.losers)))[:limit]

    def _add_conflicts(self, execution: BlockExecution, transaction: ProposedTransaction) -> None:
        for run in transaction.record.attempts:
            if run.result == AttemptResult.CONFLICT and run.conflict is not None:
                spot = self._spot(execution, transaction, run.conflict)
                if spot is not None:
                    spot.conflicts += 1
                    spot.lost_us += run.thread_us
                    spot.changed_bits |= run.conflict.seen ^ run.conflict.found

    def _add_waits(self, execution: BlockExecution, transaction: ProposedTransaction) -> None:
        for wait in transaction.record.waits:
            spot = self._spot(execution, transaction, wait)
            if spot is not None:
                spot.waits += 1
                spot.lost_us += wait.waited_us

    def _spot(
        self, execution: BlockExecution, loser: ProposedTransaction, cause: Conflict | WaitRecord
    ) -> Hotspot | None:
        """None for a new key when there are too many: the totals count it, but nothing is hot that comes so late."""
        number = execution.block.header.number
        key = (cause.kind, cause.address, cause.slot)
        spot = self.spots.get(key)
        if spot is None:
            if len(self.spots) >= MAX_KEYS:
                return None
            spot = self.spots[key] = Hotspot(*key)
        spot.losers[(number, loser.position)] = caller_of(loser)
        if cause.dependency == Dependency.REAL:
            spot.had_to.add((number, loser.position))
        if 0 <= cause.writer < len(execution.transactions):
            spot.writers[(number, cause.writer)] = caller_of(execution.transactions[cause.writer])
        return spot
