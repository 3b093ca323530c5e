"""The reader process: eth_call and eth_estimateGas at a pinned version, with gas and time limits, and traces."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from chain.forks import Fork
from chain.links import Link, RequestFailed
from chain.messages import Message
from chain.messages.blobs import BlobsChecked, CheckBlobs
from chain.messages.calls import AccountOverride, CallMessage, CallOutcome, CallOutcomes, RunCall, RunCalls
from chain.messages.execution import BlockEnvironment
from chain.messages.simulation import RunSimulation
from chain.messages.traces import TraceBlock, TraceRuns
from chain.types import Gas
from execution.blob_proofs import are_proven
from execution.block_trace import trace_block
from execution.call_views import CallViews
from execution.engine import Engine
from execution.errors import CallTimeout
from execution.evm.tracing import TracingEngine
from execution.outcome import StateView
from execution.overrides import OverridableView, OverrideRefused
from execution.run_traces import trace_runs
from execution.simulation import simulate
from execution.storage_requests import BlockingReads
from execution.worker import TaskLoop, UnexpectedTask

MAX_OUTPUT_BYTES = 1024 * 1024
"""Of a bundle, before its last call: one call of a chain with large blocks may give a third of what a message holds."""


class CallEngine(Protocol):
    """What runs calls: one fork's rules. See execution.engine."""

    def overridden(self, overrides: Sequence[AccountOverride], view: OverridableView) -> "CallEngine": ...

    def call(
        self, call: CallMessage, environment: BlockEnvironment, view: StateView, *, deadline: float | None
    ) -> CallOutcome: ...

    def estimate(
        self, call: CallMessage, environment: BlockEnvironment, view: StateView, *, deadline: float | None
    ) -> CallOutcome: ...


class CallRunner:
    """Runs calls on pinned versions."""

    def __init__(self, engine_for: Callable[[Fork], CallEngine], views: CallViews) -> None:
        self._engine_for = engine_for
        self._views = views

    def run(self, task: RunCall) -> CallOutcome:
        """The call's outcome; a version that storage does not have (any more) is an error of the call."""
        deadline = time.monotonic() + task.time_limit_ms / 1000
        engine = self._engine_for(task.environment.fork)
        try:
            stage = self._views.stage(task.version, task.environment)
            view: StateView
            if task.overrides:
                view = overridable = stage.overridable(task.call)
                engine = engine.overridden(task.overrides, overridable)
            else:
                view = stage.view(task.call)
            run = engine.estimate if task.estimate else engine.call
            return run(task.call, task.environment, view, deadline=deadline)
        except RequestFailed as error:
            return CallOutcome(b"", error.text, Gas(0))
        except OverrideRefused as error:
            return CallOutcome(b"", str(error), Gas(0))
        except CallTimeout:
            return CallOutcome(b"", f"execution aborted (timeout = {task.time_limit_ms / 1000:g}s)", Gas(0))

    def run_all(self, task: RunCalls) -> list[CallOutcome]:
        """The outcomes of those that end within the time that all have together, as many as one answer may carry."""
        deadline = time.monotonic() + task.time_limit_ms / 1000
        engine = self._engine_for(task.environment.fork)
        stage = self._views.stage(task.version, task.environment)
        outcomes: list[CallOutcome] = []
        room = MAX_OUTPUT_BYTES
        for call in task.calls:
            if room < 0:
                break
            try:
                outcome = engine.call(call, task.environment, stage.view(call), deadline=deadline)
            except RequestFailed as error:
                outcome = CallOutcome(b"", error.text, Gas(0))
            except CallTimeout:
                break
            outcomes.append(outcome)
            room -= len(outcome.output)
        return outcomes


class CallWorkerProcess:
    """Runs what rpc's pool pushes: calls at once, traces a transaction at a time, so that calls come between."""

    def __init__(
        self,
        pool: Link,
        reads: BlockingReads,
        engine_for: Callable[[Fork], Engine],
        tracer_for: Callable[[Fork], TracingEngine],
    ) -> None:
        self._pool = pool
        self._engine_for = engine_for
        views = CallViews(reads)
        self._reads = views.reads
        self._runner = CallRunner(engine_for, views)
        self._tracer_for = tracer_for

    async def run(self) -> None:
        """Until cancelled."""
        await TaskLoop(self._pool, self._carry_out).run()

    def _carry_out(self, task: Message) -> Message | Awaitable[Message]:
        if isinstance(task, RunCall | RunCalls):
            return self._outcomes(task)
        if isinstance(task, TraceBlock):
            return trace_block(task, self._tracer_for(task.environment.fork), self._reads)
        if isinstance(task, CheckBlobs):
            return BlobsChecked(task.call_id, are_proven(task.sidecar))
        if isinstance(task, RunSimulation):
            return simulate(task, self._engine_for(task.blocks[0].environment.fork), self._reads)
        if isinstance(task, TraceRuns):
            return trace_runs(task, self._engine_for(task.environment.fork), self._reads)
        raise UnexpectedTask(task)

    def _outcomes(self, task: RunCall | RunCalls) -> CallOutcomes:
        began = time.perf_counter()
        outcomes = self._runner.run_all(task) if isinstance(task, RunCalls) else [self._runner.run(task)]
        return CallOutcomes(task.call_id, tuple(outcomes), round((time.perf_counter() - began) * 1_000_000))
