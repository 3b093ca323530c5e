"""Runs block cases under a strategy, outside a chain: each on its own state before it, one after the other.

What a chain's execution learns by its blocks (which slots a function reads, how long it takes, who gets in whose way)
is kept from case to case; values of the state are not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from chain.accounts import AccountChange
from chain.block_case import BlockCase
from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.workbench import HoldState
from chain.records import BlockRecord
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, BlockNumber, Version
from execution.block_run import BlockRun, Strategy, TransactionEngine
from execution.change_log import ChangeLog
from execution.known import KnownState, Missing, MissingKeys
from execution.merged import MergedState
from execution.outcome import Slot
from execution.pool import Pool
from execution.reader import StateReader
from execution.record import Execution, record_of
from execution.senders import Senders, SignedTransaction, for_chain
from execution.storage_requests import StorageRequests
from execution.strategies import strategy_named
from execution.worker_tasks import WorkerTasks

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CaseRun:
    """What came of a case: the run with every transaction's turn, what it changed, and the record of its decisions."""

    block: BlockRun
    changes: tuple[AccountChange, ...]
    record: BlockRecord


class CaseRunner:
    """One strategy over the pool, for one case after the other. `storage` answers reads and HoldState."""

    def __init__(
        self, strategy: str, pool: Pool, engine_for: Callable[[Fork], TransactionEngine], storage: StorageRequests
    ) -> None:
        self._pool = pool
        self._engine_for = engine_for
        self._storage = storage
        self._known = KnownState()
        self._changes = ChangeLog()
        self._reader = StateReader(storage, self._known, Version(0))
        self._tasks = WorkerTasks(self._known, self._changes, self._reader)
        self._strategy: Strategy = strategy_named(strategy, pool, self._tasks, self._known)

    async def run(self, case: BlockCase, version: Version) -> CaseRun:
        """Run the case. `version` names its state and was never used before."""
        await self._hold(case, version)
        signed = _signed(case)
        engine = self._engine_for(case.environment.fork)
        senders = ((s.transaction, s.sender) for s in signed if s.transaction is not None and s.sender is not None)
        await self._reader.prefetch(self._reader.expected(senders), case.environment)
        block = BlockRun(
            case.environment,
            signed,
            MergedState(self._known),
            engine,
            self,
            self._changes,
            parent_beacon_root=case.parent_beacon_root,
        )
        await block.start()
        if block.parent_hash_slot is not None:
            self._known.promise(block.parent_hash_slot, self._known.applied)
        await self._strategy.run(block)
        await block.credit(case.credits)
        await block.end()
        changes = await self._with_values(block.merged.changes)
        how = Execution(ZERO_HASH, self._strategy.name, len(self._pool.workers), serial_us=0)
        record = await self._with_values(lambda: record_of(how, block, ()))
        return CaseRun(block, changes, record)

    async def fetch(self, keys: MissingKeys) -> None:
        await self._reader.fetch(keys)

    async def parent_applied(self) -> None:
        """The parent of a case is always applied."""

    def touched(self, transaction: Transaction, sender: Address, slots: Iterable[Slot]) -> None:
        self._reader.touched(transaction, sender, slots)

    async def _hold(self, case: BlockCase, version: Version) -> None:
        """Forget the state before, here and in the workers, and take up the case's."""
        await self._storage.request(HoldState(version, case.environment.fork, case.accounts, case.block_hashes))
        self._known.forget()
        self._changes.settle(self._changes.position)
        self._tasks.forget_all()
        self._pool.on_worker = self._tasks.forget_worker
        self._reader.base = version
        parent = BlockNumber(case.environment.number - 1)
        self._known.applied = parent
        self._known.learn_hash(parent, case.block_hashes.get(parent, ZERO_HASH))

    async def _with_values(self, get: Callable[[], Result]) -> Result:
        while True:
            try:
                return get()
            except Missing as missing:
                await self.fetch(missing.keys)


def _signed(case: BlockCase) -> list[SignedTransaction]:
    environment = case.environment
    senders = Senders(environment.fork)
    senders.hint((keccak256(tx.raw), tx.sender) for tx in case.transactions if tx.sender is not None)
    signed = senders.all_signed([transaction.raw for transaction in case.transactions])
    return [for_chain(one, environment.chain_id) for one in signed]
