"""1,700 transactions at once: 1,000 plain transfers, 500 ERC-20 transfers and 200 calls that all write one slot."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from eth_account.signers.local import LocalAccount
from web3 import Web3
from web3.contract import Contract

from tests.e2e.accounts import ETHER, GWEI, Purse, receipts_of
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy, mined

TRANSFER_SENDERS, TRANSFERS_EACH = 20, 50
TOKEN_SENDERS, TOKEN_TRANSFERS_EACH = 20, 25
COUNTER_SENDERS, INCREMENTS_EACH = 10, 20
TOKENS_EACH = 1000
BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class Burst:
    """What was sent, all of it answered with a receipt; `receipts` in the order of sender and nonce."""

    token: Contract
    counter: Contract
    recipients: tuple[LocalAccount, ...]
    holders: tuple[LocalAccount, ...]
    receipts: dict[str, list[dict[str, Any]]]


def _signed(account: LocalAccount, count: int, **fields: Any) -> list[str]:
    """`count` transactions of one sender, from nonce 0 on."""
    fees = {"maxFeePerGas": 100 * GWEI, "maxPriorityFeePerGas": GWEI, "chainId": 31337, "type": 2}
    return [
        account.sign_transaction({**fees, **fields, "nonce": nonce}).raw_transaction.to_0x_hex()
        for nonce in range(count)
    ]


async def _send(url: str, sequences: list[list[str]]) -> None:
    """Half of the senders go out in batches, the other half one by one, each on a connection of its own."""
    batched, single = sequences[::2], sequences[1::2]
    # Nonce by nonce, so that a batch mixes the senders and never has a nonce before the one it follows.
    mixed = [raw for level in itertools.zip_longest(*batched) for raw in level if raw is not None]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(raws: Iterable[str]) -> None:
            requests = [_request(index, raw) for index, raw in enumerate(raws)]
            async with session.post(url, json=requests if len(requests) > 1 else requests[0]) as response:
                answers = await response.json()
            for answer in answers if isinstance(answers, list) else [answers]:
                assert "error" not in answer, answer

        async def post_batches() -> None:
            for start in range(0, len(mixed), BATCH_SIZE):
                await post(mixed[start : start + BATCH_SIZE])

        async def post_one_by_one(raws: list[str]) -> None:
            for raw in raws:
                await post([raw])

        await asyncio.gather(post_batches(), *map(post_one_by_one, single))


def _request(request_id: int, raw: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": "eth_sendRawTransaction", "params": [raw]}


@pytest.fixture(scope="module")
def burst(w3: Web3, rpc: JsonRpc, node: Node, purse: Purse) -> Burst:
    owner = Web3.to_checksum_address(node.addresses[0])
    token, counter = deploy(w3, "Token", "Gold", "GLD", sender=owner), deploy(w3, "Counter", sender=owner)
    givers = purse.accounts(TRANSFER_SENDERS, ETHER)
    holders = purse.accounts(TOKEN_SENDERS, ETHER)
    callers = purse.accounts(COUNTER_SENDERS, ETHER)
    recipients = [purse.empty_account() for _ in givers]
    minted = [token.functions.mint(holder.address, TOKENS_EACH).transact({"from": owner}) for holder in holders]
    for transaction_hash in minted:
        mined(w3, transaction_hash)

    sequences: dict[str, list[str]] = {}
    for giver, recipient in zip(givers, recipients, strict=True):
        sequences[giver.address] = _signed(giver, TRANSFERS_EACH, to=recipient.address, value=7, gas=21000)
    for holder, next_holder in zip(holders, holders[1:] + holders[:1], strict=True):
        data = token.encode_abi("transfer", [next_holder.address, 3])
        sequences[holder.address] = _signed(holder, TOKEN_TRANSFERS_EACH, to=token.address, data=data, gas=100_000)
    for caller in callers:
        data = counter.encode_abi("increment")
        sequences[caller.address] = _signed(caller, INCREMENTS_EACH, to=counter.address, data=data, gas=100_000)

    asyncio.run(_send(node.http_url, list(sequences.values())))
    hashes = [Web3.keccak(hexstr=raw).to_0x_hex() for raws in sequences.values() for raw in raws]
    by_sender: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for receipt in receipts_of(rpc, hashes):
        by_sender[Web3.to_checksum_address(receipt["from"])].append(receipt)
    assert {sender: len(receipts) for sender, receipts in by_sender.items()} == {
        sender: len(raws) for sender, raws in sequences.items()
    }
    return Burst(token, counter, tuple(recipients), tuple(holders), dict(by_sender))


def test_every_transaction_of_a_burst_succeeds(burst: Burst) -> None:
    receipts = [receipt for receipts in burst.receipts.values() for receipt in receipts]
    assert len(receipts) == 1700
    assert {receipt["status"] for receipt in receipts} == {"0x1"}


def test_a_burst_keeps_the_nonce_order_of_every_sender(burst: Burst) -> None:
    for sender, receipts in burst.receipts.items():
        places = [(int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)) for receipt in receipts]
        assert places == sorted(places), sender


def test_a_burst_fills_blocks(burst: Burst, node: Node) -> None:
    if not node.is_tandem:
        pytest.skip("how another node cuts its blocks is its own affair")
    blocks = {receipt["blockNumber"] for receipts in burst.receipts.values() for receipt in receipts}
    assert 1700 / len(blocks) > 10, f"{len(blocks)} blocks"


def test_no_increment_of_the_hot_counter_is_lost(burst: Burst) -> None:
    assert burst.counter.functions.value().call() == 200


def test_the_logs_of_the_hot_counter_count_up_in_block_order(burst: Burst, w3: Web3) -> None:
    first = min(int(receipt["blockNumber"], 16) for receipts in burst.receipts.values() for receipt in receipts)
    events = burst.counter.events.Incremented().get_logs(from_block=first)
    assert [event["args"]["value"] for event in events] == list(range(1, 201))


def test_the_balances_after_a_burst_are_those_of_the_transfers(burst: Burst, w3: Web3) -> None:
    assert {w3.eth.get_balance(recipient.address) for recipient in burst.recipients} == {7 * TRANSFERS_EACH}
    balances = {burst.token.functions.balanceOf(holder.address).call() for holder in burst.holders}
    assert balances == {TOKENS_EACH}
    assert burst.token.functions.totalSupply().call() == TOKENS_EACH * TOKEN_SENDERS
