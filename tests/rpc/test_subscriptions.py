"""eth_subscribe over a connection that notes what it is sent."""

import asyncio
from typing import Any

import orjson
import pytest

from chain.receipts import Log
from chain.types import Hash32
from rpc.dispatch import Dispatcher
from rpc.process import RpcProcess
from rpc.render import data_json
from rpc.subscriptions import MAX_SUBSCRIPTIONS
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, TOKEN, FakeChain, transfer
from tests.rpc.small_chain import turns

TOPIC, OTHER_TOPIC = Hash32(b"\x11" * 32), Hash32(b"\x22" * 32)
LOGS = [Log(TOKEN, (TOPIC,), b"\x01"), Log(BOB, (TOPIC, OTHER_TOPIC), b""), Log(TOKEN, (), b"\x02")]


class Socket:
    """A WebSocket client: what was pushed to it, and whether it still takes anything."""

    def __init__(self, process: RpcProcess) -> None:
        self._dispatcher = Dispatcher(process.node)
        self.takes = True
        self.pushed: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()

    def push(self, message: bytes) -> bool:
        if self.takes:
            self.pushed.append(orjson.loads(message))
            self.arrived.set()
        return self.takes

    async def ask(self, method: str, *params: Any) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer = await self._dispatcher.answer(body, self)
        assert answer is not None
        return orjson.loads(answer)

    async def subscribe(self, *params: Any) -> str:
        answer = await self.ask("eth_subscribe", *params)
        assert "error" not in answer, answer
        return str(answer["result"])

    async def error(self, method: str, *params: Any) -> tuple[int, str]:
        error = (await self.ask(method, *params))["error"]
        return error["code"], error["message"]

    def news(self, subscription: str) -> list[Any]:
        """What a subscription brought, after a look at the envelope."""
        for message in self.pushed:
            assert message["jsonrpc"] == "2.0"
            assert message["method"] == "eth_subscription"
        return [m["params"]["result"] for m in self.pushed if m["params"]["subscription"] == subscription]


@pytest.fixture
def socket(process: RpcProcess) -> Socket:
    return Socket(process)


async def extend(chain: FakeChain, *transactions: Any, logs: Any = ()) -> None:
    chain.append(*transactions, logs=logs)
    await chain.execution.tell(chain.news())


async def test_new_heads_are_the_headers_of_new_blocks(socket: Socket, chain: FakeChain, client: Client) -> None:
    heads = await socket.subscribe("newHeads")
    assert int(heads, 16) < 2**128
    await extend(chain, transfer(0))
    await extend(chain)
    first, second = socket.news(heads)
    block = await client.result("eth_getBlockByNumber", "0x1", False)
    assert {name: block[name] for name in first} == first
    assert second["parentHash"] == first["hash"]
    assert "transactions" not in first


async def test_logs_are_filtered_by_address_and_topics(socket: Socket, chain: FakeChain, client: Client) -> None:
    everything = await socket.subscribe("logs", {})
    of_token = await socket.subscribe("logs", {"address": data_json(TOKEN)})
    of_topic = await socket.subscribe("logs", {"topics": [data_json(TOPIC)]})
    of_second = await socket.subscribe("logs", {"topics": [None, [data_json(TOPIC), data_json(OTHER_TOPIC)]]})
    later = await socket.subscribe("logs", {"fromBlock": "0x2", "toBlock": "0x2"})
    await extend(chain, transfer(0), logs=LOGS)
    all_logs = await client.result("eth_getLogs", {"fromBlock": "0x1"})
    assert len(all_logs) == 3
    assert socket.news(everything) == all_logs
    assert socket.news(of_token) == [all_logs[0], all_logs[2]]
    assert socket.news(of_topic) == all_logs[:2]
    assert socket.news(of_second) == [all_logs[1]]
    assert socket.news(later) == []
    await extend(chain, transfer(1), logs=LOGS)
    await extend(chain, transfer(2), logs=LOGS)
    assert [log["blockNumber"] for log in socket.news(later)] == ["0x2"] * 3


async def test_the_header_comes_before_the_logs_of_its_block(socket: Socket, chain: FakeChain) -> None:
    logs, heads = await socket.subscribe("logs", {}), await socket.subscribe("newHeads")
    await extend(chain, transfer(0), logs=LOGS)
    assert [m["params"]["subscription"] for m in socket.pushed] == [heads, logs, logs, logs]


async def test_pending_transactions_come_as_hashes_or_whole(socket: Socket, client: Client) -> None:
    hashes = await socket.subscribe("newPendingTransactions")
    also_hashes = await socket.subscribe("newPendingTransactions", False)
    whole = await socket.subscribe("newPendingTransactions", True)
    second, first = transfer(1), transfer(0)
    await client.result("eth_sendRawTransaction", data_json(second.raw))
    assert socket.pushed == []
    await client.result("eth_sendRawTransaction", data_json(first.raw))
    assert socket.news(hashes) == socket.news(also_hashes) == [data_json(first.hash), data_json(second.hash)]
    shown = await client.result("eth_getTransactionByHash", data_json(first.hash))
    assert socket.news(whole)[0] == shown
    assert shown["from"] == data_json(ALICE)


async def test_who_asks_for_syncing_is_told_once_that_there_is_none(socket: Socket, chain: FakeChain) -> None:
    syncing = await socket.subscribe("syncing")
    await turns()
    await extend(chain)
    assert socket.news(syncing) == [False]


async def test_nothing_comes_after_unsubscribing(socket: Socket, chain: FakeChain) -> None:
    heads = await socket.subscribe("newHeads")
    assert (await socket.ask("eth_unsubscribe", heads))["result"] is True
    await extend(chain)
    assert socket.pushed == []
    assert await socket.error("eth_unsubscribe", heads) == (-32000, "subscription not found")


async def test_a_subscription_belongs_to_its_connection(socket: Socket, process: RpcProcess) -> None:
    heads = await socket.subscribe("newHeads")
    stranger = Socket(process)
    assert await stranger.error("eth_unsubscribe", heads) == (-32000, "subscription not found")
    assert len(process.node.subscriptions) == 1


async def test_a_connection_that_takes_no_more_is_forgotten(
    socket: Socket, process: RpcProcess, chain: FakeChain
) -> None:
    other = Socket(process)
    heads = await other.subscribe("newHeads")
    await socket.subscribe("newHeads")
    await socket.subscribe("logs", {})
    socket.takes = False
    await extend(chain, transfer(0), logs=LOGS)
    assert len(process.node.subscriptions) == 1
    assert len(other.news(heads)) == 1


async def test_a_closed_connection_is_forgotten(socket: Socket, process: RpcProcess, chain: FakeChain) -> None:
    await socket.subscribe("newHeads")
    process.node.subscriptions.forget(socket)
    await extend(chain)
    assert socket.pushed == []
    assert len(process.node.subscriptions) == 0


async def test_subscriptions_of_one_connection_are_bounded(socket: Socket, process: RpcProcess) -> None:
    for _ in range(MAX_SUBSCRIPTIONS):
        await socket.subscribe("newHeads")
    code, message = await socket.error("eth_subscribe", "newHeads")
    assert code == -32000
    assert message.startswith("too many subscriptions")


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        (["newThings"], -32601, 'no "newThings" subscription in eth namespace'),
        (["nonsense", {}], -32601, 'no "nonsense" subscription in eth namespace'),
        (["logs"], -32602, "missing value for required argument 1"),
        (["logs", {"topics": 5}], -32602, "invalid argument 1: "),
        (["logs", {"fromBlock": "pending"}], -32602, "pending logs are not supported"),
        (["logs", {"fromBlock": "0x5", "toBlock": "0x4"}], -32602, "invalid block range params"),
        (["logs", {"fromBlock": "latest", "toBlock": "0x4"}], -32602, "invalid block range params"),
        (["logs", {"fromBlock": "safe"}], -32602, "invalid block range params"),
        (["newPendingTransactions", 5], -32602, "invalid argument 1: "),
        ([], -32602, "missing value for required argument 0"),
        ([7], -32602, "invalid argument 0: "),
    ],
)
async def test_wrong_subscriptions_are_refused(socket: Socket, params: list[Any], code: int, words: str) -> None:
    answer = await socket.error("eth_subscribe", *params)
    assert answer[0] == code
    assert answer[1].startswith(words)


async def test_over_http_there_are_none(client: Client) -> None:
    assert await client.error("eth_subscribe", "newHeads") == (-32601, "notifications not supported")


async def test_receipts_come_a_block_at_a_time_of_all_transactions_or_of_some(
    process: RpcProcess, chain: FakeChain, client: Client
) -> None:
    socket = Socket(process)
    hashes = [data_json(transfer(nonce).hash) for nonce in range(3)]
    every = await socket.subscribe("transactionReceipts")
    some = await socket.subscribe("transactionReceipts", {"transactionHashes": hashes[1:]})
    chain.append(transfer(0))
    await chain.execution.tell(chain.news())
    chain.append(transfer(1), transfer(2))
    await chain.execution.tell(chain.news())
    chain.append()
    await chain.execution.tell(chain.news())
    receipts = [await client.result("eth_getTransactionReceipt", each) for each in hashes]
    assert socket.news(every) == [receipts[:1], receipts[1:]]
    assert socket.news(some) == [receipts[1:]]
    too_many = {"transactionHashes": [hashes[0][:-3] + f"{n:03x}" for n in range(201)]}
    code, words = await socket.error("eth_subscribe", "transactionReceipts", too_many)
    assert (code, words[:40]) == (-32000, "exceed max number of transaction hashes ")
