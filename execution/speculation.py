"""What a worker does with a task: keeps its picture of the state, runs transactions on it, reports what they read.

The pure part of a worker. Reading from storage is a call that blocks; everything else is values.
"""

import logging
import time
from collections.abc import Callable

from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.tasks import Attempt, AttemptStatus, ProposedTransaction, RunTransactions, TransactionsRun
from chain.transactions import Transaction, decode_transaction
from execution.block_run import TransactionEngine
from execution.errors import CannotInclude
from execution.known import KnownState
from execution.outcome import ParentHashPending
from execution.speculative_view import EstimateRead
from execution.storage_requests import BlockingReads
from execution.task_messages import pack_outcome, unpack_values
from execution.unmerged_runs import UnmergedRuns

log = logging.getLogger("tandem.worker")


class MissingAnswer(Exception):
    """Nobody can be asked here: `request` must be answered before the task can run."""

    def __init__(self, request: Message) -> None:
        super().__init__(f"not told yet: {request}")
        self.request = request


class Speculator:
    """A worker's state and its runs.

    Runs that execution has not merged, its own and those it was told, stay visible to the transactions after them: a
    sender's chain goes on while its beginning is still being validated.
    """

    def __init__(self, engine_for: Callable[[Fork], TransactionEngine], reads: BlockingReads) -> None:
        self._engine_for = engine_for
        self._reads = reads
        self._known = KnownState()
        self._unmerged = UnmergedRuns(self._known, reads)

    def run(self, task: RunTransactions) -> TransactionsRun:
        """Run the task's transactions in order."""
        started = time.perf_counter()
        decoded = [(proposed, decode_transaction(proposed.raw, any_s=True)) for proposed in task.transactions]
        self._learn(task)
        view = self._unmerged.view
        view.read_at(task.base)
        view.read_named((proposed.sender, tx.to, tx.access_list) for proposed, tx in decoded)
        engine = self._engine_for(task.environment.fork)
        attempts = tuple([self._attempt(engine, task, proposed, tx, started) for proposed, tx in decoded])
        return TransactionsRun(task.task_id, attempts, tuple(view.read_accounts), tuple(view.read_slots))

    def _learn(self, task: RunTransactions) -> None:
        """Take over the state the task runs on: merged changes, and unmerged runs above them."""
        if task.reset:
            self._known = KnownState()
            self._unmerged = UnmergedRuns(self._known, self._reads)
        known = self._known
        new = unpack_values(task.values)
        for code in new.codes:
            known.learn_code(keccak256(code), code)
        self._unmerged.learn(task, new)
        known.settle(task.settled)
        known.set_promises(task.promises)
        known.applied = task.applied

    def _attempt(
        self,
        engine: TransactionEngine,
        task: RunTransactions,
        proposed: ProposedTransaction,
        transaction: Transaction,
        started: float,
    ) -> Attempt:
        start_us, thread_start = int((time.perf_counter() - started) * 1_000_000), time.thread_time_ns()
        status, packed, estimate = AttemptStatus.RAN, None, None
        view = self._unmerged.before(proposed.index)
        view.speak_for(proposed.sender, transaction.nonce)
        try:
            outcome = engine.execute(transaction, proposed.sender, task.environment, view)
        except CannotInclude:
            status = AttemptStatus.CANNOT_INCLUDE
        except ParentHashPending:
            status = AttemptStatus.PARENT_HASH_PENDING
        except MissingAnswer:
            raise
        except EstimateRead as read:
            status, estimate = AttemptStatus.READ_ESTIMATE, read.estimate
        except Exception:
            log.exception("the engine failed on transaction 0x%s", transaction.hash.hex())
            status = AttemptStatus.ENGINE_FAILED
        else:
            self._unmerged.ran(proposed.index, outcome)
            packed = pack_outcome(outcome)
        thread_us = (time.thread_time_ns() - thread_start) // 1000
        end_us = int((time.perf_counter() - started) * 1_000_000)
        return Attempt(proposed.index, status, packed, thread_us, start_us, end_us, estimate)
