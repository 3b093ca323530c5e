"""eth_subscribe("tandemBlocks"): validators are asked while someone listens, and every block's life is told whole."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from chain.messages.watching import BlockStage, BlockStages, StageReached, WatchBlocks
from chain.types import Hash32, Height, Round, ValidatorIndex
from rpc.block_states import STATES
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.conftest import open_process
from tests.rpc.fake_chain import FakeChain, transfer
from tests.rpc.fake_neighbours import consensus_news
from tests.rpc.test_subscriptions import Socket, extend

P, C, K, V, A = BlockStage


def told(number: int, *stages: BlockStage, attempt: int = 0) -> BlockStages:
    id = Hash32(bytes([number, attempt]) * 16)
    round = Round(number + attempt)
    return BlockStages(
        tuple(
            StageReached(Height(number), id, round, ValidatorIndex(2), stage, 1_000_000 * number + 100 * stage)
            for stage in stages
        )
    )


async def say(chain: FakeChain, number: int, *stages: BlockStage, by: tuple[int, ...] = (0, 1)) -> None:
    for validator in by:
        await chain.validator(validator).tell(told(number, *stages))


def watched(chain: FakeChain, validator: int = 0) -> list[Any]:
    """What the validator was asked, of watching."""
    return [m for m in chain.validator(validator).asked if isinstance(m, WatchBlocks)]


async def settle() -> None:
    """Tasks that rpc started have asked what they ask."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def socket(process: RpcProcess) -> Socket:
    return Socket(process)


def states(news: list[Any]) -> list[tuple[int, str]]:
    return [(event["number"], event["state"]) for event in news]


async def test_a_blocks_life_is_told_with_what_is_known_of_it(socket: Socket, chain: FakeChain) -> None:
    blocks = await socket.subscribe("tandemBlocks")
    await say(chain, 1, P, C, K)
    await extend(chain, transfer(0), transfer(1))
    await say(chain, 1, V)
    await settle()
    news = socket.news(blocks)
    assert states(news) == [(1, state) for state in STATES]
    assert news[0] == {
        "number": 1,
        "state": "proposed",
        "proposal": "0x" + "0100" * 16,
        "round": 1,
        "leader": 2,
        "timestamp": 1_000_100,
    }
    result = {"hash": data_json(chain.head.hash), "transactions": 2, "gasUsed": 42_000, "blocks": 1}
    for event in news[3:]:
        assert {name: event[name] for name in result} == result
        assert event["sinceProposedMs"] == event["timestamp"] - news[0]["timestamp"]


async def test_validators_are_asked_from_the_first_listener_to_the_last(socket: Socket, chain: FakeChain) -> None:
    assert watched(chain) == []
    first, second = await socket.subscribe("tandemBlocks"), await socket.subscribe("tandemBlocks")
    await settle()
    assert watched(chain) == [WatchBlocks(Height(0))]
    await socket.ask("eth_unsubscribe", first)
    await settle()
    assert len(watched(chain)) == 1
    await socket.ask("eth_unsubscribe", second)
    await settle()
    assert watched(chain) == [WatchBlocks(Height(0)), WatchBlocks(None)]


@pytest.mark.parametrize("gone", ["closed", "too slow"])
async def test_a_listener_that_is_gone_ends_the_asking(
    socket: Socket, chain: FakeChain, process: RpcProcess, gone: str
) -> None:
    await socket.subscribe("tandemBlocks")
    await settle()
    if gone == "closed":
        process.node.subscriptions.forget(socket)
    else:
        socket.takes = False
        await say(chain, 1, P, C, K)
    await settle()
    assert watched(chain)[-1] == WatchBlocks(None)
    await say(chain, 2, P)


async def test_one_who_comes_later_hears_of_the_blocks_in_flight_once(socket: Socket, chain: FakeChain) -> None:
    first = await socket.subscribe("tandemBlocks")
    await say(chain, 1, P, C)
    second = await socket.subscribe("tandemBlocks")
    await settle()
    await say(chain, 1, K)
    assert socket.news(first) == socket.news(second)
    assert states(socket.news(second)) == [(1, "proposed"), (1, "certified"), (1, "committed")]


async def test_a_block_executed_before_anyone_listened_is_looked_up(socket: Socket, chain: FakeChain) -> None:
    await extend(chain, transfer(0))
    blocks = await socket.subscribe("tandemBlocks")
    await say(chain, 1, P, C, K)
    await settle()
    assert states(socket.news(blocks))[-1] == (1, "executed")
    assert socket.news(blocks)[-1]["hash"] == data_json(chain.head.hash)


async def test_a_validator_that_comes_back_tells_from_the_newest_finished_block_on(
    socket: Socket, chain: FakeChain, process: RpcProcess
) -> None:
    blocks = await socket.subscribe("tandemBlocks")
    await extend(chain, transfer(0))
    await say(chain, 1, V)
    await settle()
    assert states(socket.news(blocks)) == [(1, state) for state in STATES]
    process._joining(ValidatorIndex(3))()
    await settle()
    assert watched(chain, 3)[-1] == WatchBlocks(Height(1))
    await say(chain, 1, V, by=(3,))
    assert len(socket.news(blocks)) == len(STATES), "what it says of finished blocks is no news"


async def test_a_replaced_proposal_is_told_as_abandoned(socket: Socket, chain: FakeChain) -> None:
    blocks = await socket.subscribe("tandemBlocks")
    await chain.validator(2).tell(told(1, P, attempt=1))
    await say(chain, 1, P, C, K)
    await settle()
    assert [(e["state"], e["round"]) for e in socket.news(blocks)] == [
        ("proposed", 2),
        ("proposed", 1),
        ("certified", 1),
        ("committed", 1),
        ("abandoned", 2),
    ]


async def test_with_several_executors_a_result_is_told_when_they_agree_on_it(chain: FakeChain) -> None:
    async with open_process(chain, executors=2) as process:
        socket = Socket(process)
        blocks = await socket.subscribe("tandemBlocks")
        await say(chain, 1, P, C, K, V)
        await extend(chain, transfer(0))
        await settle()
        assert states(socket.news(blocks)) == [(1, state) for state in STATES[:3]], "one of them has computed it"
        wrong = Hash32(b"w" * 32)
        for hash, told_now in ((wrong, STATES[:3]), (chain.head.hash, STATES)):
            for validator in (0, 1):
                news = consensus_news(validator, verified=0)
                await chain.validator(validator).tell(replace(news, executed=Height(1), executed_hash=hash))
            await settle()
            assert states(socket.news(blocks)) == [(1, state) for state in told_now]
