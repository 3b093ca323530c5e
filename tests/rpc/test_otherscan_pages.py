"""Otterscan's pages, over a chain whose readers answer every trace with a call from Alice to Bob."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from rpc import filled_blocks, otherscan_pages
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, CAROL, KEYS, FakeChain, transfer

CALL = {
    "action": {"from": data_json(ALICE), "to": data_json(BOB), "callType": "call", "value": "0x1"},
    "result": {"gasUsed": "0x0", "output": "0x"},
    "subtraces": 0,
    "traceAddress": [],
    "type": "call",
}
FIRST, SECOND, THIRD, FOURTH, FIFTH = (replace(transfer(nonce), data=b"\1").signed_with(KEYS[0]) for nonce in range(5))


@pytest.fixture
def chain() -> FakeChain:
    """Two transactions in block 1, one in 2, none in 3, two in 4."""
    chain = FakeChain()
    chain.append(FIRST, SECOND)
    chain.append(THIRD)
    chain.append()
    chain.append(FOURTH, FIFTH)
    chain.callers.run_trace = orjson.dumps([CALL])
    return chain


def hashes(page: Any) -> list[str]:
    found = [transaction["hash"] for transaction in page["txs"]]
    assert [receipt["transactionHash"] for receipt in page["receipts"]] == found
    return found


async def test_the_transactions_of_a_block_come_in_pages(client: Client, chain: FakeChain) -> None:
    page = await client.result("ots_getBlockTransactions", 4, 1, 1)
    assert [transaction["hash"] for transaction in page["fullblock"]["transactions"]] == [data_json(FIFTH.hash)]
    assert page["fullblock"]["transactionCount"] == 1
    (receipt,) = page["receipts"]
    assert receipt["transactionHash"] == data_json(FIFTH.hash)
    assert receipt["timestamp"] == page["fullblock"]["timestamp"]
    assert (await client.result("ots_getBlockTransactions", "0x4", 2, 1))["receipts"] == []
    assert await client.error("ots_getBlockTransactions", 99, 0, 5) == (-32001, "Resource not found")
    code, words = await client.error("ots_getBlockTransactions", 4, 0, 0)
    assert (code, words) == (-32602, "invalid argument 2: a page has 1 to 1000 transactions, not 0")


async def test_an_address_is_searched_from_the_newest_block_down_in_whole_blocks(client: Client) -> None:
    newest = await client.result("ots_searchTransactionsBefore", data_json(BOB), 0, 3)
    assert hashes(newest) == [data_json(t.hash) for t in (FIFTH, FOURTH, THIRD)]
    assert (newest["firstPage"], newest["lastPage"]) == (True, False)
    oldest = await client.result("ots_searchTransactionsBefore", data_json(BOB), 2, 3)
    assert hashes(oldest) == [data_json(t.hash) for t in (SECOND, FIRST)]
    assert (oldest["firstPage"], oldest["lastPage"]) == (False, True)


async def test_an_address_is_searched_from_the_oldest_block_up_and_shown_newest_first(client: Client) -> None:
    oldest = await client.result("ots_searchTransactionsAfter", data_json(ALICE), 0, 2)
    assert hashes(oldest) == [data_json(t.hash) for t in (SECOND, FIRST)]
    assert (oldest["firstPage"], oldest["lastPage"]) == (False, True)
    newest = await client.result("ots_searchTransactionsAfter", data_json(ALICE), 1, 9)
    assert hashes(newest) == [data_json(t.hash) for t in (FIFTH, FOURTH, THIRD)]
    assert (newest["firstPage"], newest["lastPage"]) == (True, False)


async def test_who_took_part_in_nothing_is_found_nowhere(client: Client) -> None:
    page = await client.result("ots_searchTransactionsBefore", data_json(CAROL), 0, 9)
    assert page == {"txs": [], "receipts": [], "firstPage": True, "lastPage": True}


async def test_a_search_that_would_run_too_many_blocks_again_says_where_to_go_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otherscan_pages, "MAX_TRACED_BLOCKS", 2)
    assert await client.error("ots_searchTransactionsBefore", data_json(CAROL), 0, 9) == (
        -32005,
        "no page within 2 blocks: go on from block 1",
    )
    monkeypatch.setattr(otherscan_pages, "MAX_TRACED_BLOCKS", 9)
    monkeypatch.setattr(filled_blocks, "HEADERS_AT_ONCE", 2)
    monkeypatch.setattr(otherscan_pages, "MAX_BLOCKS", 2)
    assert await client.error("ots_searchTransactionsAfter", data_json(CAROL), 0, 9) == (
        -32005,
        "no page within 2 blocks: go on from block 3",
    )


async def test_a_page_that_would_need_more_is_shorter(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otherscan_pages, "MAX_TRACED_BLOCKS", 1)
    newest = await client.result("ots_searchTransactionsBefore", data_json(BOB), 0, 9)
    assert hashes(newest) == [data_json(t.hash) for t in (FIFTH, FOURTH)]
    assert (newest["firstPage"], newest["lastPage"]) == (True, False)


async def test_blocks_in_which_no_code_ran_are_not_run_again(
    client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [transfer(5), transfer(6, to=CAROL)]
    for transaction in plain:
        chain.append(transaction)
        await chain.execution.tell(chain.news())
    monkeypatch.setattr(otherscan_pages, "MAX_TRACED_BLOCKS", 0)
    for party, sent in ((CAROL, plain[1:]), (ALICE, plain[::-1])):
        page = await client.result("ots_searchTransactionsBefore", data_json(party), 0, len(sent))
        assert hashes(page) == [data_json(t.hash) for t in sent]
    assert not chain.callers.runs


async def test_numbers_of_blocks_may_be_jsons_own(client: Client) -> None:
    assert await client.result("ots_getBlockDetails", 1) == await client.result("ots_getBlockDetails", "0x1")
    assert (await client.result("erigon_getHeaderByNumber", 1))["number"] == "0x1"
    sent = await client.result("ots_getTransactionBySenderAndNonce", data_json(ALICE), 0)
    assert sent == data_json(FIRST.hash)
