"""Events as dapps learn of them: polled filters, past logs, and WebSocket subscriptions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from eth_typing import ChecksumAddress
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.contract import Contract
from web3.types import FilterParams, LogReceipt, TxParams, Wei

from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import DEADLINE_S, Node
from tests.e2e.web3_contracts import deploy, mined


@pytest.fixture(scope="module")
def owner(node: Node) -> ChecksumAddress:
    return Web3.to_checksum_address(node.addresses[1])


@pytest.fixture
def token(w3: Web3, owner: ChecksumAddress) -> Contract:
    return deploy(w3, "Token", "Gold", "GLD", sender=owner)


@pytest.fixture
async def socket(node: Node) -> AsyncIterator[Any]:
    async with AsyncWeb3(WebSocketProvider(node.ws_url)) as socket:
        yield socket


def _mint(w3: Web3, token: Contract, owner: ChecksumAddress, *amounts: int) -> list[LogReceipt]:
    """The log of each mint."""
    sent = [token.functions.mint(owner, amount).transact({"from": owner}) for amount in amounts]
    return [mined(w3, transaction_hash)["logs"][0] for transaction_hash in sent]


async def _notifications(socket: Any, subscription: str, count: int) -> list[Any]:
    """The first `count` results of a subscription."""
    results: list[Any] = []
    async with asyncio.timeout(DEADLINE_S):
        async for message in socket.socket.process_subscriptions():
            if message["subscription"] == subscription:
                results.append(message["result"])
            if len(results) == count:
                break
    return results


def test_a_log_filter_gives_each_new_event_once(w3: Web3, token: Contract, owner: ChecksumAddress) -> None:
    [before] = _mint(w3, token, owner, 1)
    events = token.events.Transfer.create_filter(from_block=before["blockNumber"], argument_filters={"to": owner})
    assert [event["args"]["value"] for event in events.get_new_entries()] in ([], [1])
    logs = _mint(w3, token, owner, 2, 3)
    assert [event["args"]["value"] for event in events.get_new_entries()] == [2, 3]
    assert events.get_new_entries() == []
    seen = [(event["transactionHash"], event["logIndex"]) for event in events.get_all_entries()]
    assert seen == [(log["transactionHash"], log["logIndex"]) for log in [before, *logs]]
    assert w3.eth.uninstall_filter(events.filter_id)
    assert not w3.eth.uninstall_filter(events.filter_id)


def test_a_block_filter_gives_the_hash_of_every_new_block(w3: Web3, token: Contract, owner: ChecksumAddress) -> None:
    blocks = w3.eth.filter("latest")
    first = w3.eth.block_number + 1
    logs = _mint(w3, token, owner, 1, 2)
    hashes: list[Any] = blocks.get_new_entries()
    expected = [w3.eth.get_block(number)["hash"] for number in range(first, logs[-1]["blockNumber"] + 1)]
    assert hashes[: len(expected)] == expected


def test_a_pending_transaction_filter_gives_the_hash_of_every_admitted_transaction(
    w3: Web3, token: Contract, owner: ChecksumAddress
) -> None:
    pending = w3.eth.filter("pending")
    sent = [token.functions.mint(owner, amount).transact({"from": owner}) for amount in (1, 2)]
    for transaction_hash in sent:
        mined(w3, transaction_hash)
    admitted: list[Any] = pending.get_new_entries()
    assert [entry for entry in admitted if entry in sent] == sent


def test_a_filter_that_was_never_made_is_refused(rpc: JsonRpc) -> None:
    with pytest.raises(RpcError, match="filter not found"):
        rpc.call("eth_getFilterChanges", "0xdeadbeefdeadbeefdeadbeefdeadbeef")


def test_past_logs_are_found_by_address_topic_range_and_block_hash(
    w3: Web3, token: Contract, owner: ChecksumAddress
) -> None:
    logs = _mint(w3, token, owner, 1, 2, 3)
    approval = mined(w3, token.functions.approve(owner, 1).transact({"from": owner}))["logs"][0]
    first, last = logs[0]["blockNumber"], approval["blockNumber"]
    transfers = [log for log in [*logs, approval] if log["topics"][0] == logs[0]["topics"][0]]
    transfer_topic, approval_topic = logs[0]["topics"][0], approval["topics"][0]
    to_owner = logs[0]["topics"][2]

    def found(**criteria: Any) -> list[LogReceipt]:
        where = {"address": token.address, "fromBlock": first, "toBlock": last, **criteria}
        return list(w3.eth.get_logs(cast(FilterParams, where)))

    assert found() == [*logs, approval]
    assert found(topics=[transfer_topic]) == transfers
    assert found(topics=[[transfer_topic, approval_topic]]) == [*logs, approval]
    assert found(topics=[None, None, to_owner]) == [*logs, approval]
    assert found(topics=[approval_topic, [transfer_topic]]) == []
    assert found(address=[owner, token.address], topics=[approval_topic]) == [approval]
    assert approval in found(fromBlock=last, toBlock="latest")
    assert found(address=owner) == []
    by_hash = w3.eth.get_logs({"address": token.address, "blockHash": approval["blockHash"]})
    assert [log for log in by_hash if log["topics"][0] == approval_topic] == [approval]


async def test_new_heads_are_pushed_in_order(w3: Web3, socket: Any, token: Contract, owner: ChecksumAddress) -> None:
    subscription = await socket.eth.subscribe("newHeads")
    for amount in (1, 2):
        await asyncio.to_thread(_mint, w3, token, owner, amount)
    heads = await _notifications(socket, subscription, 2)
    assert heads[1]["number"] == heads[0]["number"] + 1
    assert heads[1]["parentHash"] == heads[0]["hash"]
    for head in heads:
        block: Any = w3.eth.get_block(head["number"])
        assert {name: block[name] for name in ("hash", "stateRoot", "gasUsed")} == {
            name: head[name] for name in ("hash", "stateRoot", "gasUsed")
        }


async def test_matching_logs_are_pushed_and_others_are_not(
    w3: Web3, socket: Any, token: Contract, owner: ChecksumAddress
) -> None:
    other = await asyncio.to_thread(deploy, w3, "Token", "Iron", "IRN", sender=owner)
    subscription = await socket.eth.subscribe("logs", {"address": token.address, "topics": []})
    await asyncio.to_thread(_mint, w3, other, owner, 1)
    logs = await asyncio.to_thread(_mint, w3, token, owner, 2, 3)
    pushed = await _notifications(socket, subscription, 2)
    assert [(log["address"], log["data"], log["transactionHash"], log["logIndex"]) for log in pushed] == [
        (log["address"], log["data"], log["transactionHash"], log["logIndex"]) for log in logs
    ]


async def test_admitted_transactions_are_pushed(w3: Web3, socket: Any, owner: ChecksumAddress) -> None:
    subscription = await socket.eth.subscribe("newPendingTransactions")
    transfer: TxParams = {"from": owner, "to": owner, "value": Wei(1)}
    sent = [await asyncio.to_thread(w3.eth.send_transaction, transfer) for _ in range(2)]
    assert await _notifications(socket, subscription, 2) == sent


async def test_nothing_is_pushed_after_unsubscribing(w3: Web3, socket: Any, owner: ChecksumAddress) -> None:
    ended = await socket.eth.subscribe("newHeads")
    kept = await socket.eth.subscribe("newHeads")
    assert await socket.eth.unsubscribe(ended)
    transfer: TxParams = {"from": owner, "to": owner, "value": Wei(1)}
    block = mined(w3, await asyncio.to_thread(w3.eth.send_transaction, transfer))["blockNumber"]
    async with asyncio.timeout(DEADLINE_S):
        async for message in socket.socket.process_subscriptions():
            assert message["subscription"] == kept
            if message["result"]["number"] >= block:
                break


async def test_calls_and_subscriptions_share_one_socket(w3: Web3, socket: Any, owner: ChecksumAddress) -> None:
    subscription = await socket.eth.subscribe("newHeads")
    sent = await socket.eth.send_transaction({"from": owner, "to": owner, "value": 1})
    receipt = await socket.eth.wait_for_transaction_receipt(sent, timeout=DEADLINE_S, poll_latency=0.005)
    [head] = await _notifications(socket, subscription, 1)
    assert head["number"] <= receipt["blockNumber"]
    assert await socket.eth.chain_id == w3.eth.chain_id
