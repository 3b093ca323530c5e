"""A validator process: its database, its links to the other validators, and the socket that rpc and execution use."""

import asyncio
import logging
from functools import lru_cache, partial

from chain.links import Peer
from chain.messages import Message
from chain.messages.faults import SetNetworkFaults
from chain.types import ExecutorIndex, ValidatorIndex
from consensus.errors import MalformedFrame, OversizedMessage, UnprovenPeer
from consensus.process import ValidatorProcess
from consensus.rejections import STRANGER
from consensus.settings import ConsensusSettings
from node.errors import NodeError
from node.faults_file import FaultsFile
from node.output import Output
from node.peer_links import PeerLinks
from node.plan import Kind, Plan, Role, role_named
from node.queues.listening import MAX_MESSAGE_BYTES
from node.sockets import sockets_of
from storage.leveldb import LevelDB

log = logging.getLogger("tandem.node")


class ValidatorService:
    """What rpc and execution ask of this validator: its network faults are set here, all else is the replica's."""

    def __init__(self, process: ValidatorProcess, peers: PeerLinks, faults: SetNetworkFaults) -> None:
        self._process = process
        self._peers = peers
        self._revision = faults.revision
        peers.set_faults(faults.faults)

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        if not isinstance(message, SetNetworkFaults):
            return await self._process.answer(message, peer)
        if message.revision > self._revision:
            self._revision = message.revision
            log.info("network faults in force: %s", message.faults)
            for reopened in self._peers.set_faults(message.faults):
                self._process.peer_connected(reopened)
        return None

    def joined(self, peer: Peer) -> None:
        self._process.joined(peer)

    def left(self, peer: Peer) -> None:
        self._process.left(peer)


class PeerMessages:
    """What the other validators send here (implements node.queues.listening.Listener)."""

    def __init__(self, process: ValidatorProcess) -> None:
        self._process = process

    def sender(self, name: str, life: bytes, proof: bytes) -> ValidatorIndex | None:
        try:
            claimed = ValidatorIndex(role_named(name).index)
            self._process.introductions.check(claimed, life, proof)
        except (NodeError, UnprovenPeer):
            return None
        return claimed

    def take(self, sender: int, payload: bytes) -> None:
        self._process.receive(ValidatorIndex(sender), payload)

    def refuse_malformed(self, sender: int) -> None:
        self._process.refuse(ValidatorIndex(sender), MalformedFrame("not a frame that validators send"))

    def refuse_oversized(self, sender: int, size: int) -> None:
        self._process.refuse(ValidatorIndex(sender), OversizedMessage(size, MAX_MESSAGE_BYTES))

    def refuse_stranger(self, name: str) -> None:
        self._process.refuse(STRANGER, UnprovenPeer(name[:32]))


@lru_cache(maxsize=64)
def executor_named(name: str) -> ExecutorIndex:
    """Which executor the process of this name is. Raises NodeError if it is none."""
    role = role_named(name)
    if role.kind != Kind.EXECUTION:
        raise NodeError(f"{name} is no executor")
    return ExecutorIndex(role.executor)


async def run_validator(plan: Plan, role: Role, output: Output) -> None:
    """Until cancelled."""
    folder, me = plan.folder, ValidatorIndex(role.index)
    database = LevelDB(folder.validator_store(me), durable=folder.durable)
    peers = PeerLinks(me, asyncio.get_running_loop())
    settings = ConsensusSettings(block_interval_ms=plan.settings.block_time_ms, executors=plan.settings.executors)
    key = folder.validator_key(me)
    process = ValidatorProcess(me, folder.genesis, key, database, peers, settings, executor_of=executor_named)
    try:
        async with sockets_of(role) as sockets:
            service = ValidatorService(process, peers, FaultsFile(plan.faults_file).read())
            sockets.serve(plan.endpoints.validator(me, bind=True), service)
            sockets.listen(plan.endpoints.peer(me, bind=True), PeerMessages(process))
            for index in range(len(folder.genesis.validators)):
                if index != me:
                    other = ValidatorIndex(index)
                    changed = partial(_connection_changed, process, other)
                    prove = partial(process.introductions.prove, other)
                    peers.add(other, sockets.link(plan.endpoints.peer(index), changed, prove))
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
