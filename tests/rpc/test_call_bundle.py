"""eth_callBundle, over a chain whose readers answer with a given trace: what it asks for, refuses, and adds up."""

from typing import Any

import orjson
import pytest

from chain.keccak import keccak256
from tests.rpc.client import Client
from tests.rpc.fake_chain import BOB, FakeChain, transfer

PAYS = "0x" + BOB.hex()
SIGNED = [transfer(nonce) for nonce in (0, 1)]
TXS = ["0x" + transaction.raw.hex() for transaction in SIGNED]


def traced(gas_used: int, before: int | None, after: int | None, **call: str) -> bytes:
    """What the tracers tell of a run after which whom the block pays has so much; None where that did not change."""
    pre, post = ({} if wei is None else {PAYS: {"balance": hex(wei)}} for wei in (before, after))
    told = {"callTracer": {"gasUsed": hex(gas_used), **call}, "prestateTracer": {"pre": pre, "post": post}}
    return orjson.dumps(told)


def wanted(**members: Any) -> dict[str, Any]:
    return {"txs": TXS, "blockNumber": "0x64", "stateBlockNumber": "latest", "coinbase": PAYS} | members


async def test_what_transactions_pay_is_added_up(client: Client, chain: FakeChain) -> None:
    chain.callers.run_trace = traced(21_000, None, 21_000 * 10**9 + 5, output="0x07")
    told = await client.result("eth_callBundle", wanted())
    first, second = told["results"]
    assert first == {
        "coinbaseDiff": "21000000000005",
        "ethSentToCoinbase": "5",
        "gasFees": "21000000000000",
        "fromAddress": first["fromAddress"],
        "gasPrice": "1000000000",
        "gasUsed": 21_000,
        "toAddress": first["toAddress"],
        "txHash": "0x" + SIGNED[0].hash.hex(),
        "value": "0x07",
    }
    assert first["toAddress"].lower() == PAYS
    assert first["fromAddress"].lower() == "0x" + SIGNED[0].sender().hex()
    assert second == first | {"txHash": "0x" + SIGNED[1].hash.hex()}
    assert told == {
        "bundleGasPrice": str((21_000 * 10**9 + 5) // 21_000),
        "bundleHash": "0x" + keccak256(SIGNED[0].hash + SIGNED[1].hash).hex(),
        "coinbaseDiff": "42000000000010",
        "ethSentToCoinbase": "10",
        "gasFees": "42000000000000",
        "results": [first, second],
        "stateBlockNumber": chain.head.header.number,
        "totalGasUsed": 42_000,
    }


async def test_what_failed_has_its_revert_in_place_of_a_value(client: Client, chain: FakeChain) -> None:
    chain.callers.run_trace = traced(30_000, 9, 4, error="execution reverted", output="0x08c379a0")
    told = await client.result("eth_callBundle", wanted())
    (first, _) = told["results"]
    assert first["revert"] == "0x08c379a0"
    assert "value" not in first
    assert (first["coinbaseDiff"], first["ethSentToCoinbase"]) == ("0", "0"), "it took something"
    assert (told["coinbaseDiff"], told["ethSentToCoinbase"], told["bundleGasPrice"]) == ("0", "0", "0")


async def test_the_bundle_has_a_block_of_its_own_on_the_state_after_another(client: Client, chain: FakeChain) -> None:
    chain.callers.run_trace = traced(21_000, None, None)
    await client.result("eth_callBundle", wanted())
    given = {"timestamp": 2**33, "gasLimit": "0x7a1200", "baseFee": "0x3b9aca00", "timeout": 100, "difficulty": 0}
    await client.result("eth_callBundle", wanted(**given))
    plain, changed = chain.callers.runs
    head = chain.head
    assert [tx.raw for tx in plain.transactions] == [transaction.raw for transaction in SIGNED]
    assert (plain.base, plain.begins_block, plain.first_traced, plain.time_limit_ms) == (head.version, False, 0, 5_000)
    environment = plain.environment
    assert (environment.number, environment.timestamp) == (100, head.header.timestamp + 12)
    assert (environment.beneficiary, environment.base_fee) == (BOB, head.header.base_fee)
    environment = changed.environment
    assert (environment.timestamp, environment.gas_limit, environment.base_fee) == (2**33, 8_000_000, 10**9)
    assert changed.time_limit_ms == 100


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"txs": []}, -32602, "bundle missing txs"),
        ({"txs": None}, -32602, "bundle missing txs"),
        ({"blockNumber": None}, -32602, "bundle missing blockNumber"),
        ({"blockNumber": 0}, -32602, "bundle missing blockNumber"),
        ({"stateBlockNumber": "pending"}, -32602, "stateBlockNumber names a block that there is"),
        ({"stateBlockNumber": "0x999"}, -32000, "block #2457 not found"),
        ({"txs": ["0x"] * 257}, -32005, "more than 256 transactions"),
        ({"txs": ["0x05"]}, -32000, "typed transaction too short"),
        ({"gasLimit": 20_999}, -32000, "exceeds block gas limit"),
    ],
)
async def test_what_cannot_be_a_bundle_is_refused(client: Client, members: Any, code: int, words: str) -> None:
    found, said = await client.error("eth_callBundle", wanted(**members))
    assert found == code
    assert words in said
