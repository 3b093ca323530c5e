"""Transactions and calls run again step by step for a tracer, in a reader worker."""

import asyncio
import time
import zlib

import orjson

from chain.forks import Fork
from chain.links import RequestFailed
from chain.messages.execution import BlockEnvironment
from chain.messages.traces import REFUSED, RunTraces, TracedCall, TraceFailed, TraceRuns
from chain.transactions import Transaction, included_transaction
from chain.types import Address, BlockNumber, Wei
from execution.block_trace import TraceDiffers
from execution.calls import environment_for
from execution.engine import Engine
from execution.errors import CallTimeout, CannotInclude, ExecutionError
from execution.evm.executor import Executor
from execution.evm.stepping import stepping
from execution.known import KnownState
from execution.outcome import Outcome
from execution.overrides import OverrideRefused
from execution.speculative_view import SpeculativeView
from execution.storage_requests import BlockingReads
from execution.tracers import tracer_named
from execution.tracers.tracer import MAX_TRACE_BYTES, BadTracerOptions, Place, Run, TraceTooLarge, UnknownTracer

MAX_ANSWER_BYTES = 7 * 1024 * 1024
"""Compressed, of all runs together: they travel in one message."""
FASTEST = 1


class TracesTooLarge(ExecutionError):
    """What a message cannot carry, even compressed."""

    def __init__(self) -> None:
        super().__init__("the traces are too large to be sent: set disableStack or limit, or trace fewer transactions")


REFUSALS = (
    TraceDiffers,
    TraceTooLarge,
    TracesTooLarge,
    UnknownTracer,
    BadTracerOptions,
    OverrideRefused,
)


async def trace_runs(task: TraceRuns, engine: Engine, reads: BlockingReads) -> RunTraces | TraceFailed:
    """The traces. Lets the event loop turn between two runs."""
    try:
        return RunTraces(task.trace_id, await _Runs(task, engine, reads).traces())
    except RequestFailed as error:
        return TraceFailed(task.trace_id, error.text)
    except REFUSALS as error:
        return TraceFailed(task.trace_id, str(error))
    except CannotInclude as refusal:
        return TraceFailed(task.trace_id, f"{REFUSED}{refusal}")
    except CallTimeout:
        return TraceFailed(task.trace_id, "execution timeout")


class _Runs:
    """The runs of one request, on their way."""

    def __init__(self, task: TraceRuns, engine: Engine, reads: BlockingReads) -> None:
        self._task = task
        self._engine = engine
        self._options = orjson.loads(task.options)
        self._ends_at = time.monotonic() + task.time_limit_ms / 1000
        known = KnownState()
        known.applied = BlockNumber(task.environment.number)
        if task.begins_block:
            known.applied = BlockNumber(task.environment.number - 1)
            known.learn_hash(known.applied, task.parent_hash)
        self._view = SpeculativeView(known, reads, task.base, task.environment.beneficiary)
        self._logs = 0
        self._json_bytes = 0
        self._packed_bytes = 0

    async def traces(self) -> tuple[bytes, ...]:
        task = self._task
        tracer_named(task.tracer, self._options)  # a mistake is told before anything runs
        decoded = [(tx.sender, included_transaction(tx.raw)) for tx in task.transactions]
        if task.begins_block:
            self._begin_block()
        traces = []
        for index, (sender, transaction) in enumerate(decoded):
            await asyncio.sleep(0)
            assert sender is not None, "a stored block has no malformed transactions"
            if index < task.first_traced:
                self._merge(index, self._untraced(transaction, sender))
            else:
                traces.append(self._transaction(index, transaction, sender))
        for index, call in enumerate(task.calls, start=len(decoded)):
            await asyncio.sleep(0)
            traces.append(self._call(index, call))
        return tuple(traces)

    def _begin_block(self) -> None:
        task = self._task
        if task.environment.fork < Fork.CANCUN:
            return
        writes, slot = self._engine.block_start(task.environment, task.parent_beacon_root, self._view)
        if slot is not None:
            writes.slots[slot] = int.from_bytes(task.parent_hash, "big")
        self._view.merge(-1, writes, Wei(0))

    def _untraced(self, transaction: Transaction, sender: Address) -> Outcome:
        try:
            return Executor(self._engine.rules, self._task.environment, self._view, deadline=self._deadline()).execute(
                transaction, sender
            )
        except CannotInclude as reason:
            raise TraceDiffers(f"a transaction of the block could not be run again: {reason}") from None

    def _transaction(self, index: int, transaction: Transaction, sender: Address) -> bytes:
        place = Place(self._task.block_hash, index)
        return self._traced(index, self._engine, transaction, sender, self._task.environment, place)

    def _call(self, index: int, traced: TracedCall) -> bytes:
        engine = self._engine
        if traced.overrides:
            engine = engine.overridden(traced.overrides, self._view)
        call = traced.call
        transaction = call.as_transaction(call.type, None, 0, call.gas)
        return self._traced(
            index, engine, transaction, call.sender, environment_for(call, traced.environment), place=None
        )

    def _traced(
        self,
        index: int,
        engine: Engine,
        transaction: Transaction,
        sender: Address,
        environment: BlockEnvironment,
        place: Place | None,
    ) -> bytes:
        """One run's trace, packed; a call's, which nobody checks, without a place."""
        tracer = tracer_named(self._task.tracer, self._options)
        precompiles = frozenset(engine.rules.precompiled)
        tracer.began(Run(transaction, sender, environment, self._view, precompiles, self._logs, place))
        executor = Executor(stepping(engine.rules, tracer), environment, self._view, deadline=self._deadline())
        outcome = (executor.unchecked if place is None else executor.execute)(transaction, sender)
        self._merge(index, outcome)
        tracer.ended(outcome, self._view)
        return self._packed(tracer.result())

    def _merge(self, index: int, outcome: Outcome) -> None:
        self._view.merge(index, outcome.writes, outcome.fee)
        self._logs += len(outcome.logs)

    def _deadline(self) -> float:
        return min(self._ends_at, time.monotonic() + self._task.run_limit_ms / 1000)

    def _packed(self, trace: bytes) -> bytes:
        self._json_bytes += len(trace)
        if self._json_bytes > MAX_TRACE_BYTES:
            raise TraceTooLarge
        packed = zlib.compress(trace, FASTEST)
        self._packed_bytes += len(packed)
        if self._packed_bytes > MAX_ANSWER_BYTES:
            raise TracesTooLarge
        return packed
