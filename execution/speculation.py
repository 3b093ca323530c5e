"""What a worker does with a task: keeps its picture of the state, runs transactions on it, reports what they read.

The pure part of a worker. Reading from storage is a call that blocks; everything else is values.
"""

import logging
import time
from collections.abc import Callable

from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.tasks import Attempt, AttemptStatus, ProposedTransaction, RunTransactions, TransactionsRun
from chain.transactions import Transaction, decode_transaction
from chain.types import BlockNumber
from execution.block_run import TransactionEngine
from execution.errors import CannotInclude
from execution.known import KnownState
from execution.outcome import Outcome, ParentHashPending
from execution.reader import BlockingReads
from execution.speculative_view import SpeculativeView
from execution.task_messages import pack_outcome

log = logging.getLogger("tandem.worker")


class Speculator:
    """A worker's state and its runs.

    What its own transactions left stays visible to its later ones, until execution has merged them (or something else
    in their place): a sender's chain goes on while its beginning is still being validated.
    """

    def __init__(self, engine_for: Callable[[Fork], TransactionEngine], reads: BlockingReads) -> None:
        self._engine_for = engine_for
        self._reads = reads
        self._known = KnownState()
        self._own: list[tuple[int, Outcome]] = []
        self._block = BlockNumber(0)

    def run(self, task: RunTransactions) -> TransactionsRun:
        """Run the task's transactions in order."""
        started = time.perf_counter()
        decoded = [(proposed, decode_transaction(proposed.raw)) for proposed in task.transactions]
        view = self._view_for(task)
        view.read_named((proposed.sender, tx.to, tx.access_list) for proposed, tx in decoded)
        engine = self._engine_for(task.environment.fork)
        attempts = tuple(
            self._attempt(engine, task, view, proposed, transaction, started) for proposed, transaction in decoded
        )
        return TransactionsRun(task.task_id, attempts, tuple(view.read_accounts), tuple(view.read_slots))

    def _view_for(self, task: RunTransactions) -> SpeculativeView:
        """The state the task runs on: what execution told, and above it this worker's runs not merged yet."""
        if task.reset:
            self._known = KnownState()
        known = self._known
        known.shrink()
        for code in task.codes:
            known.learn_code(keccak256(code), code)
        slots = {(address, slot): value for address, slot, value in task.slots}
        known.change(task.position, dict(task.accounts), slots, task.cleared)
        known.settle(task.settled)
        known.set_promises(task.promises)
        known.applied = task.applied
        if task.environment.number != self._block or task.reset:
            self._own = []
            self._block = task.environment.number
        self._own = [(index, outcome) for index, outcome in self._own if index >= task.merged]
        view = SpeculativeView(known, self._reads, task.base, task.environment.beneficiary)
        for index, outcome in self._own:
            view.merge(index, outcome.writes, outcome.fee)
        return view

    def _attempt(
        self,
        engine: TransactionEngine,
        task: RunTransactions,
        view: SpeculativeView,
        proposed: ProposedTransaction,
        transaction: Transaction,
        started: float,
    ) -> Attempt:
        start_us, thread_start = int((time.perf_counter() - started) * 1_000_000), time.thread_time_ns()
        status, packed = AttemptStatus.RAN, None
        view.speak_for(proposed.sender, transaction.nonce)
        try:
            outcome = engine.execute(transaction, proposed.sender, task.environment, view)
        except CannotInclude:
            status = AttemptStatus.CANNOT_INCLUDE
        except ParentHashPending:
            status = AttemptStatus.PARENT_HASH_PENDING
        except Exception:
            log.exception("the engine failed on transaction 0x%s", transaction.hash.hex())
            status = AttemptStatus.ENGINE_FAILED
        else:
            view.merge(proposed.index, outcome.writes, outcome.fee)
            self._own.append((proposed.index, outcome))
            packed = pack_outcome(outcome)
        thread_us = (time.thread_time_ns() - thread_start) // 1000
        return Attempt(
            proposed.index, status, packed, thread_us, start_us, int((time.perf_counter() - started) * 1_000_000)
        )
