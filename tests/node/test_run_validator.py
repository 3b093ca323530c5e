"""A validator's own service: network faults are put in force here, all else goes to the replica."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chain.links import Peer
from chain.messages.faults import SetNetworkFaults
from chain.messages.mempool import FollowConsensus
from chain.network_faults import WHOLE_NETWORK, NetworkFaults
from chain.types import ValidatorIndex
from consensus.process import ValidatorProcess
from consensus.signatures import Ed25519Signer
from node.peer_links import PeerLinks
from node.run_validator import ValidatorService
from tests.consensus.builders import CrashableDatabase, make_genesis
from tests.consensus.processes import Follower
from tests.node.test_peer_links import Wire

ME, NEAR, FAR = (ValidatorIndex(index) for index in range(3))
KEYS = [bytes((i + 1,)) * 32 for i in range(3)]
CUT_OFF = NetworkFaults(groups=((ME, NEAR), (FAR,)))


class World:
    """Validator 0 of three, started with `faults` in its file."""

    def __init__(self, faults: SetNetworkFaults) -> None:
        links = PeerLinks(ME, asyncio.get_running_loop())
        self.wires = {NEAR: Wire(), FAR: Wire()}
        genesis = make_genesis(3, public_keys=tuple(Ed25519Signer(key).public_key for key in KEYS))
        self.process = ValidatorProcess(ME, genesis, KEYS[0], CrashableDatabase(), links)
        self.service = ValidatorService(self.process, links, faults)
        for peer, wire in self.wires.items():
            links.add(peer, wire)
        self.process.start()

    async def set(self, revision: int, faults: NetworkFaults) -> None:
        await self.service.answer(SetNetworkFaults(revision, faults), rpc())
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def greeted(self, peer: ValidatorIndex) -> int:
        return len(self.wires[peer].sent)


def rpc() -> Peer:
    return Follower()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(SetNetworkFaults(0, WHOLE_NETWORK))
    await world.settle()
    yield world
    await world.process.close()


async def test_a_peer_that_can_be_reached_again_is_greeted_at_once(world: World) -> None:
    await world.set(1, CUT_OFF)
    assert (world.greeted(NEAR), world.greeted(FAR)) == (0, 0)
    await world.set(2, WHOLE_NETWORK)
    assert (world.greeted(NEAR), world.greeted(FAR)) == (0, 1)


async def test_a_message_that_comes_late_undoes_nothing(world: World) -> None:
    await world.set(2, CUT_OFF)
    await world.set(1, WHOLE_NETWORK)
    world.process.peer_connected(FAR)
    await world.settle()
    assert world.greeted(FAR) == 0


async def test_a_validator_that_starts_has_the_faults_of_the_file_before_it_says_anything() -> None:
    world = World(SetNetworkFaults(3, CUT_OFF))
    for peer in (NEAR, FAR):
        world.process.peer_connected(peer)
    await world.settle()
    assert (world.greeted(NEAR), world.greeted(FAR)) == (1, 0)
    await world.process.close()


async def test_all_else_is_the_replica_s(world: World) -> None:
    follower = Follower()
    await world.service.answer(FollowConsensus(), follower)
    assert (await follower.next()).validator == ME
