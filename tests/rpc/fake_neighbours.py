"""Whom an rpc process speaks to besides the chain: links, the supervisor, readers, the terminal, the faults file."""

import zlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

from chain.console_log import ConsoleLogs
from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.blobs import BlobsChecked, CheckBlobs
from chain.messages.calls import CallMessage, CallOutcome, RunCall
from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ProcessAction, SetNetworkFaults
from chain.messages.mempool import ConsensusNews, ExecutorsNews
from chain.messages.simulation import CallInBlock, RunSimulation, Simulated, SimulatedBlock, SimulationFailed
from chain.messages.traces import BlockTrace, RunTraces, TraceBlock, TraceFailed, TraceRuns
from chain.network_faults import WHOLE_NETWORK
from chain.types import ZERO_HASH, Gas, Hash32, Height, Round, ValidatorIndex
from rpc.errors import ServerError


class FakeLink:
    """The asking end of a link to something that `answer`s."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        self._answer = answer
        self.connected = True
        self.asked: list[Message] = []
        self._take: Callable[[Message], Awaitable[None]] | None = None
        self.followed: Message | None = None

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        self.asked.append(message)
        if not self.connected:
            raise TimeoutError
        return self._answer(message)

    def notify(self, message: Message) -> bool:
        self.asked.append(message)
        return self.connected

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        self.followed = request()
        self._take = take

    async def tell(self, news: Message) -> None:
        """Push news to the follower."""
        assert self._take is not None
        await self._take(news)


def consensus_news(validator: int, verified: int, verified_hash: Hash32 = ZERO_HASH) -> ConsensusNews:
    return ConsensusNews(
        validator=ValidatorIndex(validator),
        round=Round(9),
        leader=ValidatorIndex(0),
        proposed=Height(verified + 3),
        certified=Height(verified + 2),
        committed=Height(verified + 1),
        executed=Height(verified + 1),
        executed_hash=ZERO_HASH,
        verified=Height(verified),
        verified_hash=verified_hash,
        executors=ExecutorsNews(1, Height(0), ()),
        timeouts=0,
        mempool_transactions=0,
        mempool_bytes=0,
        connected_peers=3,
        queued_bytes=0,
        dropped_frames=0,
        equivocating_turns=0,
        committed_depth=verified + 1,
        committed_proposal=keccak256(b"proposal %d" % (verified + 1)),
        rejections=(),
        late=(),
    )


class MemoryFaults:
    """Network faults kept in memory; `full` makes it a full disk."""

    def __init__(self) -> None:
        self.held = SetNetworkFaults(0, WHOLE_NETWORK)
        self.full = False

    def read(self) -> SetNetworkFaults:
        return self.held

    def write(self, faults: SetNetworkFaults) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.held = faults


class FakeConsole:
    """Keeps what calls logged."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, CallMessage, ConsoleLogs]] = []

    def call_logged(self, method: str, call: CallMessage, logs: ConsoleLogs) -> None:
        self.logged.append((method, call, logs))


class FakeProcesses:
    """A supervisor whose processes are in whatever state was asked for last; it refuses to resume."""

    def __init__(self, validators: int = 0, *, may_give_place: bool = True) -> None:
        self.may_give_place = may_give_place
        self.states = {f"validator-{index}": "running" for index in range(validators)}
        self.verdicts: list[ExecutorsVerdict] = []
        self.forks: list[tuple[str | None, int | None] | None] = []
        self.failures = 0

    def listed(self) -> list[dict[str, object]]:
        return [{"name": name, "pid": 1, "restarts": 0, "state": state} for name, state in self.states.items()]

    async def control(self, validator: ValidatorIndex, action: ProcessAction) -> None:
        if action is ProcessAction.RESUME:
            raise ServerError(f"validator-{validator} is running, not paused")
        words = {ProcessAction.KILL: "killed", ProcessAction.PAUSE: "paused", ProcessAction.RESTART: "starting"}
        self.states[f"validator-{validator}"] = words[action]

    async def fork(self, url: str | None, block: int | None) -> None:
        self.forks.append((url, block))

    async def end_fork(self) -> None:
        self.forks.append(None)

    async def change_executors(self, verdict: ExecutorsVerdict) -> None:
        if self.failures:
            self.failures -= 1
            raise ServerError("the supervisor does not answer")
        self.verdicts.append(verdict)


class FakeCallers:
    """Reader workers that answer every call with `outcome`, and every trace by `tracer`.

    Blocks to simulate come to nothing, unless `simulated` has what they come to.
    """

    def __init__(self) -> None:
        self.calls: list[RunCall] = []
        self.outcome = CallOutcome(b"", "", Gas(21_000))
        self.traces: list[TraceBlock] = []
        self.runs: list[TraceRuns] = []
        self.blobs_are_proven = True
        self.simulations: list[RunSimulation] = []
        self.simulated: Simulated | SimulationFailed = Simulated(0, ())
        self.run_trace = b"{}"
        self.tracer: Callable[[TraceBlock], Awaitable[BlockTrace | TraceFailed]] = _no_trace

    async def call(self, request: RunCall) -> CallOutcome:
        self.calls.append(request)
        return self.outcome

    async def trace(self, request: TraceBlock) -> BlockTrace | TraceFailed:
        self.traces.append(request)
        return await self.tracer(request)

    async def simulate(self, request: RunSimulation) -> Simulated | SimulationFailed:
        self.simulations.append(request)
        if isinstance(self.simulated, SimulationFailed) or self.simulated.blocks:
            return self.simulated
        call = CallInBlock(0, Gas(21_000), b"", "", Gas(21_000), Gas(21_000), ())
        made = [SimulatedBlock(request.base, (call,) * len(block.calls)) for block in request.blocks]
        return replace(self.simulated, blocks=tuple(made))

    async def check_blobs(self, request: CheckBlobs) -> BlobsChecked:
        return BlobsChecked(request.call_id, self.blobs_are_proven)

    async def trace_runs(self, request: TraceRuns) -> RunTraces | TraceFailed:
        """`run_trace` for every run that is traced."""
        self.runs.append(request)
        count = len(request.transactions) - request.first_traced + len(request.calls)
        return RunTraces(request.trace_id, (zlib.compress(self.run_trace),) * count)


async def _no_trace(request: TraceBlock) -> TraceFailed:
    return TraceFailed(request.trace_id, "nothing is executed here")
