"""The registry of methods: a name, the parsers of its arguments, and the function that answers.

A method is an async function of the node and its parsed arguments:

    @method("eth_getBalance", address, optional(block_reference, BlockTag.LATEST))
    async def get_balance(node: Node, account: Address, block: BlockReference) -> str: ...

Methods that speak to one WebSocket connection (subscriptions) are declared with `connection_method` and take the
connection after the node; over HTTP they answer "notifications not supported".
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from chain.console_log import ConsoleLogs
from chain.genesis import Genesis
from chain.links import Link
from chain.messages.blobs import BlobsChecked, CheckBlobs
from chain.messages.calls import CallMessage, CallOutcome, RunCall
from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ProcessAction
from chain.messages.simulation import RunSimulation, Simulated, SimulationFailed
from chain.messages.traces import RunTraces, TraceFailed, TraceRuns
from chain.types import ValidatorIndex
from rpc.errors import InvalidArgument, InvalidParams, MissingArgument, TooManyArguments
from rpc.params import InvalidValue, Parser
from rpc.settling import reads_what_was_sent

if TYPE_CHECKING:
    from rpc.account_order import AccountOrder
    from rpc.admission import Admission
    from rpc.chain_view import ChainView
    from rpc.consensus import ConsensusObserver
    from rpc.executor_watch import ExecutorWatch
    from rpc.filters import Filters
    from rpc.kept_blobs import KeptBlobs
    from rpc.kept_calls import KeptCalls
    from rpc.naming.names import Naming
    from rpc.network_control import NetworkControl
    from rpc.operator import Operator
    from rpc.pending_state import PendingState
    from rpc.pool_snapshots import PoolSnapshots
    from rpc.remote import RemoteBlocks
    from rpc.request_counts import RequestCounts
    from rpc.subscriptions import Subscriptions
    from rpc.traces import Traces
    from rpc.turns import Turns
    from rpc.wallet import Wallet

Json: TypeAlias = Any
"""What orjson can encode."""
Handler: TypeAlias = Callable[..., Awaitable[Json]]
H = TypeVar("H", bound=Handler)


class Callers(Protocol):
    """Runs calls and traces in reader workers."""

    async def call(self, request: RunCall) -> CallOutcome:
        """Raises TimeoutError when no worker answers in time, and RpcError when none can take the call."""
        ...

    async def simulate(self, request: RunSimulation) -> Simulated | SimulationFailed:
        """Raises as `call` does."""
        ...

    async def check_blobs(self, request: CheckBlobs) -> BlobsChecked:
        """Raises as `call` does."""
        ...

    async def trace_runs(self, request: TraceRuns) -> RunTraces | TraceFailed:
        """Raises as `call` does."""
        ...


class Console(Protocol):
    """Shows what contracts log where no transaction does it."""

    def call_logged(self, method: str, call: CallMessage, logs: ConsoleLogs) -> None: ...


class Processes(Protocol):
    """The chain's processes, as whoever runs them knows them. `may_give_place`: another chain may take its place."""

    @property
    def may_give_place(self) -> bool: ...

    def listed(self) -> Json:
        """Each with its name, pid (None while it is down), restarts and state; None where nobody runs them all."""
        ...

    async def control(self, validator: ValidatorIndex, action: ProcessAction) -> None:
        """Kill a validator, which then stays down, pause, resume or restart it. Raises ServerError."""
        ...

    async def change_executors(self, verdict: ExecutorsVerdict) -> None:
        """Have the executors run that the validators want, and those stopped that are wrong. Raises ServerError."""
        ...

    async def fork(self, url: str | None, block: int | None) -> None:
        """Have a fork take this chain's place: of that block of the chain at `url`, of the newest one, or of the chain
        that this one was forked from. Raises InvalidParams and ServerError."""
        ...

    async def end_fork(self) -> None:
        """Have the chain that was asked for at the start, without its fork, take this one's place. Raises as `fork`."""
        ...


class Connection(Protocol):
    """One WebSocket client. It is hashable and lives as long as the socket."""

    def push(self, message: bytes) -> bool:
        """Queue one JSON text. False when the client is gone, or too slow and therefore being closed."""
        ...


@dataclass(frozen=True, slots=True)
class Node:
    """What methods work with."""

    genesis: Genesis
    chain: "ChainView"
    admission: "Admission"
    wallet: "Wallet"
    subscriptions: "Subscriptions"
    filters: "Filters"
    consensus: "ConsensusObserver"
    network: "NetworkControl"
    callers: Callers
    kept_calls: "KeptCalls"
    console: Console
    storage: Link
    storages: Callable[[], Sequence[Link]]
    """Those of all executors that run."""
    execution: Link
    validators: Mapping[ValidatorIndex, Link]
    processes: Processes
    executors: "ExecutorWatch"
    naming: "Naming"
    traces: "Traces"
    hotspot_turns: "Turns"
    requests: "RequestCounts"
    trace_turns: "Turns"
    account_order: "AccountOrder"
    operator: "Operator"
    blobs: "KeptBlobs"
    pending: "PendingState"
    pool_snapshots: "PoolSnapshots"
    remote: "RemoteBlocks | None"
    """The blocks below a fork."""
    history: int | None
    """Of so many blocks before the newest the states are kept, None: of all."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One positional argument; `required` ones refuse absence, others take `default`."""

    parse: Parser[Any]
    required: bool = True
    default: Any = None


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    arguments: tuple[Argument, ...]
    handler: Handler
    takes_connection: bool = False
    changes_chain: bool = False
    """It is there only where operations are allowed (chain.operations)."""
    reads_what_was_sent: bool = False
    """See rpc/settling.py."""

    def parse(self, values: list[Any]) -> list[Any]:
        """The arguments in `values`. Raises InvalidParams, with geth's words for what geth has too."""
        if len(values) > len(self.arguments):
            raise TooManyArguments(len(self.arguments))
        parsed = []
        for argument, value in zip(self.arguments, values, strict=False):
            if value is None and not argument.required:
                parsed.append(argument.default)
                continue
            try:
                parsed.append(argument.parse(value))
            except InvalidValue as problem:
                speaks_plainly = self.name.startswith(OWN_PREFIX)
                raise InvalidArgument(len(parsed), problem.plain if speaks_plainly else problem.text) from None
        for argument in self.arguments[len(parsed) :]:
            if argument.required:
                raise MissingArgument(len(parsed))
            parsed.append(argument.default)
        return parsed


OWN_PREFIX = "tandem_"
METHODS: dict[str, Method] = {}


def optional(parse: Parser[Any], default: Any = None) -> Argument:
    """An argument that may be absent or null."""
    return Argument(parse, required=False, default=default)


def method(name: str, *arguments: Parser[Any] | Argument) -> Callable[[H], H]:
    """Registers an async function of (node, *arguments) as the method `name`."""
    return _registration(name, arguments)


def operator_method(name: str, *arguments: Parser[Any] | Argument) -> Callable[[H], H]:
    """Registers an async function of (node, *arguments) as the method `name`, where operations are allowed."""
    return _registration(name, arguments, changes_chain=True)


def connection_method(name: str, *arguments: Parser[Any] | Argument) -> Callable[[H], H]:
    """Registers an async function of (node, connection, *arguments) as the method `name`, for WebSockets only."""
    return _registration(name, arguments, takes_connection=True)


def _registration(
    name: str,
    arguments: tuple[Parser[Any] | Argument, ...],
    takes_connection: bool = False,
    changes_chain: bool = False,
) -> Callable[[H], H]:
    assert name not in METHODS, f"{name} is registered twice"
    full = tuple(a if isinstance(a, Argument) else Argument(a) for a in arguments)

    def register(handler: H) -> H:
        METHODS[name] = Method(name, full, handler, takes_connection, changes_chain, reads_what_was_sent(name))
        return handler

    return register


NAMED = {"anvil_reorg": ("depth", "tx_block_pairs")}
"""What Rust's client of anvil (alloy) sends by name."""


def arguments_of(name: str, params: Any) -> list[Any]:
    """The positional arguments in the `params` member of a request for a method. Raises InvalidParams."""
    if params is None:
        return []
    if name in NAMED and isinstance(params, dict):
        return [params.get(argument) for argument in NAMED[name]]
    if not isinstance(params, list):
        raise InvalidParams("non-array args")
    return params
