"""One block's run: its transactions take their turns, in order, on the final prefix.

Strategies differ only in what they prepare; every transaction's turn ends here, so that all of them give what serial
execution gives. A turn checks the room left in the block, then takes a validated speculative outcome, or runs the
transaction in this process.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from chain.fees import BLOB_GAS_PER_BLOB, max_blob_gas
from chain.messages.execution import BlockEnvironment
from chain.receipts import Log
from chain.records import AttemptResult
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, Gas, Hash32, Wei
from execution.attempts import Ran, StaleRead, Waited
from execution.change_log import ChangeLog
from execution.errors import BlobGasLimitReached, CannotInclude, EngineFailure, GasLimitReached
from execution.known import Missing, MissingKeys
from execution.merged import MergedState
from execution.outcome import Outcome, ParentHashPending, Slot, StateView, Writes
from execution.senders import SignedTransaction
from execution.transfers import run_transfer

log = logging.getLogger("tandem.execution")

Result = TypeVar("Result")

PARENT_BEACON_ROOT = ZERO_HASH
"""There is no beacon chain; header and system call agree on this root (EIP-4788)."""
LONGEST_HOLD_S = 0.001
"""How long a block may keep the event loop from other work, a single run aside."""
STEPS_TO_SEND = 4
"""Of the event loop, from an answer that comes in to the next task that goes out: a worker should not wait longer."""


class TransactionEngine(Protocol):
    """What runs bytecode: one fork's rules. See execution.engine."""

    def execute(
        self, transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
    ) -> Outcome: ...

    def block_start(
        self, environment: BlockEnvironment, parent_beacon_root: Hash32, view: StateView
    ) -> tuple[Writes, Slot | None]: ...

    def block_end(
        self, environment: BlockEnvironment, logs: Sequence[Log], view: StateView
    ) -> tuple[Writes, Hash32 | None]: ...


class MissingValues(Protocol):
    """Where a run's missing values come from, and the hash of the parent block once storage knows it.

    `touched` is told what each run read, so that the next run like it finds it fetched.
    """

    async def fetch(self, keys: MissingKeys) -> None: ...

    async def parent_applied(self) -> None: ...

    def touched(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None: ...


@dataclass(slots=True)
class Turn:
    """One transaction of the proposal and what became of it: an outcome, or why it was left out.

    `runs` are all its runs so far, in order.
    """

    signed: SignedTransaction
    outcome: Outcome | None = None
    left_out: CannotInclude | None = None
    runs: list[Ran] = field(default_factory=list)


class BlockRun:
    """The run of one block on its own merged state.

    `conflicts` counts runs that lost; `reading_us` is how long it waited for values that storage had to be asked for,
    and `waits` gives what a strategy let each transaction wait for; None if it let none wait. Of the `turns_us` until
    all turns were taken, execution only waited for workers for `idle_us`; the last of these ended at `workers_end_us`.
    `spared_us` is how much less than usual execution has to do meanwhile for the blocks before and after.
    """

    def __init__(
        self,
        environment: BlockEnvironment,
        transactions: Sequence[SignedTransaction],
        merged: MergedState,
        engine: TransactionEngine,
        missing: MissingValues,
        changes: ChangeLog | None = None,
        *,
        parent_beacon_root: Hash32 = PARENT_BEACON_ROOT,
    ) -> None:
        self.environment = environment
        self.merged = merged
        self.engine = engine
        self.turns = [Turn(signed, left_out=signed.malformed) for signed in transactions]
        self.gas_used = 0
        self.blob_gas_used = 0
        self.serial_from = -1
        self.conflicts = 0
        self.spared_us = 0
        self.idle_us = 0
        self.workers_end_us = 0
        self.turns_us = 0
        self.execution_us = 0
        self.reading_us = 0
        self.waits: Callable[[int], Sequence[Waited]] | None = None
        self.parent_hash_slot: Slot | None = None
        self.requests_hash: Hash32 | None = None
        self._parent_beacon_root = parent_beacon_root
        self._missing = missing
        self._changes = changes
        self._started = self._yielded = time.perf_counter()

    async def start(self) -> None:
        """The system calls before the first transaction."""
        writes, slot = await self._with_values(
            lambda: self.engine.block_start(self.environment, self._parent_beacon_root, self.merged)
        )
        if slot is not None:
            writes.slots.pop(slot, None)
        self.parent_hash_slot = slot
        await self._merge(-1, writes, Wei(0))

    async def credit(self, amounts: dict[Address, Wei]) -> None:
        """Pay what the rules pay after the last transaction."""
        await self._merge(len(self.turns), Writes(balances=dict(amounts)), Wei(0))

    async def end(self) -> None:
        """The system calls after the last transaction."""
        logs = [entry for turn in self.turns if turn.outcome is not None for entry in turn.outcome.logs]
        writes, self.requests_hash = await self._with_values(
            lambda: self.engine.block_end(self.environment, logs, self.merged)
        )
        await self._merge(len(self.turns), writes, Wei(0))
        self.execution_us = self.elapsed_us()

    def has_room(self, index: int) -> bool:
        """Whether the transaction can still be included; if not, it is left out."""
        turn = self.turns[index]
        transaction = turn.signed.transaction
        if turn.left_out is not None or transaction is None:
            return False
        left = self.environment.gas_limit - self.gas_used
        if transaction.gas > left:
            turn.left_out = GasLimitReached(transaction.gas, Gas(left))
            return False
        if transaction.blob_hashes:
            wanted = len(transaction.blob_hashes) * BLOB_GAS_PER_BLOB
            left = max_blob_gas(self.environment.fork) - self.blob_gas_used
            if wanted > left:
                turn.left_out = BlobGasLimitReached(Gas(wanted), Gas(left))
                return False
        return True

    async def run_all_here(self) -> None:
        """Every transaction's turn, one after the other in this process."""
        for index in range(len(self.turns)):
            await self.run_here(index)
            if self.holds_long:
                await self.give_way()

    async def run_here(self, index: int) -> None:
        """The transaction's turn, run in this process on the final prefix."""
        if not self.has_room(index):
            return
        turn = self.turns[index]
        start_us, thread_start = self.elapsed_us(), time.thread_time_ns()
        result = AttemptResult.ACCEPTED
        try:
            outcome = await self._with_values(lambda: self._execute(turn))
        except CannotInclude as reason:
            turn.left_out = reason
            failed = isinstance(reason, EngineFailure)
            result = AttemptResult.ENGINE_FAILED if failed else AttemptResult.NOT_INCLUDABLE
        else:
            await self.accept(index, outcome)
        thread_us = (time.thread_time_ns() - thread_start) // 1000
        turn.runs.append(Ran(result, "", start_us, self.elapsed_us(), thread_us))

    async def accept(self, index: int, outcome: Outcome, worker: str = "") -> None:
        """The outcome is that of the final prefix: merge it. `worker` has run it, if not this process."""
        turn = self.turns[index]
        transaction, sender = turn.signed.transaction, turn.signed.sender
        assert transaction is not None
        assert sender is not None
        await self._merge(index, outcome.writes, outcome.fee, worker)
        turn.outcome = outcome
        self.gas_used += outcome.gas_used
        if transaction.blob_hashes:
            self.blob_gas_used += len(transaction.blob_hashes) * BLOB_GAS_PER_BLOB
        if outcome.reads.slots:
            self._missing.touched(transaction, sender, outcome.reads.slots)

    async def stale_reads(self, outcome: Outcome) -> tuple[StaleRead, ...]:
        """The reads of the outcome that are stale on the final prefix; none if it is what serial execution gives."""
        try:
            return self.merged.stale_reads(outcome.reads)
        except (Missing, ParentHashPending):
            return await self._with_values(lambda: self.merged.stale_reads(outcome.reads))

    def lost(self, index: int, ran: Ran) -> None:
        """A run of the transaction does not count, for what it read had changed."""
        self.turns[index].runs.append(ran)
        self.conflicts += 1

    async def parent_applied(self) -> None:
        """Wait until the parent's hash is known."""
        await self._missing.parent_applied()

    @property
    def holds_long(self) -> bool:
        """Whether this block kept the event loop long enough from its other work."""
        return time.perf_counter() - self._yielded > LONGEST_HOLD_S

    async def give_way(self) -> None:
        """Let the event loop do its other work. Between two turns, never in one."""
        for _ in range(STEPS_TO_SEND):
            await asyncio.sleep(0)
        self._yielded = time.perf_counter()

    def elapsed_us(self) -> int:
        """Microseconds since the block was taken up."""
        return int((time.perf_counter() - self._started) * 1_000_000)

    def _execute(self, turn: Turn) -> Outcome:
        transaction, sender = turn.signed.transaction, turn.signed.sender
        assert transaction is not None
        assert sender is not None
        outcome = run_transfer(transaction, sender, self.environment, self.merged)
        if outcome is not None:
            return outcome
        try:
            return self.engine.execute(transaction, sender, self.environment, self.merged)
        except (CannotInclude, Missing, ParentHashPending):
            raise
        except Exception as error:
            log.exception("the engine failed on transaction 0x%s", transaction.hash.hex())
            raise EngineFailure(f"internal error: {type(error).__name__}: {error}") from error

    async def _merge(self, index: int, writes: Writes, fee: Wei, worker: str = "") -> None:
        beneficiary = self.environment.beneficiary
        while True:
            try:
                self.merged.merge(index, writes, beneficiary, fee)
                break
            except Missing as missing:
                await self._fetch(missing.keys)
        if self._changes is not None:
            self._changes.append(writes, beneficiary if fee else None, worker, index)

    async def _with_values(self, run: Callable[[], Result]) -> Result:
        """What `run` gives once all it needs is known. Each round makes at least one more key known, so it ends."""
        while True:
            try:
                return run()
            except Missing as missing:
                await self._fetch(missing.keys)
            except ParentHashPending:
                await self._missing.parent_applied()

    async def _fetch(self, keys: MissingKeys) -> None:
        started_us = self.elapsed_us()
        await self._missing.fetch(keys)
        self.reading_us += self.elapsed_us() - started_us


class Strategy(Protocol):
    """How the transactions of a block are scheduled."""

    @property
    def name(self) -> str: ...

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        """The block of these comes next; the one before it may still run."""
        ...

    def run(self, block: BlockRun) -> Awaitable[None]:
        """Give every transaction of the block its turn, in order."""
        ...
