"""eth_getTransactionReceipt gives a pending transaction the moment that its block takes."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from chain.messages.mempool import Evicted
from chain.receipts import Log
from chain.transactions import Transaction
from chain.types import Wei
from rpc import awaited_transactions
from rpc.awaited_transactions import MAX_WAIT_S, AwaitedTransactions
from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import GWEI, KEYS, TOKEN, FakeChain, transfer
from tests.rpc.small_chain import turns

ETHERS_CACHE_S = 0.25


def receipt_of(client: Client, transaction: Transaction) -> "asyncio.Future[Any]":
    """The receipt that has just been asked for."""
    return asyncio.ensure_future(client.result("eth_getTransactionReceipt", data_json(transaction.hash)))


def waiting(process: RpcProcess) -> AwaitedTransactions:
    return process.node.admission._awaited


async def execute(chain: FakeChain, *transactions: Transaction) -> None:
    chain.append(*transactions)
    await chain.execution.tell(chain.news())


async def evict(chain: FakeChain, transaction: Transaction) -> None:
    for validator in chain.validators.values():
        await validator.tell(Evicted(transaction.hash, "no room"))


def test_null_is_no_answer_that_ethers_would_still_keep() -> None:
    assert MAX_WAIT_S > ETHERS_CACHE_S


async def test_a_receipt_asked_for_too_early_comes_with_the_block(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    sent = transfer(0)
    await process.node.admission.submit(sent.raw)
    first, second = receipt_of(client, sent), receipt_of(client, sent)
    await turns()
    assert not first.done()
    assert len(waiting(process)) == 2
    await execute(chain)
    await turns()
    assert not first.done()
    await execute(chain, sent)
    await turns()
    assert first.done()
    assert (await first)["blockNumber"] == "0x2"
    assert await second == await first
    assert len(waiting(process)) == 0
    assert waiting(process)._waiting == {}


async def test_the_receipts_of_a_batch_are_waited_for_together(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    sent = [transfer(nonce) for nonce in range(3)]
    for transaction in sent:
        await process.node.admission.submit(transaction.raw)
    asks = [("eth_getTransactionReceipt", [data_json(transaction.hash)]) for transaction in sent]
    batch = [{"jsonrpc": "2.0", "id": i, "method": name, "params": params} for i, (name, params) in enumerate(asks)]
    asked = asyncio.ensure_future(client.post(orjson.dumps(batch)))
    await turns()
    assert len(waiting(process)) == 3
    await execute(chain, *sent)
    await turns()
    assert asked.done()
    assert [answer["result"]["transactionIndex"] for answer in await asked] == ["0x0", "0x1", "0x2"]


async def test_what_no_block_can_take_yet_is_null_at_once(process: RpcProcess, client: Client) -> None:
    behind_a_gap = transfer(1)
    await process.node.admission.submit(behind_a_gap.raw)
    asked = [receipt_of(client, behind_a_gap), receipt_of(client, transfer(7))]
    await turns()
    assert all(ask.done() for ask in asked)
    assert await asyncio.gather(*asked) == [None, None]


async def test_an_evicted_transaction_is_not_waited_for_any_longer(
    process: RpcProcess, client: Client, chain: FakeChain
) -> None:
    await process.node.admission.submit(transfer(0).raw)
    asked = receipt_of(client, transfer(0))
    await turns()
    await evict(chain, transfer(0))
    await turns()
    assert asked.done()
    assert await asked is None


async def test_a_replaced_transaction_is_not_waited_for_any_longer(process: RpcProcess, client: Client) -> None:
    await process.node.admission.submit(transfer(0).raw)
    asked = receipt_of(client, transfer(0))
    await turns()
    better = replace(transfer(0), max_fee=Wei(6 * GWEI), max_priority_fee=Wei(2 * GWEI))
    await process.node.admission.submit(better.signed_with(KEYS[0]).raw)
    await turns()
    assert asked.done()
    assert await asked is None


async def test_a_transaction_without_a_block_is_null_after_a_moment(
    process: RpcProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited_transactions, "MAX_WAIT_S", 0.01)
    await process.node.admission.submit(transfer(0).raw)
    assert await receipt_of(client, transfer(0)) is None
    assert len(waiting(process)) == 0
    assert waiting(process)._waiting == {}


async def test_a_client_that_gives_up_leaves_nothing_behind(process: RpcProcess, client: Client) -> None:
    await process.node.admission.submit(transfer(0).raw)
    stays, leaves = receipt_of(client, transfer(0)), receipt_of(client, transfer(0))
    await turns()
    leaves.cancel()
    await turns()
    assert len(waiting(process)) == 1
    stays.cancel()
    await turns()
    assert len(waiting(process)) == 0
    assert waiting(process)._waiting == {}


async def test_answers_beyond_the_limit_do_not_wait(
    process: RpcProcess, client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited_transactions, "MAX_WAITING", 2)
    await process.node.admission.submit(transfer(0).raw)
    asked = [receipt_of(client, transfer(0)) for _ in range(3)]
    await turns()
    assert [ask.done() for ask in asked] == [False, False, True]
    assert await asked[2] is None
    await execute(chain, transfer(0))
    assert None not in await asyncio.gather(*asked[:2])


class AskingSocket:
    """A WebSocket client that asks for a receipt in the moment it is pushed news."""

    def __init__(self, process: RpcProcess, dispatcher: Dispatcher, transaction: Transaction) -> None:
        self._pool = process.node.admission.pool
        self._dispatcher = dispatcher
        self._transaction = transaction
        self.answers: list[asyncio.Future[Any]] = []

    def push(self, message: bytes) -> bool:
        assert self._transaction.hash not in self._pool
        self.answers.append(receipt_of(Client(self._dispatcher), self._transaction))
        return True


async def test_a_receipt_is_there_when_its_block_is_told_of(process: RpcProcess, chain: FakeChain) -> None:
    dispatcher = Dispatcher(process.node)
    socket = AskingSocket(process, dispatcher, transfer(0))
    for kind in (["newHeads"], ["logs", {}]):
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": kind}
        await dispatcher.answer(orjson.dumps(body), socket)
    await process.node.admission.submit(transfer(0).raw)
    chain.append(transfer(0), logs=[Log(TOKEN, (), b"")])
    await chain.execution.tell(chain.news())
    chain.storage.connected = False  # what is new is answered without asking anybody
    await turns()
    header, log = socket.answers
    assert header.done()
    assert (await header)["blockNumber"] == (await log)["blockNumber"] == "0x1"
