"""rpc's side of the reader workers. Kept apart from theirs, so that rpc never imports the EVM."""

from collections.abc import Awaitable
from dataclasses import replace

from chain.links import Peer
from chain.messages import Message
from chain.messages.blobs import BlobsChecked, CheckBlobs
from chain.messages.calls import CallOutcome, CallOutcomes, RunCall
from chain.messages.link import Done
from chain.messages.simulation import RunSimulation, Simulated, SimulationFailed
from chain.messages.tasks import FollowTasks
from chain.messages.traces import BlockTrace, RunTraces, TraceBlock, TraceFailed, TraceRuns
from execution.call_bundles import CallBundles, UnexpectedCallMessage
from execution.pool import Pool
from execution.pool_core import Pace

MAX_WAITING_CALLS = 1024
GRACE_S = 1.0
"""How long beyond its time limit a call may take before its reader counts as stuck."""


class CallPool:
    """rpc's side of the readers: serves their socket (chain.links.Service), runs calls and traces on them."""

    def __init__(self, max_waiting: int = MAX_WAITING_CALLS) -> None:
        self._pool = Pool(wait_for_workers=True, max_waiting=max_waiting)
        self._bundles = CallBundles(self._pool, max_waiting)

    @property
    def workers(self) -> tuple[str, ...]:
        """The readers that are there."""
        return self._pool.workers

    @property
    def waiting(self) -> int:
        """Calls that no reader has taken up."""
        return self._pool.waiting - self._bundles.unsent + self._bundles.waiting

    def call(self, request: RunCall) -> Awaitable[CallOutcome]:
        """Run a call, whatever `call_id` the request carries.

        Raises PoolBusy when too many calls wait, WorkerLost when two readers died of it, and JobTimeout (a
        TimeoutError) when its reader is stuck or none came.
        """
        limit_s = request.time_limit_ms / 1000 + GRACE_S
        if not request.estimate and not request.overrides:
            return self._bundles.run(request, limit_s)
        return self._run_alone(request, limit_s)

    async def _run_alone(self, request: RunCall, limit_s: float) -> CallOutcome:
        answer = await self._pool.run(lambda _, lease: request._replace(call_id=lease), limit_s, Pace.OPEN)
        if not isinstance(answer, CallOutcomes) or len(answer.outcomes) != 1:
            raise UnexpectedCallMessage(answer)
        return answer.outcomes[0]

    async def trace(self, request: TraceBlock) -> BlockTrace | TraceFailed:
        """Trace a block, whatever `trace_id` the request carries. Raises as `call` does."""
        limit_s = request.time_limit_ms / 1000 + GRACE_S
        answer = await self._pool.run(lambda _, lease: replace(request, trace_id=lease), limit_s, Pace.STEPS)
        if not isinstance(answer, BlockTrace | TraceFailed):
            raise UnexpectedCallMessage(answer)
        return answer

    async def trace_runs(self, request: TraceRuns) -> RunTraces | TraceFailed:
        """Trace runs, whatever `trace_id` the request carries. Raises as `call` does."""
        limit_s = request.time_limit_ms / 1000 + GRACE_S
        answer = await self._pool.run(lambda _, lease: replace(request, trace_id=lease), limit_s, Pace.STEPS)
        if not isinstance(answer, RunTraces | TraceFailed):
            raise UnexpectedCallMessage(answer)
        return answer

    async def simulate(self, request: RunSimulation) -> Simulated | SimulationFailed:
        """Simulate blocks, whatever `call_id` the request carries. Raises as `call` does."""
        limit_s = request.time_limit_ms / 1000 + GRACE_S
        answer = await self._pool.run(lambda _, lease: replace(request, call_id=lease), limit_s, Pace.LONG)
        if not isinstance(answer, Simulated | SimulationFailed):
            raise UnexpectedCallMessage(answer)
        return answer

    async def check_blobs(self, request: CheckBlobs) -> BlobsChecked:
        """Check blobs, whatever `call_id` the request carries. Raises as `call` does."""
        limit_s = request.time_limit_ms / 1000 + GRACE_S
        answer = await self._pool.run(lambda _, lease: replace(request, call_id=lease), limit_s, Pace.LONG)
        if not isinstance(answer, BlobsChecked):
            raise UnexpectedCallMessage(answer)
        return answer

    async def answer(self, message: Message, peer: Peer) -> Message:
        if not isinstance(message, FollowTasks):
            raise UnexpectedCallMessage(message)
        self._pool.follow(peer)
        return Done()

    def hear(self, message: Message, peer: Peer) -> None:
        """A reader's answers. Raises UnexpectedCallMessage."""
        if isinstance(message, CallOutcomes | Simulated | SimulationFailed | BlobsChecked):
            self._pool.finished(peer, message.call_id, message)
        elif isinstance(message, BlockTrace | RunTraces | TraceFailed):
            self._pool.finished(peer, message.trace_id, message)
        else:
            raise UnexpectedCallMessage(message)

    def joined(self, peer: Peer) -> None:
        """A reader says by its first request that it wants tasks."""

    def left(self, peer: Peer) -> None:
        self._pool.left(peer)
