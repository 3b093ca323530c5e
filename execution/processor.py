"""From a committed proposal to an executed block, on the newest state; the pure course of things around a strategy.

Blocks are executed one after the other, each on what the one before it left in memory, while storage may still be
applying that one: `applied` says when it has.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from chain.accounts import Account
from chain.block_case import BlockCase, CaseMismatch, CaseTransaction
from chain.fork_schedule import ForkSchedule
from chain.forks import Fork
from chain.headers import Header
from chain.messages.storage import ApplyBlock, BlockApplied
from chain.operations import INITIAL_SETTINGS, BlockSettings
from chain.proposals import BlockInputs, Proposal
from chain.transactions import Transaction
from chain.types import Address, Height
from execution.assembly import ExecutedBlock, RanBlock, Told, assemble, header_of, included_raws, told_of
from execution.block_run import BlockRun, Strategy, TransactionEngine, Turn
from execution.block_settings import FIRST, Place, after_block, environment_of
from execution.change_log import ChangeLog
from execution.errors import ExecutionError, NotImpersonated
from execution.known import KnownState, Missing, MissingKeys
from execution.merged import MergedState, StateBefore
from execution.outcome import Slot, Writes
from execution.pool import Pool
from execution.pre_state import WatchedState
from execution.reader import ExpectedReads, StateReader
from execution.record import Execution
from execution.roots import RootWorkers
from execution.senders import Senders, SignedTransaction, for_chain
from execution.serial_check import SerialMismatch, differences_between, mismatch_of, save_case
from execution.storage_requests import StorageRequests
from execution.strategies import SERIAL, strategy_named
from execution.strategies.serial import Serial
from execution.worker_tasks import WorkerTasks

log = logging.getLogger("tandem.execution")

Result = TypeVar("Result")

GET_READY_US, ASSEMBLE_US = 24, 16
"""What it takes execution to decode a transaction of the next block and to guess what it does, and what to assemble one
of the block before: CPU time, as `scripts/bench execution` shows it."""


class ProposalOutOfOrder(ExecutionError):
    """A committed proposal has another height than the next one."""

    def __init__(self, height: Height, next_height: Height) -> None:
        super().__init__(f"a proposal of height {height} where height {next_height} is next")


class ExecutedHeight(Protocol):
    """What storage applies at once. `position` is that of the change log after it."""

    @property
    def position(self) -> int: ...

    @property
    def blocks_to_apply(self) -> Sequence[ApplyBlock]: ...


class BlockProcessor:
    """Executes proposals in order. With `cases` given, checks each block against serial execution.

    `shares_roots`: workers compute the roots of long blocks, unless the strategy is serial.
    """

    def __init__(
        self,
        chain_id: int,
        forks: ForkSchedule,
        head: BlockApplied,
        storage: StorageRequests,
        engine_for: Callable[[Fork], TransactionEngine],
        strategy: str,
        pool: Pool,
        senders: Senders,
        cases: Path | None = None,
        settings: BlockSettings = INITIAL_SETTINGS,
        *,
        shares_roots: bool = True,
    ) -> None:
        self._chain_id = chain_id
        self._forks = forks
        self._engine_for = engine_for
        self._pool = pool
        self._senders = senders
        self._cases = cases
        self._height = head.height
        self.settings = settings
        self._parent: Header = head.header
        self.is_followed: Callable[[], bool] = lambda: False
        """Whether there is a block to get ready while this one runs."""
        self._newest: RanBlock | None = None
        """The block that ran last: what is told of it needs the state that the next one replaces."""
        self._parent_applied = asyncio.Event()
        self._parent_applied.set()
        self._known = KnownState()
        self._known.applied = head.number
        self._known.learn_hash(head.number, head.hash)
        self._changes = ChangeLog()
        self._reader = StateReader(storage, self._known, head.version)
        self._expected: tuple[Sequence[SignedTransaction], ExpectedReads] = (), self._reader.expected(())
        self._tasks = WorkerTasks(self._known, self._changes, self._reader)
        self._roots = RootWorkers(pool, sends=shares_roots and strategy != SERIAL)
        self.strategy: Strategy = strategy_named(strategy, pool, self._tasks, self._known)

    @property
    def state_requests(self) -> int:
        """Requests made to storage for values that were not known."""
        return self._reader.requests

    def signed(self, proposal: Proposal) -> Sequence[SignedTransaction]:
        """The proposal's transactions with their senders. Depends on no block, so that it can be done ahead."""
        return self._senders.all_signed(proposal.transactions)

    def expect(self, signed: Sequence[SignedTransaction]) -> None:
        """The block of these comes next: what is guessed of it is worked out while the one before it still runs."""
        self._expected = signed, self._reader.expected(_with_senders(signed))
        self.strategy.expect(signed)

    async def execute(self, proposal: Proposal) -> ExecutedBlock:
        """The block that the proposal makes, at once. Raises as `run`."""
        return await self.assemble(await self.run(proposal, self.signed(proposal)))

    async def assemble(self, ran: RanBlock, *, meanwhile: bool = False) -> ExecutedBlock:
        """The block that was run; `meanwhile` another one runs."""
        return await assemble(ran, await self.told(ran), partial(self._roots.begin_summary, sends=meanwhile))

    async def told(self, ran: RanBlock) -> Told:
        """What others are told of the block that was run; at the latest when the next one is done."""
        while ran.told is None:
            try:
                ran.told = told_of(ran)
            except Missing as missing:
                await self.fetch(missing.keys)
        return ran.told

    async def run(self, proposal: Proposal, signed: Sequence[SignedTransaction]) -> RanBlock:
        """Run the transactions, so that the next block can run on top. Raises ProposalOutOfOrder, SerialMismatch."""
        inputs = self.inputs_of_next(proposal)
        ran = await self.run_block(proposal, inputs, signed, FIRST)
        self._height = proposal.height
        return ran

    def _expected_reads(self, signed: Sequence[SignedTransaction]) -> ExpectedReads:
        expected_of, expected = self._expected
        return expected if signed is expected_of else self._reader.expected(_with_senders(signed))

    def _spared_us(self) -> int:
        """What execution has not to do beside this block, by its transactions, as it has in the middle of many."""
        assembles = self._newest is not None and self._newest.told is None
        return (0 if self.is_followed() else GET_READY_US) + (0 if assembles else ASSEMBLE_US)

    def inputs_of_next(self, proposal: Proposal) -> BlockInputs:
        """Raises ProposalOutOfOrder."""
        if proposal.inputs is None or proposal.height != self._height + 1:
            raise ProposalOutOfOrder(proposal.height, Height(self._height + 1))
        return proposal.inputs

    async def run_block(
        self, proposal: Proposal, inputs: BlockInputs, signed: Sequence[SignedTransaction], place: Place
    ) -> RanBlock:
        """Run one block of a proposal. Raises SerialMismatch."""
        if self._known.shrink():
            self._tasks.forget_all()
        settings = self.settings
        chain_id = self._chain_id if settings.chain_id is None else settings.chain_id
        environment = environment_of(chain_id, self._forks, self._parent, inputs, settings, place)
        await self._reader.prefetch(self._expected_reads(signed), environment)
        signed = [_unless_pretended(for_chain(one, chain_id), settings) for one in signed]
        engine = self._engine_for(environment.fork)
        run = BlockRun(environment, signed, MergedState(self._known), engine, self, self._changes)
        run.spared_us = len(signed) * self._spared_us()
        await self._run(run, self.strategy)
        transactions_root = self._roots.begin(included_raws(run))
        serial_us = 0 if self._cases is None else await self._check(run, self._cases)
        how = Execution(proposal.id, self.strategy.name, len(self._pool.workers), serial_us)
        if self._newest is not None:
            await self.told(self._newest)
        await self._with_values(lambda: run.merged.commit(self._known, self._changes.position))
        self._parent = header_of(run)
        self._parent_applied.clear()
        self.settings = after_block(settings, environment, inputs, place)
        used = None if self.settings == settings else self.settings
        self._newest = RanBlock(proposal, run, self._parent, how, transactions_root, self._changes.position, used)
        return self._newest

    def begin_operation(self, settings: BlockSettings) -> None:
        """Blocks after this one wait until storage has applied it."""
        self._height = Height(self._height + 1)
        self.settings = settings
        self._parent_applied.clear()

    def applied(self, executed: ExecutedHeight, applied: BlockApplied) -> None:
        """Storage has applied a height: its version is the base to read at, and the hashes of its blocks are known."""
        blocks = executed.blocks_to_apply
        for block, block_hash in zip(blocks, applied.hashes, strict=True):
            self._known.learn_hash(block.header.number, block_hash)
        self._known.applied = applied.number
        self._changes.settle(executed.position)
        self._known.settle(executed.position)
        self._reader.base = applied.version
        for block in blocks:
            if block.parent_hash_slot is not None:
                value = self._known.keep_promise(block.parent_hash_slot, self._changes.position + 1)
                self._changes.append(Writes(slots={block.parent_hash_slot: value}), None)
        if applied.height == self._height:
            self._parent_applied.set()

    def state_replaced(self, applied: BlockApplied) -> None:
        """An operation has changed the state, or taken it back, in storage: nothing known of it holds any more."""
        self._known.forget()
        self._known.applied = applied.number
        self._known.learn_hash(applied.number, applied.hash)
        self._changes.settle(self._changes.position)
        self._known.settle(self._changes.position)
        self._tasks.forget_all()
        self._reader.base = applied.version
        self._parent = applied.header
        self._parent_applied.set()

    @property
    def position(self) -> int:
        """That of the change log."""
        return self._changes.position

    @property
    def parent(self) -> Header:
        """The newest block's header, which may lack what storage fills in."""
        return self._parent

    async def account(self, address: Address) -> Account:
        """The account's newest value."""
        return await self._with_values(lambda: self._known.account(address))

    async def know_accounts(self, addresses: Iterable[Address]) -> None:
        """Ask storage once for all that are not known."""
        unknown = [address for address in addresses if not self._known.knows_account(address)]
        await self.fetch(MissingKeys(accounts=tuple(unknown)))

    async def fetch(self, keys: MissingKeys) -> None:
        await self._reader.fetch(keys)

    async def parent_applied(self) -> None:
        """Wait until storage has applied the block below the one that is executed."""
        await self._parent_applied.wait()

    def touched(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None:
        self._reader.touched(transaction, sender, slots)

    async def _run(self, run: BlockRun, strategy: Strategy) -> None:
        await run.start()
        if run.parent_hash_slot is not None:
            self._known.promise(run.parent_hash_slot, self._parent.number)
        await strategy.run(run)
        await run.end()

    async def _check(self, run: BlockRun, cases: Path) -> int:
        """How long serial execution takes, in microseconds. Raises SerialMismatch.

        The serial run finds everything read already, so what the block's own run waited for storage is added.
        """
        changes = await self._with_values(run.merged.changes)
        serial = await self._run_serially(run, self._known)
        serial_changes = await self._with_values(serial.merged.changes)
        differences = differences_between(run, changes, serial, serial_changes)
        if differences:
            mismatch = mismatch_of(self.strategy.name, len(self._pool.workers), run, serial, differences)
            case = await self._case(run, [*run.turns, *serial.turns], mismatch)
            raise SerialMismatch(case.environment.number, differences, save_case(cases, case))
        return serial.execution_us + run.reading_us

    async def _run_serially(self, run: BlockRun, before: StateBefore) -> BlockRun:
        signed = [turn.signed for turn in run.turns]
        serial = BlockRun(run.environment, signed, MergedState(before), run.engine, self)
        await self._run(serial, Serial())
        return serial

    async def _case(self, run: BlockRun, turns: Sequence[Turn], mismatch: CaseMismatch) -> BlockCase:
        """The block with the state that the turns, and one more serial run, read."""
        before = WatchedState(self._known)
        await self._run_serially(run, before)
        await self.parent_applied()
        await self._with_values(lambda: before.block_hash(self._parent.number))
        await self._with_values(lambda: before.ask_for(turn.outcome for turn in turns if turn.outcome is not None))
        transactions = tuple([CaseTransaction(turn.signed.raw, turn.signed.sender) for turn in run.turns])
        accounts = await self._with_values(before.accounts)
        return BlockCase(run.environment, transactions, accounts, before.block_hashes, mismatch=mismatch)

    async def _with_values(self, get: Callable[[], Result]) -> Result:
        while True:
            try:
                return get()
            except Missing as missing:
                await self.fetch(missing.keys)


def _unless_pretended(signed: SignedTransaction, settings: BlockSettings) -> SignedTransaction:
    """Without a transaction if nobody signed it and its sender is not impersonated."""
    transaction, sender = signed.transaction, signed.sender
    if transaction is None or sender is None or not transaction.is_impersonated or settings.may_impersonate(sender):
        return signed
    return SignedTransaction(signed.hash, signed.raw, None, None, NotImpersonated(sender))


def _with_senders(signed: Sequence[SignedTransaction]) -> Iterable[tuple[Transaction, Address]]:
    return ((s.transaction, s.sender) for s in signed if s.transaction is not None and s.sender is not None)
