"""What wallets are told about fees."""

from dataclasses import replace
from typing import Any

import pytest

from chain.fees import next_base_fee
from chain.messages.simulation import CallInBlock, Simulated, SimulatedBlock
from chain.types import BlockNumber, Gas, Wei
from rpc.fees import tips_at
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import GWEI, KEYS, FakeChain, transfer


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0), transfer(0, KEYS[1]))
    chain.append()
    return chain


async def test_the_suggested_price_covers_the_next_block(client: Client, chain: FakeChain) -> None:
    coming = next_base_fee(chain.head.header)
    assert await client.result("eth_gasPrice") == hex(coming + GWEI)
    assert await client.result("eth_maxPriorityFeePerGas") == hex(GWEI)
    assert await client.result("eth_baseFee") == hex(coming)
    assert await client.result("eth_blobBaseFee") == "0x1"


async def test_the_history_has_one_base_fee_more_than_blocks(client: Client, chain: FakeChain) -> None:
    history = await client.result("eth_feeHistory", 2, "latest", [0, 50, 100])
    fees = [block.header.base_fee or 0 for block in chain.blocks[1:]]
    assert history["oldestBlock"] == "0x1"
    assert history["baseFeePerGas"] == [hex(fee) for fee in (*fees, next_base_fee(chain.head.header))]
    assert history["gasUsedRatio"] == [42_000 / 30_000_000, 0]
    assert history["reward"] == [[hex(GWEI)] * 3, ["0x0"] * 3]


async def test_the_history_ends_at_genesis(client: Client) -> None:
    history = await client.result("eth_feeHistory", "0x400", "latest")
    assert history["oldestBlock"] == "0x0"
    assert len(history["gasUsedRatio"]) == 3
    assert "reward" not in history


async def test_the_pending_block_is_the_newest_of_a_history_that_names_it(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    """As geth has it; anvil answers that of the newest block."""
    coming = next_base_fee(chain.head.header)
    empty = await client.result("eth_feeHistory", 2, "pending", [50])
    assert (empty["oldestBlock"], empty["gasUsedRatio"], empty["reward"]) == ("0x2", [0, 0], [["0x0"]] * 2)
    assert empty["baseFeePerGas"][1] == hex(coming)
    await process.node.admission.submit(transfer(1).raw)
    header = replace(chain.head.header, number=BlockNumber(3), gas_used=Gas(30_000_000), base_fee=coming)
    call = CallInBlock(0, Gas(21_000), b"", "", Gas(21_000), Gas(21_000), ())
    chain.callers.simulated = Simulated(0, (SimulatedBlock(header, (call,)),))
    history = await client.result("eth_feeHistory", "0x400", "pending", [50])
    assert history["oldestBlock"] == "0x0"
    assert history["gasUsedRatio"][2:] == [0, 1]
    assert history["baseFeePerGas"][3:] == [hex(coming), hex(next_base_fee(header))]
    assert history["reward"][3] == [hex(GWEI)]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([1, "0x9"], (-32000, "request beyond head block: requested 9, head 2")),
        ([1, "latest", [101]], (-32000, "invalid reward percentile: 101.000000")),
        ([1, "latest", [50, 10]], (-32000, "invalid reward percentile: #0:50.000000 >= #1:10.000000")),
        ([1, "latest", list(range(101))], (-32000, "invalid reward percentile: over the query limit 100")),
    ],
)
async def test_a_history_nobody_can_give_is_refused(
    client: Client, params: list[Any], expected: tuple[int, str]
) -> None:
    assert await client.error("eth_feeHistory", *params) == expected


def test_rewards_are_weighted_by_gas() -> None:
    tips = [(Wei(1), 10), (Wei(2), 80), (Wei(9), 10)]
    assert tips_at(tips, [0, 10, 11, 50, 90, 91, 100]) == [1, 1, 2, 2, 2, 9, 9]
