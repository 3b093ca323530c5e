"""Every method's result has the shape that ethereum/execution-apis gives it."""

import json
from pathlib import Path
from typing import Any

import pytest

from chain.messages.calls import CallOutcome
from chain.receipts import Log
from chain.transactions import (
    ACCESS_LIST,
    LEGACY,
    SET_CODE,
    AccessListEntry,
    Authorization,
    Transaction,
    TransactionType,
)
from chain.types import Gas, Hash32, Wei
from rpc.methods import METHODS
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, CHAIN_ID, GWEI, KEYS, TOKEN, FakeChain, transfer
from tests.rpc.json_schema import problems

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "openrpc_results.json").read_text())
TOPIC = Hash32(b"\x11" * 32)
ALICE_JSON = data_json(ALICE)


def of_type(kind: TransactionType, nonce: int, **members: Any) -> Transaction:
    """A signed transaction of any type, from Bob."""
    chain_id = members.pop("chain_id", CHAIN_ID)
    fields: dict[str, Any] = {"max_fee": Wei(2 * GWEI), "max_priority_fee": Wei(2 * GWEI), "data": b""} | members
    return Transaction(
        type=kind,
        chain_id=chain_id,
        nonce=nonce,
        gas=Gas(50_000),
        to=ALICE,
        value=Wei(1),
        **fields,
    ).signed_with(KEYS[1])


AUTHORIZATION = Authorization(CHAIN_ID, TOKEN, 0, 0, 1, 1)
TRANSACTIONS = (
    transfer(0),
    of_type(LEGACY, 0),
    of_type(LEGACY, 1, chain_id=None),
    of_type(ACCESS_LIST, 2, access_list=(AccessListEntry(TOKEN, (0, 2**255)),)),
    of_type(SET_CODE, 3, authorizations=(AUTHORIZATION,)),
)


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(*TRANSACTIONS, logs=[Log(TOKEN, (TOPIC,), b"\x01")])
    chain.append()
    return chain


def requests_of(chain: FakeChain) -> list[tuple[str, list[Any]]]:
    block = chain.blocks[1]
    block_hash = data_json(block.hash)
    call = {"from": ALICE_JSON, "to": data_json(TOKEN), "input": "0x01"}
    by_hash = [[data_json(transaction.hash)] for transaction in TRANSACTIONS]
    return [
        ("eth_accounts", []),
        ("eth_baseFee", []),
        ("eth_blobBaseFee", []),
        ("eth_blockNumber", []),
        ("eth_call", [call, "latest"]),
        ("eth_chainId", []),
        ("eth_estimateGas", [call]),
        ("eth_feeHistory", ["0x2", "latest", [10, 50]]),
        ("eth_gasPrice", []),
        ("eth_getBalance", [ALICE_JSON, "latest"]),
        ("eth_getBlockByHash", [block_hash, True]),
        ("eth_getBlockByNumber", ["0x1", False]),
        ("eth_getBlockByNumber", ["0x1", True]),
        ("eth_getBlockByNumber", ["0x99", True]),
        ("eth_getBlockReceipts", ["0x1"]),
        ("eth_getBlockTransactionCountByHash", [block_hash]),
        ("eth_getBlockTransactionCountByNumber", ["0x1"]),
        ("eth_getCode", [data_json(TOKEN), "latest"]),
        ("eth_getLogs", [{"fromBlock": "0x0", "toBlock": "latest"}]),
        ("eth_getProof", [data_json(TOKEN), ["0x0", "0x" + "0" * 64], "latest"]),
        ("eth_getStorageAt", [data_json(TOKEN), "0x0", "latest"]),
        ("eth_getTransactionByBlockHashAndIndex", [block_hash, "0x0"]),
        ("eth_getTransactionByBlockNumberAndIndex", ["0x1", "0x1"]),
        *(("eth_getTransactionByHash", params) for params in by_hash),
        *(("eth_getTransactionReceipt", params) for params in by_hash),
        ("debug_getBadBlocks", []),
        ("debug_getRawBlock", ["0x1"]),
        ("debug_getRawHeader", [block_hash]),
        ("debug_getRawReceipts", ["0x1"]),
        *(("debug_getRawTransaction", params) for params in by_hash),
        ("eth_capabilities", []),
        ("eth_coinbase", []),
        ("eth_config", []),
        ("eth_getStorageValues", [{data_json(TOKEN): [data_json(TOPIC), data_json(TOPIC)]}]),
        ("eth_getTransactionCount", [ALICE_JSON, "latest"]),
        ("eth_maxPriorityFeePerGas", []),
        ("eth_syncing", []),
        ("net_version", []),
        ("txpool_content", []),
        ("txpool_contentFrom", [ALICE_JSON]),
        ("txpool_status", []),
    ]


WRITING = {"eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "eth_signTransaction", "eth_fillTransaction"}
TRACES = {
    "debug_traceTransaction",
    "debug_traceBlockByNumber",
    "debug_traceBlockByHash",
    "eth_createAccessList",
    "eth_simulateV1",
}
"""Readers make these: tests/e2e/test_calls_and_traces.py."""
FILTERS = {method for method in METHODS if "Filter" in method}


async def test_every_result_has_the_shape_the_specification_gives_it(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    await process.node.admission.submit(transfer(1).raw)
    chain.callers.outcome = CallOutcome(b"\x2a", "", Gas(21_000))
    for method, params in requests_of(chain):
        result = await client.result(method, *params)
        assert problems(result, SCHEMAS[method]) == [], f"{method}{params}"


async def test_a_mined_and_a_pending_transaction_have_the_specified_members(
    process: RpcProcess, client: Client
) -> None:
    pending = transfer(1)
    await process.node.admission.submit(pending.raw)
    shown = await client.result("eth_getTransactionByHash", data_json(pending.hash))
    assert shown["blockHash"] is None
    assert shown["blockTimestamp"] is None
    assert shown["gasPrice"] == hex(3 * GWEI)
    mined = await client.result("eth_getTransactionByHash", data_json(TRANSACTIONS[0].hash))
    assert mined["gasPrice"] == hex(GWEI + GWEI * 7 // 8)
    assert mined["from"] == ALICE_JSON
    assert mined["to"] == data_json(BOB)


def test_every_specified_method_is_checked(chain: FakeChain) -> None:
    checked = {method for method, _ in requests_of(chain)}
    assert set(SCHEMAS) - checked <= WRITING | FILTERS | TRACES


def test_the_schema_checker_sees_what_is_wrong() -> None:
    schema = SCHEMAS["eth_getTransactionReceipt"]
    good = json.loads((Path(__file__).parent / "recorded_chain.json").read_text())["receipts"][0]["result"]
    assert problems(good, schema) == []
    assert problems(good | {"gasUsed": 21000}, schema)
    assert problems(good | {"blockTimestamp": "0x1"}, schema)
    assert problems({k: v for k, v in good.items() if k != "logsBloom"}, schema)
    assert problems(good | {"blockNumber": "0x01"}, schema)
