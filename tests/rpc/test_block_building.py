"""testing_buildBlockV1: what a reader is asked, and what is refused before. Results: tests/conformance."""

from typing import Any

import pytest

from chain.messages.simulation import CallInBlock, Simulated, SimulatedBlock, SimulationFailed
from chain.types import Gas
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, GENESIS_TIME, GWEI, FakeChain, transfer
from tests.rpc.test_blobs import ONE

ATTRIBUTES = {"timestamp": hex(GENESIS_TIME + 5), "prevRandao": word_json(7), "suggestedFeeRecipient": data_json(BOB)}


async def built(client: Client, chain: FakeChain, *params: Any) -> Any:
    return await client.ask("testing_buildBlockV1", data_json(chain.head.hash), *params)


async def test_the_transactions_stand_in_the_block_as_they_were_signed(client: Client, chain: FakeChain) -> None:
    done = CallInBlock(0, Gas(21_000), b"", "", Gas(21_000), Gas(21_000), ())
    chain.callers.simulated = Simulated(0, (SimulatedBlock(chain.head.header, (done,)),))
    answer = (await built(client, chain, ATTRIBUTES, [data_json(transfer(0).raw)], "0x6869"))["result"]
    assert answer["executionPayload"]["transactions"] == [data_json(transfer(0).raw)]
    assert answer["blockValue"] == hex(21_000 * GWEI)
    (request,) = chain.callers.simulations
    (block,) = request.blocks
    assert request.validates
    assert (block.extra_data, block.environment.beneficiary) == (b"hi", BOB)
    assert block.environment.gas_limit == 30_000_000 + 30_000_000 // 1024 - 1
    (call,) = block.calls
    assert (call.message.sender, call.nonce, call.raw) == (ALICE, 0, transfer(0).raw)


async def test_without_a_list_the_pools_transactions_are_taken(client: Client, chain: FakeChain) -> None:
    chain.callers.simulated = SimulationFailed(0, -32000, "enough seen")
    await client.result("eth_sendRawTransaction", data_json(transfer(0).raw))
    answer = await built(client, chain, ATTRIBUTES, None)
    assert answer["error"] == {"code": -32000, "message": "enough seen"}
    (request,) = chain.callers.simulations
    assert [call.raw for call in request.blocks[0].calls] == [transfer(0).raw]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([{"timestamp": "0x1"}, []], f"invalid timestamp: 1 is not above the parent's {GENESIS_TIME}"),
        ([ATTRIBUTES, ["0xc0"]], "invalid transaction: rlp: too few elements for types.LegacyTx"),
        ([ATTRIBUTES, [data_json(ONE.raw)]], "blocks with blob transactions are not built: their blobs are not kept"),
    ],
)
async def test_what_makes_no_block_is_refused(client: Client, chain: FakeChain, params: list[Any], words: str) -> None:
    answer = await built(client, chain, *params)
    assert answer["error"] == {"code": -32602, "message": words}


async def test_a_parent_that_is_not_here_is_refused(client: Client) -> None:
    words = f"unknown parent block {word_json(1)}"
    assert await client.error("testing_buildBlockV1", word_json(1), ATTRIBUTES, []) == (-32602, words)
