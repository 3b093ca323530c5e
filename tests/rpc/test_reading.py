"""Reads of blocks, state, transactions and logs, at every way of naming a block."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.messages.mempool import Rejection
from chain.receipts import Log
from chain.signing import SECP256K1_ORDER
from chain.transactions import decode_transaction
from chain.types import Hash32
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, ETHER, GENESIS_TIME, TOKEN, TOKEN_CODE, FakeChain, transfer
from tests.rpc.fake_neighbours import consensus_news

TOPIC, OTHER_TOPIC = Hash32(b"\x11" * 32), Hash32(b"\x22" * 32)
BOB_JSON, TOKEN_JSON = data_json(BOB), data_json(TOKEN)
NOWHERE = "0x" + "99" * 32


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0, value=ETHER), logs=[Log(TOKEN, (TOPIC,), b"\x01"), Log(BOB, (TOPIC, OTHER_TOPIC), b"")])
    chain.append(transfer(1, value=ETHER), transfer(2, value=ETHER), logs=[Log(TOKEN, (), b"\x02")])
    return chain


def balance(ether: int) -> str:
    return hex(ether * ETHER)


async def test_an_old_block_shows_the_balance_it_had(client: Client, chain: FakeChain) -> None:
    async def bob(*block: Any) -> Any:
        return await client.result("eth_getBalance", BOB_JSON, *block)

    assert await bob() == await bob("latest") == await bob("safe") == await bob("pending") == balance(10_003)
    assert await bob("0x1") == await bob(data_json(chain.blocks[1].hash)) == balance(10_001)
    assert await bob({"blockHash": data_json(chain.blocks[1].hash)}) == balance(10_001)
    assert await bob("earliest") == await bob("finalized") == balance(10_000)


async def test_state_at_a_block_that_does_not_exist_is_an_error(client: Client) -> None:
    assert await client.error("eth_getBalance", BOB_JSON, "0x3") == (-32000, "header not found")
    assert await client.error("eth_getBalance", BOB_JSON, NOWHERE) == (-32000, "header for hash not found")
    assert await client.error("eth_call", {"to": TOKEN_JSON}, "0x3") == (-32000, "header not found")


async def test_blocks_that_do_not_exist_are_null(client: Client) -> None:
    assert await client.result("eth_getBlockByNumber", "0x3", False) is None
    assert await client.result("eth_getBlockByHash", NOWHERE, True) is None
    assert await client.result("eth_getBlockReceipts", "0x3") is None
    assert await client.result("eth_getBlockTransactionCountByNumber", "0x3") is None
    assert await client.result("eth_getUncleCountByBlockNumber", "0x3") is None
    assert await client.result("eth_getTransactionByBlockNumberAndIndex", "0x2", "0x2") is None
    assert await client.result("eth_getTransactionReceipt", NOWHERE) is None
    assert await client.result("eth_getTransactionByHash", NOWHERE) is None


async def test_code_storage_and_nonce_are_read(client: Client) -> None:
    assert await client.result("eth_getCode", TOKEN_JSON) == data_json(TOKEN_CODE)
    assert await client.result("eth_getCode", BOB_JSON) == "0x"
    assert await client.result("eth_getStorageAt", TOKEN_JSON, "0x0", "latest") == "0x" + "0" * 62 + "2a"
    assert await client.result("eth_getStorageAt", TOKEN_JSON, "0x1") == "0x" + "0" * 64
    assert await client.result("eth_getTransactionCount", data_json(ALICE), "0x1") == "0x1"
    assert await client.result("eth_getTransactionCount", data_json(ALICE), "latest") == "0x3"
    key = "0x" + "0" * 65
    words = f'storage key too long (want at most 32 bytes): "{key}"'
    assert await client.error("eth_getStorageAt", TOKEN_JSON, key, "latest") == (-32602, words)


async def test_the_pending_nonce_counts_pooled_transactions(process: RpcProcess, client: Client) -> None:
    await process.node.admission.submit(transfer(3).raw)
    assert await client.result("eth_getTransactionCount", data_json(ALICE), "pending") == "0x4"
    assert await client.result("eth_getTransactionCount", data_json(ALICE), "latest") == "0x3"


async def test_the_pending_block_holds_the_pool_on_top_of_the_head(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    await process.node.admission.submit(transfer(3).raw)
    await process.node.admission.submit(transfer(5).raw)  # waits for number 4
    block = await client.result("eth_getBlockByNumber", "pending", False)
    assert block["number"] == "0x3"
    assert block["hash"] is None
    assert block["parentHash"] == data_json(chain.head.hash)
    assert block["transactions"] == [data_json(transfer(3).hash)]
    assert int(block["timestamp"], 16) > GENESIS_TIME
    assert await client.result("eth_getBlockTransactionCountByNumber", "pending") == "0x1"
    [whole] = (await client.result("eth_getBlockByNumber", "pending", True))["transactions"]
    assert await client.result("eth_getTransactionByBlockNumberAndIndex", "pending", "0x0") == whole
    assert await client.result("eth_getTransactionByBlockNumberAndIndex", "pending", "0x1") is None
    raw = [await client.result("eth_getRawTransactionByBlockNumberAndIndex", "pending", hex(n)) for n in range(2)]
    assert raw == [data_json(transfer(3).raw), None]
    assert await client.result("eth_getBlockReceipts", "pending") is None
    header = await client.result("eth_getHeaderByNumber", "pending")
    assert (header["number"], header["hash"]) == ("0x3", None)
    assert await client.result("txpool_status") == {"pending": "0x1", "queued": "0x1"}
    content = await client.result("txpool_content")
    assert list(content["pending"][checksummed(ALICE)]) == ["3"]
    assert list(content["queued"][checksummed(ALICE)]) == ["5"]
    assert await client.result("txpool_contentFrom", data_json(ALICE)) == {
        stage: senders[checksummed(ALICE)] for stage, senders in content.items()
    }
    inspected = await client.result("txpool_inspect")
    assert inspected["pending"][checksummed(ALICE)]["3"].startswith(f"{checksummed(BOB)}: ")


async def test_a_receipt_counts_gas_and_logs_within_its_block(client: Client, chain: FakeChain) -> None:
    block = chain.blocks[2]
    receipt = await client.result("eth_getTransactionReceipt", data_json(block.hashes[1]))
    assert receipt["cumulativeGasUsed"] == hex(42_000)
    assert receipt["gasUsed"] == hex(21_000)
    assert receipt["transactionIndex"] == "0x1"
    first = await client.result("eth_getTransactionReceipt", data_json(chain.blocks[1].hashes[0]))
    assert [log["logIndex"] for log in first["logs"]] == ["0x0", "0x1"]
    assert await client.result("eth_getBlockReceipts", "0x2") == [
        await client.result("eth_getTransactionReceipt", data_json(hash_)) for hash_ in block.hashes
    ]


async def test_raw_transactions_are_what_was_sent(client: Client, chain: FakeChain) -> None:
    raw = data_json(transfer(1, value=ETHER).raw)
    block_hash = data_json(chain.blocks[2].hash)
    assert await client.result("eth_getRawTransactionByHash", data_json(chain.blocks[2].hashes[0])) == raw
    assert await client.result("eth_getRawTransactionByBlockNumberAndIndex", "0x2", "0x0") == raw
    assert await client.result("eth_getRawTransactionByBlockHashAndIndex", block_hash, "0x0") == raw
    assert await client.result("eth_getRawTransactionByHash", NOWHERE) is None
    assert await client.result("eth_getRawTransactionByBlockNumberAndIndex", "0x2", "0x9") is None


async def test_a_transaction_of_frontier_with_a_high_s_is_shown(client: Client, chain: FakeChain) -> None:
    """It was good before Homestead; who signed is stored with the block."""
    block = chain.blocks[1]
    sent = decode_transaction(block.transactions[0])
    high = replace(sent, s=SECP256K1_ORDER - sent.s, y_parity=1 - sent.y_parity)
    chain.blocks[1] = replace(block, transactions=(high.encode(),))
    shown = await client.result("eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0")
    assert (shown["s"], shown["from"]) == (hex(high.s), data_json(ALICE))
    assert (await client.result("eth_getBlockByNumber", "0x1", True))["transactions"] == [shown]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"fromBlock": "earliest", "toBlock": "latest"}, ["0x01", "0x", "0x02"]),
        ({}, ["0x02"]),
        ({"fromBlock": "0x1", "toBlock": "0x1"}, ["0x01", "0x"]),
        ({"fromBlock": "0x0", "address": TOKEN_JSON}, ["0x01", "0x02"]),
        ({"fromBlock": "0x0", "address": [BOB_JSON, TOKEN_JSON], "topics": [data_json(TOPIC)]}, ["0x01", "0x"]),
        ({"fromBlock": "0x0", "topics": [None, [data_json(OTHER_TOPIC), data_json(TOPIC)]]}, ["0x"]),
    ],
)
async def test_logs_are_found_by_range_address_and_topics(
    client: Client, wanted: dict[str, Any], found: list[str]
) -> None:
    assert [log["data"] for log in await client.result("eth_getLogs", wanted)] == found


async def test_logs_of_one_block_are_found_by_its_hash(client: Client, chain: FakeChain) -> None:
    block_hash = data_json(chain.blocks[1].hash)
    logs = await client.result("eth_getLogs", {"blockHash": block_hash, "topics": [None, data_json(OTHER_TOPIC)]})
    assert [(log["logIndex"], log["blockHash"]) for log in logs] == [("0x1", block_hash)]
    assert await client.error("eth_getLogs", {"blockHash": NOWHERE}) == (-32000, "unknown block")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"fromBlock": "0x1", "toBlock": "0x8"}, "block range extends beyond current head block"),
        ({"fromBlock": "0x2", "toBlock": "0x1"}, "invalid block range params"),
        ({"fromBlock": "0x2", "toBlock": "pending"}, "pending logs are not supported"),
        (
            {"blockHash": NOWHERE, "fromBlock": "0x3"},
            "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
        ),
    ],
)
async def test_log_ranges_that_make_no_sense_are_refused(client: Client, wanted: dict[str, Any], words: str) -> None:
    assert await client.error("eth_getLogs", wanted) == (-32602, words)


async def test_finalized_is_what_more_than_a_third_of_the_stake_has_verified(client: Client, chain: FakeChain) -> None:
    async def finalized() -> Any:
        return (await client.result("eth_getBlockByNumber", "finalized", False))["number"]

    async def say(validator: int, verified: int) -> None:
        news = consensus_news(validator, verified, chain.blocks[verified].hash)
        await chain.validator(validator).tell(news)

    await say(0, verified=2)
    assert await finalized() == "0x0"
    await say(1, verified=1)
    assert await finalized() == "0x1"
    await say(2, verified=2)
    assert await finalized() == "0x2"


async def test_the_status_shows_the_pipeline_and_what_does_not_answer(client: Client, chain: FakeChain) -> None:
    await chain.validator(1).tell(consensus_news(1, verified=1))
    chain.execution.connected = False
    status = await client.result("tandem_status")
    assert status["heights"] == {"proposed": 4, "certified": 3, "committed": 2, "executed": 2, "verified": 0}
    assert status["execution"] is None
    assert status["storage"] == {
        "number": 2,
        "version": 102,
        "oldest": 0,
        "oldestState": 0,
        "diskBytes": 1,
        "counters": {"reads": 1},
        "caches": [],
    }
    assert status["validators"][1]["heights"]["verified"] == 1
    assert status["validators"][0] == {"index": 0, "stake": 1, "state": "running", "connected": True}


async def test_the_status_names_who_sent_what_was_refused(client: Client, chain: FakeChain) -> None:
    refused = (Rejection(-2, "UnprovenPeer", 7), Rejection(-1, "ExecutionConflict", 1), Rejection(3, "Flooded", 9))
    await chain.validator(1).tell(replace(consensus_news(1, verified=1), rejections=refused))
    status = await client.result("tandem_status")
    assert status["validators"][1]["rejections"] == [
        {"peer": "stranger", "reason": "UnprovenPeer", "times": 7},
        {"peer": "self", "reason": "ExecutionConflict", "times": 1},
        {"peer": "validator-3", "reason": "Flooded", "times": 9},
    ]


async def test_a_status_that_does_not_come_is_noted_with_its_reason_in_the_debug_log(
    client: Client, chain: FakeChain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tandem.rpc")
    chain.execution.connected = False
    await client.result("tandem_status")
    [line] = [record for record in caplog.records if "status" in record.message and record.name == "tandem.rpc"]
    assert (line.levelname, line.message) == ("DEBUG", "no status: TimeoutError")


async def test_a_transactions_status_follows_its_life(process: RpcProcess, client: Client, chain: FakeChain) -> None:
    async def status(hash_: Hash32) -> Any:
        return await client.result("tandem_getTransactionStatus", data_json(hash_))

    sent = transfer(3)
    assert await status(sent.hash) == {"status": "unknown", "reason": None, "block": None}
    await process.node.admission.submit(sent.raw)
    assert await status(sent.hash) == {"status": "pending", "reason": None, "block": None}
    chain.append(sent)
    await chain.execution.tell(chain.news())
    assert await status(sent.hash) == {"status": "included", "reason": None, "block": "0x3"}


async def test_the_node_says_who_it_is(client: Client) -> None:
    assert (await client.result("web3_clientVersion")).startswith("anvil-Tandem/v")
    assert await client.result("web3_sha3", "0x68656c6c6f20776f726c64") == (
        "0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad"
    )
    assert await client.result("net_listening") is True
    assert await client.result("net_peerCount") == "0x4"


async def test_hardhat_is_told_which_chain_it_is_and_where_it_stands(client: Client, chain: FakeChain) -> None:
    head = await client.result("eth_getBlockByNumber", "latest", False)
    assert await client.result("hardhat_metadata") == {
        "clientVersion": await client.result("web3_clientVersion"),
        "chainId": 31337,
        "instanceId": data_json(keccak256(chain.genesis.id() + bytes(8))),
        "latestBlockNumber": int(head["number"], 16),
        "latestBlockHash": head["hash"],
    }
    assert await client.result("hardhat_getAutomine") is True
