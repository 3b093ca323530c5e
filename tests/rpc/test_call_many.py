"""eth_callMany, over a chain whose readers answer with a given trace: what it asks for, and what it refuses."""

from typing import Any

import pytest

from tests.rpc.client import Client
from tests.rpc.fake_chain import BOB, FakeChain, transfer

CALL = {"to": "0x" + BOB.hex()}


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0), transfer(1))
    return chain


@pytest.mark.parametrize(
    ("bundles", "what"),
    [
        ([{}] * 257, "bundles"),
        ([{"transactions": [CALL] * 128}] * 2 + [{"transactions": [CALL]}], "calls"),
        ([{"transactions": ["no call"] * 257}], "calls"),
    ],
)
async def test_what_is_too_much_is_refused_before_it_is_parsed(client: Client, bundles: list[Any], what: str) -> None:
    assert await client.error("eth_callMany", [*bundles, "no bundle"]) == (-32005, f"more than 256 {what}")


async def test_all_calls_together_have_the_time_of_one(client: Client, chain: FakeChain) -> None:
    bundles = [{"transactions": [CALL] * 3}, {}, {"transactions": [CALL]}]
    assert await client.result("eth_callMany", bundles) == [[{"value": "0x"}] * 3, [], [{"value": "0x"}]]
    (request,) = chain.callers.runs
    assert (len(request.calls), request.time_limit_ms) == (4, 5_000)


async def test_a_part_of_the_pending_block_is_no_state_to_call_on(client: Client) -> None:
    bundles = [{"transactions": [CALL]}]
    error = await client.error("eth_callMany", bundles, {"blockNumber": "pending", "transactionIndex": 1})
    assert error[0] == -32602
    assert "transactionIndex counts the transactions of a stored block: leave it out at pending" in error[1]
    for context in ({"blockNumber": "pending", "transactionIndex": -1}, {"blockNumber": "0x1", "transactionIndex": 1}):
        assert await client.result("eth_callMany", bundles, context) == [[{"value": "0x"}]]
