"""Filters that a client polls."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

import rpc.chain_view
import rpc.filters
import rpc.logs
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.logs import ReadLogs
from chain.receipts import Log
from chain.types import Hash32
from rpc.filters import EXPIRY_S, FilterNotFound, Filters, TooManyFilters
from rpc.log_filter import log_filter
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import BOB, TOKEN, FakeChain, transfer

TOPIC = Hash32(b"\x11" * 32)
LOGS = [Log(TOKEN, (TOPIC,), b"\x01"), Log(BOB, (), b"")]
NOT_FOUND = (-32000, "filter not found")


async def extend(chain: FakeChain, *transactions: Any, logs: Any = ()) -> None:
    chain.append(*transactions, logs=logs)
    await chain.execution.tell(chain.news())


async def test_a_log_filter_brings_each_new_log_once(client: Client, chain: FakeChain) -> None:
    await extend(chain, transfer(0), logs=LOGS)
    everything = await client.result("eth_newFilter", {})
    of_token = await client.result("eth_newFilter", {"address": data_json(TOKEN), "topics": [data_json(TOPIC)]})
    assert await client.result("eth_getFilterChanges", everything) == []
    await extend(chain, transfer(1), logs=LOGS)
    await extend(chain, transfer(2), logs=LOGS)
    new = await client.result("eth_getLogs", {"fromBlock": "0x2"})
    assert len(new) == 4
    assert await client.result("eth_getFilterChanges", everything) == new
    assert await client.result("eth_getFilterChanges", everything) == []
    assert await client.result("eth_getFilterChanges", of_token) == new[::2]


async def test_all_logs_of_a_filter_include_old_ones(client: Client, chain: FakeChain) -> None:
    await extend(chain, transfer(0), logs=LOGS)
    await extend(chain, transfer(1), logs=LOGS)
    found = await client.result("eth_newFilter", {"fromBlock": "0x1", "address": data_json(TOKEN)})
    logs = await client.result("eth_getFilterLogs", found)
    assert [log["blockNumber"] for log in logs] == ["0x1", "0x2"]
    assert await client.result("eth_getFilterChanges", found) == []


async def test_a_filter_keeps_to_its_range(client: Client, chain: FakeChain) -> None:
    second_only = await client.result("eth_newFilter", {"fromBlock": "0x2", "toBlock": "0x2"})
    until_second = await client.result("eth_newFilter", {"toBlock": "0x2"})
    for nonce in range(3):
        await extend(chain, transfer(nonce), logs=LOGS[:1])
    logs = await client.result("eth_getFilterChanges", second_only)
    assert [log["blockNumber"] for log in logs] == ["0x2"]
    logs = await client.result("eth_getFilterChanges", until_second)
    assert [log["blockNumber"] for log in logs] == ["0x1", "0x2"]


async def test_a_block_filter_brings_hashes(client: Client, chain: FakeChain) -> None:
    await extend(chain)
    blocks = await client.result("eth_newBlockFilter")
    await extend(chain)
    await extend(chain)
    assert await client.result("eth_getFilterChanges", blocks) == [data_json(b.hash) for b in chain.blocks[2:]]
    assert await client.result("eth_getFilterChanges", blocks) == []
    assert await client.error("eth_getFilterLogs", blocks) == NOT_FOUND


async def test_a_pending_filter_brings_hashes_or_whole_transactions(client: Client, chain: FakeChain) -> None:
    hashes = await client.result("eth_newPendingTransactionFilter")
    whole = await client.result("eth_newPendingTransactionFilter", True)
    sent = [transfer(0), transfer(1)]
    for transaction in sent:
        await client.result("eth_sendRawTransaction", data_json(transaction.raw))
    await extend(chain, sent[0])
    assert await client.result("eth_getFilterChanges", hashes) == [data_json(t.hash) for t in sent]
    first, second = await client.result("eth_getFilterChanges", whole)
    assert (first["blockNumber"], second["blockNumber"]) == ("0x1", None)
    assert await client.result("eth_getFilterChanges", hashes) == []


async def test_an_uninstalled_filter_is_not_found(client: Client) -> None:
    blocks = await client.result("eth_newBlockFilter")
    assert await client.result("eth_uninstallFilter", blocks) is True
    assert await client.result("eth_uninstallFilter", blocks) is False
    assert await client.error("eth_getFilterChanges", blocks) == NOT_FOUND
    assert await client.error("eth_getFilterLogs", "0x1") == NOT_FOUND


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"fromBlock": "0x3", "toBlock": "0x2"}, "invalid block range params"),
        ({"toBlock": "pending"}, "pending logs are not supported"),
        ({"topics": 5 * [None]}, "invalid argument 0: exceed max topics"),
    ],
)
async def test_wrong_filters_are_refused(client: Client, wanted: Any, words: str) -> None:
    assert await client.error("eth_newFilter", wanted) == (-32602, words)


async def test_a_filter_nobody_asks_for_expires(process: RpcProcess) -> None:
    now = 0.0
    filters = Filters(process.node.chain, process.node.admission, clock=lambda: now)
    asked, idle = filters.install_blocks(), filters.install_blocks()
    now = EXPIRY_S - 1
    filters.get(asked)
    now = EXPIRY_S + 1
    filters.get(asked)
    with pytest.raises(FilterNotFound):
        filters.get(idle)
    assert len(filters) == 1
    now = 3 * EXPIRY_S
    assert not filters.uninstall(asked)


async def test_the_number_of_filters_is_bounded(process: RpcProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc.filters, "MAX_FILTERS", 3)
    filters = process.node.filters
    ids = {filters.install_blocks() for _ in range(3)}
    assert len(ids) == 3
    with pytest.raises(TooManyFilters, match="too many filters"):
        filters.install_logs(log_filter({}))


def test_what_is_noted_for_filters_is_bounded() -> None:
    notes: rpc.filters._Notes[int] = rpc.filters._Notes(2)
    for value in range(5):
        notes.add(value)
    assert notes.since(0) == [3, 4]
    assert notes.since(4) == [4]
    assert notes.since(5) == []


async def test_a_read_that_fails_loses_no_logs(
    client: Client, chain: FakeChain, process: RpcProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = await client.result("eth_newFilter", {})
    await extend(chain, transfer(0), logs=LOGS)
    answer = chain.storage._answer

    def broken(message: Message) -> Message:
        if isinstance(message, ReadLogs):
            raise RequestFailed("DiskError", "the disk is gone")
        return answer(message)

    monkeypatch.setattr(rpc.chain_view, "LOGS_LOOKED_THROUGH", -1)
    monkeypatch.setattr(chain.storage, "_answer", broken)
    assert await client.error("eth_getFilterChanges", everything) == (-32000, "the disk is gone")
    monkeypatch.setattr(chain.storage, "_answer", answer)
    assert len(await client.result("eth_getFilterChanges", everything)) == 2


async def test_too_many_logs_are_an_error_once(
    client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc.logs, "MAX_LOGS", 1)
    everything = await client.result("eth_newFilter", {})
    await extend(chain, transfer(0), logs=LOGS)
    assert await client.error("eth_getFilterChanges", everything) == (-32005, "query returned more than 1 results")
    await extend(chain, transfer(1), logs=LOGS[:1])
    assert len(await client.result("eth_getFilterChanges", everything)) == 1


async def test_two_polls_at_once_bring_each_log_to_one_of_them(client: Client, chain: FakeChain) -> None:
    everything = await client.result("eth_newFilter", {})
    await extend(chain, transfer(0), logs=LOGS)
    answers = await asyncio.gather(*(client.result("eth_getFilterChanges", everything) for _ in range(3)))
    assert sorted(map(len, answers)) == [0, 0, 2]


async def test_after_a_revert_filters_tell_of_the_logs_that_are_gone_and_read_on_there(
    client: Client, chain: FakeChain
) -> None:
    everything = await client.result("eth_newFilter", {})
    await extend(chain, transfer(0), logs=LOGS)
    await extend(chain, transfer(1), logs=LOGS)
    assert len(await client.result("eth_getFilterChanges", everything)) == 4
    chain.revert_to(1)
    await chain.execution.tell(replace(chain.news(), blocks=0, reverted=True))
    chain.append(transfer(1, value=2), logs=LOGS[:1])
    await chain.execution.tell(chain.news())
    told = await client.result("eth_getFilterChanges", everything)
    assert [(log["blockNumber"], log["removed"]) for log in told] == [("0x2", True), ("0x2", True), ("0x2", False)]
