"""tandem_consensus and its subscription: one picture from what all validators say, asked for only when needed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chain.messages.mempool import Rejection
from chain.messages.watching import ConsensusView, ReadConsensus, SeenCertificate
from chain.types import Height, Round, ValidatorIndex
from rpc.consensus import SHOWN_CERTIFICATES, merged
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import FakeChain
from tests.rpc.fake_neighbours import consensus_news
from tests.rpc.test_subscriptions import Socket

DEADLINE_S = 60.0


def seen(round: int, *signers: int, timeout: bool = False, number: int | None = 1) -> SeenCertificate:
    block = None if timeout or number is None else Height(number)
    return SeenCertificate(Round(round), timeout, block, tuple(map(ValidatorIndex, signers)))


def questions(chain: FakeChain) -> int:
    return sum(isinstance(m, ReadConsensus) for link in chain.validators.values() for m in link.asked)


@pytest.fixture
def socket(process: RpcProcess) -> Socket:
    return Socket(process)


async def until_news(socket: Socket, subscription: str, count: int) -> list[Any]:
    async with asyncio.timeout(DEADLINE_S):
        while len(socket.news(subscription)) < count:
            socket.arrived.clear()
            await socket.arrived.wait()
    return socket.news(subscription)


async def test_the_picture_is_put_together_from_all_validators(client: Client, chain: FakeChain) -> None:
    chain.consensus_view = ConsensusView((seen(7, 0, 1, 2), seen(8, 1, 2, 3, timeout=True)), (ValidatorIndex(0),))
    caught = (Rejection(3, "Equivocation", 2), Rejection(1, "WrongSignature", 1))
    await chain.validator(0).tell(replace(consensus_news(0, verified=5), rejections=caught))
    less = (Rejection(3, "Equivocation", 1),)
    await chain.validator(1).tell(replace(consensus_news(1, verified=2), round=Round(4), rejections=less))
    chain.validator(3).connected = False
    picture = await client.result("tandem_consensus")
    assert (picture["round"], picture["leader"], picture["totalStake"]) == (9, 0, 4)
    assert picture["certificate"] == {"round": 7, "number": 1}
    assert picture["timeoutCertificate"] == {"round": 8, "number": None}
    assert picture["certificates"] == [
        {"round": 8, "kind": "timeouts", "number": None, "signers": [1, 2, 3]},
        {"round": 7, "kind": "votes", "number": 1, "signers": [0, 1, 2]},
    ]
    assert picture["equivocations"] == [{"validator": 3, "times": 2}]
    zero, one, two, three = picture["validators"]
    assert (zero["behind"], one["behind"], zero["suspects"]) == (0, 3, [0])
    assert (two["answers"], "heights" in two) == (True, False)
    assert three == {"index": 3, "stake": 1, "connected": False, "answers": False}


def test_certificates_of_one_round_formed_in_two_places_show_all_who_signed() -> None:
    assert merged([[seen(3, 0, 1, 2, number=None)], [seen(3, 1, 2, 3, number=5)]]) == [seen(3, 0, 1, 2, 3, number=5)]


def test_a_round_may_have_a_certificate_and_a_timeout_certificate() -> None:
    votes, timeouts = seen(3, 0, 1, 2), seen(3, 1, 2, 3, timeout=True)
    assert merged([[votes, timeouts]]) == [timeouts, votes]


def test_no_more_certificates_are_shown_than_the_newest() -> None:
    shown = merged([[seen(round, 0, 1, 2) for round in range(100)]])
    assert [one.round for one in shown] == list(range(99, 99 - SHOWN_CERTIFICATES, -1))


async def test_nobody_asks_the_validators_while_nobody_looks(socket: Socket, chain: FakeChain) -> None:
    for verified in range(3):
        await chain.validator(0).tell(consensus_news(0, verified))
    await asyncio.sleep(0)
    assert questions(chain) == 0


async def test_a_subscriber_is_shown_how_it_stands_and_again_when_it_changed(socket: Socket, chain: FakeChain) -> None:
    await chain.validator(0).tell(consensus_news(0, verified=1))
    pictures = await socket.subscribe("tandemConsensus")
    (first,) = await until_news(socket, pictures, 1)
    assert first["validators"][0]["heights"]["verified"] == 1
    for verified in range(2, 50):
        await chain.validator(0).tell(consensus_news(0, verified))
    second = (await until_news(socket, pictures, 2))[1]
    assert second["validators"][0]["heights"]["verified"] == 49
    assert questions(chain) == 2 * len(chain.validators), "many changes at once are one picture"


async def test_a_subscriber_is_told_of_a_validator_that_is_gone_on_a_chain_at_rest(
    socket: Socket, chain: FakeChain, process: RpcProcess
) -> None:
    pictures = await socket.subscribe("tandemConsensus")
    await until_news(socket, pictures, 1)
    chain.validator(2).connected = False
    process.validator_connection_changed()
    second = (await until_news(socket, pictures, 2))[1]
    assert [one["connected"] for one in second["validators"]] == [True, True, False, True]


async def test_a_subscriber_is_told_of_a_validator_that_was_paused(socket: Socket, chain: FakeChain) -> None:
    pictures = await socket.subscribe("tandemConsensus")
    await until_news(socket, pictures, 1)
    await socket.ask("tandem_pauseValidator", 2)
    await until_news(socket, pictures, 2)


async def test_after_unsubscribing_nothing_is_asked(socket: Socket, chain: FakeChain) -> None:
    pictures = await socket.subscribe("tandemConsensus")
    await until_news(socket, pictures, 1)
    await socket.ask("eth_unsubscribe", pictures)
    asked = questions(chain)
    await chain.validator(0).tell(consensus_news(0, verified=1))
    await asyncio.sleep(0)
    assert questions(chain) == asked
