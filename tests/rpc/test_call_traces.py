"""trace_*, and what Otterscan asks, over a chain whose readers answer with given traces."""

from typing import Any

import orjson
import pytest

from rpc import call_traces
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, FakeChain, transfer

ACTION = {"from": data_json(ALICE), "to": data_json(BOB), "callType": "call", "value": "0x1"}
CALL = {
    "action": ACTION,
    "result": {"gasUsed": "0x0", "output": "0x2a"},
    "subtraces": 1,
    "traceAddress": [],
    "type": "call",
}
INNER = CALL | {"subtraces": 0, "traceAddress": [0], "action": ACTION | {"from": data_json(BOB)}}
NOWHERE = data_json(bytes(32))


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0), transfer(1))
    chain.append()
    chain.callers.run_trace = orjson.dumps([CALL, INNER])
    return chain


def placed(chain: FakeChain, nonce: int) -> list[dict[str, Any]]:
    place = {
        "blockHash": data_json(chain.blocks[1].hash),
        "blockNumber": 1,
        "transactionHash": data_json(transfer(nonce).hash),
        "transactionPosition": nonce,
    }
    return [CALL | place, INNER | place]


async def test_the_calls_of_a_transaction_say_where_they_were(client: Client, chain: FakeChain) -> None:
    traced = data_json(transfer(1).hash)
    assert await client.result("trace_transaction", traced) == placed(chain, 1)
    assert await client.result("trace_get", traced, ["0x0"]) == placed(chain, 1)[1]
    assert await client.result("trace_get", traced, [0, 1]) is None
    assert await client.result("trace_transaction", NOWHERE) == []
    assert chain.callers.runs[0].tracer == "flatCallTracer"


async def test_a_block_has_the_calls_of_all_its_transactions(client: Client, chain: FakeChain) -> None:
    assert await client.result("trace_block", "0x1") == placed(chain, 0) + placed(chain, 1)
    for without in ("0x0", "latest", "0x99"):
        assert await client.result("trace_block", without) == []


async def test_calls_are_filtered_by_block_by_address_and_by_count(client: Client, chain: FakeChain) -> None:
    everywhere = {"fromBlock": "0x0", "toBlock": "latest"}
    of_bob = everywhere | {"fromAddress": [data_json(BOB)]}
    assert await client.result("trace_filter", of_bob) == [placed(chain, 0)[1], placed(chain, 1)[1]]
    assert await client.result("trace_filter", {"fromAddress": [data_json(BOB)]}) == await client.result(
        "trace_filter", of_bob
    )
    assert await client.result("trace_filter", of_bob | {"after": 1, "count": 5}) == [placed(chain, 1)[1]]
    assert await client.result("trace_filter", everywhere | {"toAddress": [data_json(ALICE)]}) == []
    bob_and_alice = of_bob | {"toAddress": [data_json(ALICE)]}
    assert await client.result("trace_filter", bob_and_alice) == []
    assert await client.result("trace_filter", bob_and_alice | {"mode": "union"}) == await client.result(
        "trace_filter", of_bob
    )
    for wrong in ({"fromBlock": "0x2", "toBlock": "0x1"}, {"mode": "xor"}):
        assert (await client.error("trace_filter", wrong))[0] == -32602


async def test_only_blocks_with_transactions_count_against_what_a_filter_may_run_again(
    client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        chain.append()
        await chain.execution.tell(chain.news())
    monkeypatch.setattr(call_traces, "MAX_TRACED_BLOCKS", 1)
    of_bob = {"fromAddress": [data_json(BOB)]}
    assert await client.result("trace_filter", of_bob) == [placed(chain, 0)[1], placed(chain, 1)[1]]
    monkeypatch.setattr(call_traces, "MAX_TRACED_BLOCKS", 0)
    words = "more than 0 blocks of the range have transactions"
    assert await client.error("trace_filter", of_bob) == (-32005, words)
    monkeypatch.setattr(call_traces, "MAX_BLOCKS", 2)
    assert await client.error("trace_filter", of_bob) == (-32005, "the range has more than 2 blocks")


async def test_a_transaction_is_found_by_its_sender_and_nonce(client: Client, chain: FakeChain) -> None:
    found = await client.result("eth_getTransactionBySenderAndNonce", data_json(ALICE), "0x1")
    assert found == await client.result("eth_getTransactionByHash", data_json(transfer(1).hash))
    hashed = await client.result("ots_getTransactionBySenderAndNonce", data_json(ALICE), 0)
    assert hashed == data_json(transfer(0).hash)
    assert await client.result("eth_getTransactionBySenderAndNonce", data_json(ALICE), "0x2") is None


async def test_otterscan_is_told_of_blocks_contracts_and_inner_operations(client: Client, chain: FakeChain) -> None:
    details = await client.result("ots_getBlockDetails", "0x1")
    assert details["block"]["transactionCount"] == 2
    assert details == await client.result("ots_getBlockDetailsByHash", data_json(chain.blocks[1].hash))
    assert await client.error("ots_getBlockDetails", "0x99") == (-32001, "Resource not found")
    assert await client.result("ots_getApiLevel") == 8
    assert await client.result("ots_hasCode", data_json(ALICE)) is False
    assert await client.result("ots_hasCode", data_json(ALICE), 1) is False
    (inner,) = await client.result("ots_getInternalOperations", data_json(transfer(0).hash))
    assert inner == {"type": 0, "from": data_json(BOB), "to": data_json(BOB), "value": "0x1"}
    assert await client.result("ots_getContractCreator", data_json(ALICE)) is None


async def test_an_account_is_shown_as_the_trie_has_it_and_with_its_code(client: Client, chain: FakeChain) -> None:
    shown = await client.result("eth_getAccount", data_json(ALICE), "latest")
    proof = await client.result("eth_getProof", data_json(ALICE), [], "latest")
    assert (shown["nonce"], shown["balance"]) == ("0x2", proof["balance"])
    info = await client.result("eth_getAccountInfo", data_json(ALICE), "latest")
    assert info == {"balance": proof["balance"], "nonce": "0x2", "code": "0x"}


async def test_what_test_suites_set_in_passing_is_taken_or_refused_with_a_reason(client: Client) -> None:
    for method in ("anvil_setMinGasPrice", "hardhat_setMinGasPrice"):
        refusal = await client.error(method, "0x1")
        assert refusal == (-32602, f"{method} is not supported when EIP-1559 is active")
    chain_id = await client.result("eth_chainId")
    assert int(await client.result("eth_networkId")) == int(chain_id, 16)
    assert (await client.result("anvil_metadata"))["chainId"] == int(chain_id, 16)
    assert isinstance(await client.result("anvil_getGenesisTime"), int)
