"""Who reads after sending finds what it sent, in automatic mode."""

import asyncio
from typing import Any

import orjson
import pytest

from chain.transactions import decode_transaction
from chain.types import Address
from rpc import awaited_transactions
from rpc.methods import METHODS
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, FakeChain, transfer
from tests.rpc.small_chain import turns
from tests.rpc.test_receipt_waiting import execute

STRANGER = Address(b"\x55" * 20)


def asked(client: Client, method: str, *params: Any) -> "asyncio.Future[Any]":
    return asyncio.ensure_future(client.result(method, *params))


async def test_what_is_read_after_a_transaction_was_sent_waits_for_its_block(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    await process.node.admission.submit(transfer(0).raw)
    reads = [
        asked(client, "eth_blockNumber"),
        asked(client, "eth_getBalance", data_json(ALICE), "latest"),
        asked(client, "eth_getTransactionByHash", data_json(transfer(0).hash)),
    ]
    await turns()
    assert not any(read.done() for read in reads)
    assert await client.result("eth_chainId") == "0x7a69"
    assert await client.result("eth_getTransactionCount", data_json(ALICE), "pending") == "0x1"
    await execute(chain, transfer(0))
    number, _, found = await asyncio.gather(*reads)
    assert (number, found["blockNumber"]) == ("0x1", "0x1")


async def test_what_stands_behind_a_sending_in_a_batch_finds_what_it_sent(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    reading = "eth_getBalance", data_json(STRANGER), "latest"
    send = {"from": data_json(ALICE), "to": data_json(STRANGER), "value": "0x5"}
    entries = [reading, ("eth_sendTransaction", send), ("eth_sendTransaction", send), reading, ("eth_chainId",)]
    batch = [{"jsonrpc": "2.0", "id": i, "method": name, "params": p} for i, (name, *p) in enumerate(entries)]
    answering = asyncio.ensure_future(client.post(orjson.dumps(batch)))
    await turns(100)
    assert not answering.done()
    sent = [decode_transaction(pooled.raw) for pooled in process.node.admission.pool]
    await execute(chain, *sent)
    answers = [answer["result"] for answer in await answering]
    assert [answers[0], *answers[3:]] == ["0x0", "0xa", "0x7a69"]
    assert answers[1:3] == [data_json(transaction.hash) for transaction in sent]


async def test_what_no_block_takes_holds_readers_up_once(
    process: RpcProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def in_vain(_: object, hash_: bytes, limit_s: float = awaited_transactions.MAX_WAIT_S) -> None:
        waits.append(limit_s)

    monkeypatch.setattr(awaited_transactions.AwaitedTransactions, "until_gone", in_vain)
    await process.node.admission.submit(transfer(0).raw)
    for _ in range(3):
        assert await client.result("eth_blockNumber") == "0x0"
    assert waits == [awaited_transactions.MAX_WAIT_S]


async def test_nobody_waits_for_a_transaction_behind_a_gap(
    process: RpcProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(*_: object) -> None:
        raise AssertionError("somebody waits")

    monkeypatch.setattr(awaited_transactions.AwaitedTransactions, "until_gone", for_ever)
    await process.node.admission.submit(transfer(7).raw)
    assert await client.result("eth_blockNumber") == "0x0"


def test_what_sends_or_says_nothing_of_the_state_is_answered_at_once() -> None:
    at_once = {name for name, method in METHODS.items() if not method.reads_what_was_sent}
    assert {"eth_sendRawTransaction", "eth_sendTransaction", "eth_chainId", "txpool_status", "net_version"} <= at_once
    assert {"tandem_status", "eth_signTransaction", "personal_sign", "eth_getTransactionReceipt"} <= at_once
    waiting = set(METHODS) - at_once
    assert {"eth_call", "eth_getLogs", "eth_getTransactionCount", "evm_snapshot", "evm_mine", "anvil_mine"} <= waiting
    assert {"debug_traceBlockByNumber", "eth_getFilterChanges", "eth_estimateGas", "eth_getStorageAt"} <= waiting
