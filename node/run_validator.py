"""A validator process: its database, its links to the other validators, and the socket that rpc and execution use."""

import asyncio
from collections.abc import Callable
from functools import partial

from chain.links import Peer
from chain.messages import Message
from chain.types import ValidatorIndex
from consensus.process import ValidatorProcess
from consensus.settings import ConsensusSettings
from node.errors import NodeError
from node.output import Output
from node.plan import Kind, Plan, Role, role_named
from node.queues.asking import AskingSocket
from node.sockets import sockets_of
from storage.leveldb import LevelDB

DATABASE_CACHE_BYTES = 1 << 20
DATABASE_BUFFER_BYTES = 1 << 20
"""A validator reads back little of what it writes; four of them share a machine."""


class PeerLinks:
    """The links to the other validators (implements consensus.process.Peers)."""

    def __init__(self) -> None:
        self.links: dict[ValidatorIndex, AskingSocket] = {}

    def send(self, to: ValidatorIndex, message: Message) -> None:
        link = self.links.get(to)
        if link is not None:
            link.notify(message)

    @property
    def connected(self) -> int:
        return sum(link.connected for link in self.links.values())

    @property
    def queued_bytes(self) -> int:
        return sum(link.queued_bytes for link in self.links.values())

    @property
    def dropped_frames(self) -> int:
        return sum(link.dropped_frames for link in self.links.values())


class PeerMessages:
    """What the other validators send here. Signatures say who speaks; the name only says whom to answer."""

    def __init__(self, receive: Callable[[ValidatorIndex, Message], None]) -> None:
        self._receive = receive

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        role = role_named(peer.name)
        if role.kind != Kind.VALIDATOR:
            raise NodeError(f"{peer.name} is no validator")
        self._receive(ValidatorIndex(role.index), message)
        return None

    def joined(self, peer: Peer) -> None:
        """It will say what it has."""

    def left(self, peer: Peer) -> None:
        """It will connect again."""


async def run_validator(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    folder, me = plan.folder, ValidatorIndex(role.index)
    database = LevelDB(folder.validator_store(me), durable=folder.durable)
    peers = PeerLinks()
    settings = ConsensusSettings(block_interval_ms=plan.settings.block_time_ms)
    process = ValidatorProcess(me, folder.genesis, folder.validator_key(me), database, peers, settings)
    try:
        async with sockets_of(role) as sockets:
            sockets.serve(plan.endpoints.validator(me, bind=True), process)
            sockets.serve(plan.endpoints.peer(me, bind=True), PeerMessages(process.receive))
            for index in range(len(folder.genesis.validators)):
                if index != me:
                    other = ValidatorIndex(index)
                    peers.links[other] = sockets.link(
                        plan.endpoints.peer(index), partial(_connection_changed, process, other)
                    )
            process.start()
            try:
                await asyncio.Event().wait()
            finally:
                await process.close()
    finally:
        database.close()


def _connection_changed(process: ValidatorProcess, index: ValidatorIndex, connected: bool) -> None:
    if connected:
        process.peer_connected(index)
