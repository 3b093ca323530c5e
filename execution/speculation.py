"""What a worker does with a task: keeps its picture of the state, runs transactions on it, reports what they read.

The pure part of a worker. Reading from storage is a call that blocks; everything else is values.
"""

import logging
import time
from collections import deque
from collections.abc import Callable

from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.tasks import Attempt, AttemptStatus, ProposedTransaction, RunTransactions, TransactionsRun
from chain.transactions import Transaction, decode_transaction
from chain.types import BlockNumber
from execution.block_run import TransactionEngine
from execution.errors import CannotInclude
from execution.known import KnownState
from execution.outcome import Outcome, ParentHashPending
from execution.speculative_view import EstimateRead, SpeculativeView
from execution.storage_requests import BlockingReads
from execution.task_messages import pack_outcome, unpack_outcome, unpack_values

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
        self._unmerged: dict[int, Outcome] = {}
        self._block = BlockNumber(0)

    def run(self, task: RunTransactions) -> TransactionsRun:
        """Run the task's transactions in order."""
        started = time.perf_counter()
        decoded = [(proposed, decode_transaction(proposed.raw, any_s=True)) for proposed in task.transactions]
        self._learn(task)
        view = SpeculativeView(self._known, self._reads, task.base, task.environment.beneficiary)
        view.read_named((proposed.sender, tx.to, tx.access_list) for proposed, tx in decoded)
        prefix = _Prefix(view, self._unmerged, set(task.estimates))
        engine = self._engine_for(task.environment.fork)
        attempts = tuple(
            self._attempt(engine, task, prefix, proposed, transaction, started) for proposed, transaction in decoded
        )
        return TransactionsRun(task.task_id, attempts, tuple(view.read_accounts), tuple(view.read_slots))

    def _learn(self, task: RunTransactions) -> None:
        """Take over the state the task runs on: merged changes, and unmerged runs above them."""
        if task.reset:
            self._known = KnownState()
        known = self._known
        known.shrink()
        new = unpack_values(task.values)
        for code in new.codes:
            known.learn_code(keccak256(code), code)
        known.change(task.position, new.accounts, new.slots, new.cleared)
        known.settle(task.settled)
        known.set_promises(task.promises)
        known.applied = task.applied
        if task.environment.number != self._block or task.reset:
            self._unmerged = {}
            self._block = task.environment.number
        self._unmerged = {index: outcome for index, outcome in self._unmerged.items() if index >= task.merged}
        self._unmerged.update((run.index, unpack_outcome(run.outcome)) for run in task.unmerged)

    def _attempt(
        self,
        engine: TransactionEngine,
        task: RunTransactions,
        prefix: "_Prefix",
        proposed: ProposedTransaction,
        transaction: Transaction,
        started: float,
    ) -> Attempt:
        start_us, thread_start = int((time.perf_counter() - started) * 1_000_000), time.thread_time_ns()
        status, packed, estimate = AttemptStatus.RAN, None, None
        view = prefix.before(proposed.index)
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
            prefix.ran(proposed.index, outcome)
            packed = pack_outcome(outcome)
        thread_us = (time.thread_time_ns() - thread_start) // 1000
        end_us = int((time.perf_counter() - started) * 1_000_000)
        return Attempt(proposed.index, status, packed, thread_us, start_us, end_us, estimate)


class _Prefix:
    """The unmerged runs as the transaction at a position sees them: those before it, in order."""

    def __init__(self, view: SpeculativeView, unmerged: dict[int, Outcome], estimates: set[int]) -> None:
        self._view = view
        self._unmerged = unmerged
        self._estimates = estimates
        self._hidden: deque[int] = deque(sorted(unmerged))
        self._shown_up_to = 0

    def before(self, position: int) -> SpeculativeView:
        """The view on which the transaction at `position` runs next."""
        if position < self._shown_up_to:
            self._view.rewind()
            self._hidden = deque(sorted(self._unmerged))
        while self._hidden and self._hidden[0] < position:
            index = self._hidden.popleft()
            outcome = self._unmerged[index]
            if index in self._estimates:
                self._view.estimate(index, outcome.writes)
            elif self._view.can_pay(outcome.writes):  # else it cannot count
                self._view.merge(index, outcome.writes, outcome.fee)
        self._shown_up_to = position
        return self._view

    def ran(self, position: int, outcome: Outcome) -> None:
        """A run of the transaction at the position last asked for, which later ones see."""
        self._unmerged[position] = outcome
        self._estimates.discard(position)
        if not self._hidden or self._hidden[0] != position:
            self._hidden.appendleft(position)
