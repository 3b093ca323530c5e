"""eth_simulateV1: what a reader is asked, and how its blocks are shown."""

from dataclasses import replace
from typing import Any

import pytest

from chain.messages.simulation import CallInBlock, Simulated, SimulatedBlock, SimulationFailed
from chain.receipts import Log
from chain.types import Gas
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, GAS_LIMIT, GENESIS_TIME, TOKEN, FakeChain

CALL = {"from": data_json(ALICE), "to": data_json(BOB), "value": "0x1"}


def answering(chain: FakeChain, *calls: CallInBlock) -> None:
    chain.callers.simulated = Simulated(0, (SimulatedBlock(chain.head.header, calls),))


async def test_blocks_get_the_numbers_times_and_places_that_nobody_gave_them(client: Client, chain: FakeChain) -> None:
    chain.callers.simulated = SimulationFailed(0, -32000, "enough seen")
    wanted = [{}, {"blockOverrides": {"number": "0x4", "feeRecipient": data_json(BOB)}}, {"calls": [CALL]}]
    await client.error("eth_simulateV1", {"blockStateCalls": wanted, "validation": True}, "latest")
    (request,) = chain.callers.simulations
    environments = [block.environment for block in request.blocks]
    assert [each.number for each in environments] == [1, 2, 3, 4, 5]
    assert [each.timestamp for each in environments] == [GENESIS_TIME + 12 * n for n in (1, 2, 3, 4, 5)]
    assert environments[-1].beneficiary == BOB, "the block before says whom a block pays"
    assert environments[-1].gas_limit == GAS_LIMIT
    assert (request.version, request.validates, request.traces_transfers) == (chain.head.version, True, False)


async def test_a_block_is_shown_with_its_calls_and_on_request_with_its_transactions(
    client: Client, chain: FakeChain
) -> None:
    done = CallInBlock(5, Gas(50_000), b"\x2a", "", Gas(21_000), Gas(21_500), ((3, Log(TOKEN, (), b"\x01")),))
    answering(chain, done)
    wanted = {"blockStateCalls": [{"calls": [CALL]}], "returnFullTransactions": True}
    (shown,) = await client.result("eth_simulateV1", wanted)
    assert shown["hash"] == data_json(chain.head.hash)
    (transaction,) = shown["transactions"]
    assert (transaction["from"], transaction["nonce"], transaction["gas"]) == (data_json(ALICE), "0x5", hex(50_000))
    (call,) = shown["calls"]
    assert (call["returnData"], call["gasUsed"], call["maxUsedGas"], call["status"]) == (
        "0x2a",
        "0x5208",
        "0x53fc",
        "0x1",
    )
    assert (call["logs"][0]["logIndex"], call["logs"][0]["transactionHash"]) == ("0x3", transaction["hash"])
    answering(chain, replace(done, error="out of gas", logs=()))
    (shown,) = await client.result("eth_simulateV1", {"blockStateCalls": [{"calls": [CALL]}]})
    assert shown["transactions"] == [transaction["hash"]]
    assert shown["calls"][0]["error"] == {"code": -32015, "message": "out of gas"}
    assert shown["calls"][0]["returnData"] == "0x"


@pytest.mark.parametrize(
    ("blocks", "error"),
    [
        ([], (-32602, "empty input")),
        ([{}] * 257, (-38026, "too many blocks")),
        ([{"blockOverrides": {"number": "0x102"}}], (-38026, "too many blocks")),
        ([{"calls": [{}] * 5001}], (-38026, "too many calls in block: 5001 > 5000")),
        ([{"blockOverrides": {"number": "0x0"}}], (-38020, "block numbers must be in order: 0 <= 0")),
        (
            [{"blockOverrides": {"time": "0x1"}}],
            (-38021, f"block timestamps must be in order: 1 <= {GENESIS_TIME}"),
        ),
        (
            [{"calls": [{"gasPrice": "0x1", "maxFeePerGas": "0x1"}]}],
            (-32000, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"),
        ),
    ],
)
async def test_what_cannot_be_simulated_is_refused(client: Client, blocks: list[Any], error: tuple[int, str]) -> None:
    assert await client.error("eth_simulateV1", {"blockStateCalls": blocks}) == error


async def test_what_the_reader_refuses_keeps_its_code(client: Client, chain: FakeChain) -> None:
    chain.callers.simulated = SimulationFailed(0, -38014, "err: insufficient funds")
    assert await client.error("eth_simulateV1", {"blockStateCalls": [{}]}) == (-38014, "err: insufficient funds")
