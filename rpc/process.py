"""The rpc process: wires the chain view, admission, subscriptions and filters to the links, and serves them."""

import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from chain.genesis import Genesis
from chain.links import Link
from chain.messages import Message
from chain.messages.execution import BlockNews, FollowBlocks
from chain.messages.faults import NO_ROOM
from chain.messages.mempool import ConsensusNews, Evicted, FollowConsensus
from chain.messages.watching import BlockStages
from chain.types import ValidatorIndex
from rpc.access import AccessRules
from rpc.account_order import AccountOrder
from rpc.admission import Admission
from rpc.app import RpcApplication
from rpc.block_watch import BlockWatch
from rpc.chain_view import ChainView
from rpc.consensus import ConsensusObserver
from rpc.executor_watch import ExecutorWatch
from rpc.filters import Filters
from rpc.hotspot_methods import MAX_WAITING
from rpc.kept_blobs import KeptBlobs
from rpc.kept_calls import KeptCalls
from rpc.methods import Callers, Console, Node, Processes
from rpc.naming.names import Naming
from rpc.naming.registry import Registry
from rpc.network_control import FaultsStore, NetworkControl
from rpc.news import Follower
from rpc.operator import Operator
from rpc.pending_state import PendingState
from rpc.pool_snapshots import PoolSnapshots
from rpc.remote import RemoteBlocks
from rpc.request_counts import RequestCounts
from rpc.server import Server
from rpc.subscriptions import Subscriptions
from rpc.tasks import Tasks
from rpc.traces import Tracers, Traces
from rpc.turns import Turns
from rpc.wallet import Wallet

log = logging.getLogger("tandem.rpc")

MAX_WAITING_TRACES = 64


class Readers(Callers, Tracers, Protocol):
    """The reader workers."""


class RpcProcess:
    """One RPC server over the links of one chain.

    `open` waits for storage, then follows the news; `serve` answers on bound sockets until `stop`.
    """

    def __init__(
        self,
        genesis: Genesis,
        storage: Link,
        execution: Link,
        validators: Mapping[ValidatorIndex, Link],
        readers: Readers,
        private_keys: Sequence[bytes],
        faults: FaultsStore,
        processes: Processes,
        console: Console,
        executors: int = 1,
        contracts: Registry | None = None,
        access: AccessRules | None = None,
        remote_urls: tuple[str, str] = ("", ""),
        history: int | None = None,
        storages: Callable[[], Sequence[Link]] | None = None,
    ) -> None:
        self._genesis = genesis
        self._storage = storage
        self._execution = execution
        self._validators = validators
        self._readers = readers
        self._private_keys = private_keys
        self._faults = faults
        self._processes = processes
        self._console = console
        self._executors = executors
        self._contracts = contracts or Registry()
        self._access = access or AccessRules()
        self._remote_urls = remote_urls
        self._history = history
        self._storages = storages or (lambda: (storage,))
        self._node: Node | None = None
        self._server: Server | None = None
        self._tasks = Tasks()
        self._block_watch: BlockWatch | None = None

    @property
    def node(self) -> Node:
        """What the methods work with, once open."""
        assert self._node is not None, "the rpc process is not open yet"
        return self._node

    @property
    def _watch(self) -> BlockWatch:
        assert self._block_watch is not None, "the rpc process is not open yet"
        return self._block_watch

    @property
    def server(self) -> Server:
        """The HTTP server, once open; its `listening` event is set when it accepts connections."""
        assert self._server is not None, "the rpc process is not open yet"
        return self._server

    async def open(self) -> None:
        """Learn where the chain stands and what is pending, and begin to follow both."""
        self._node = await self._build_node()
        self._server = Server(RpcApplication(self._node, self._access))
        self._execution.follow(lambda: FollowBlocks(self.node.chain.height), self._block_executed)
        for index, link in self._validators.items():
            link.follow(self._joining(index), self._validator_news(index))
        await self.node.admission.mempools_known()
        if self.node.remote is not None:
            self._tasks.start(self.node.remote.warm_up())
        if self._contracts.has_folders:
            self._tasks.start(self._contracts.open())

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Answer requests on listening or bound sockets until `stop`; they are closed then."""
        try:
            await self.server.serve(sockets)
        finally:
            await self.node.admission.close()
            await self.node.consensus.close()
            await self._tasks.close()
            await self.node.network.close()
            await self.node.traces.close()
            await self.node.executors.close()

    def stop(self) -> None:
        """End `serve` within a second, whatever clients do."""
        self.server.stop()

    def validator_connection_changed(self) -> None:
        """A validator has come or gone, which its own news cannot tell."""
        if self._node is not None:
            self._node.consensus.changed()

    async def _build_node(self) -> Node:
        chain = ChainView(self._storage, self._genesis, self._executors)
        await chain.open()
        stakes = [identity.stake for identity in self._genesis.validators]
        self._block_watch = BlockWatch(chain, self._validators, stakes, self._tasks)
        admission = Admission(self._genesis, chain, self._execution, self._validators, lacks_room=self._lacks_room)
        naming = Naming(chain.state, self._contracts, lambda: chain.head.version)
        trace_turns = Turns(MAX_WAITING_TRACES)
        observer = ConsensusObserver(self._genesis, chain, self._validators)
        return Node(
            genesis=self._genesis,
            chain=chain,
            admission=admission,
            wallet=Wallet(self._private_keys),
            subscriptions=Subscriptions(self._genesis, admission, self._watch, observer),
            consensus=observer,
            filters=Filters(chain, admission),
            network=NetworkControl(self._validators, self._faults),
            callers=self._readers,
            kept_calls=KeptCalls(),
            console=self._console,
            storage=self._storage,
            storages=self._storages,
            execution=self._execution,
            validators=self._validators,
            processes=self._processes,
            executors=ExecutorWatch(self._genesis, chain, self._processes, self._executors),
            naming=naming,
            traces=Traces(
                self._genesis, lambda: chain.settings, chain.version_before, self._readers, naming, trace_turns
            ),
            hotspot_turns=Turns(MAX_WAITING),
            requests=RequestCounts(),
            remote=self._remote_blocks(),
            history=self._history,
            trace_turns=trace_turns,
            account_order=AccountOrder(MAX_WAITING_TRACES),
            operator=Operator(chain, self._validators, self._tasks, admission.send_waiting),
            blobs=KeptBlobs(),
            pending=PendingState(),
            pool_snapshots=PoolSnapshots(),
        )

    def _lacks_room(self) -> bool:
        """Whether a process of the chain could not write for want of room, and waits for some."""
        return any(process["state"] == NO_ROOM for process in self._processes.listed() or ())

    def _remote_blocks(self) -> RemoteBlocks | None:
        """Those below a fork; None for a chain that begins by itself."""
        if self._genesis.forked is None:
            return None
        return RemoteBlocks(self._storage, self._genesis.header.number, *self._remote_urls)

    async def _block_executed(self, news: Message) -> None:
        assert isinstance(news, BlockNews)
        change = await self.node.chain.height_executed(news)
        for follower in self._followers():
            await follower.height_executed(change)
        self.node.operator.height_executed(news)

    def _followers(self) -> Sequence[Follower]:
        """Admission first, so that what subscribers are told of has left the pool."""
        return self.node.admission, self.node.subscriptions, self.node.filters

    def _joining(self, index: ValidatorIndex) -> Callable[[], Message]:
        def request() -> Message:
            self.node.network.validator_joined(index)
            self.node.admission.validator_joined(index)
            self.node.operator.validator_joined(index)
            self._watch.joined(index)
            return FollowConsensus()

        return request

    def _validator_news(self, index: ValidatorIndex) -> Callable[[Message], Awaitable[None]]:
        async def take(news: Message) -> None:
            if isinstance(news, Evicted):
                for follower in self._followers():
                    await follower.transaction_evicted(index, news)
            elif isinstance(news, BlockStages):
                self._watch.stages_told(index, news)
            else:
                assert isinstance(news, ConsensusNews)
                await self.node.chain.consensus_changed(news)
                self.node.admission.leader_named()
                self._watch.agreement_changed()
                self.node.executors.consensus_changed()
                self.node.consensus.changed()

        return take
