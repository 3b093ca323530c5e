"""Batches of nothing but raw transactions: answered as one by one, with less work."""

import asyncio
from typing import Any, NoReturn

import orjson
import pytest

import rpc.admission
from chain.messages.storage import ReadState
from chain.transactions import Transaction
from chain.types import Address, Wei
from rpc.checks_in_turns import MAX_IN_A_TURN
from rpc.dispatch import Dispatcher
from rpc.errors import TransactionRejected
from rpc.pool import PoolLimits
from rpc.process import RpcProcess
from rpc.raw_sends import raw_transactions
from rpc.transaction_errors import (
    AlreadyKnown,
    InsufficientFunds,
    NoValidatorAnswered,
    RefusedByValidators,
    ReplacementUnderpriced,
)
from rpc.transaction_rules import decode
from tests.rpc import fake_chain
from tests.rpc.client import Client
from tests.rpc.conftest import open_process
from tests.rpc.fake_chain import FakeChain
from tests.rpc.small_chain import ACCOUNTS, KEYS, small_chain, transfer, turns
from tests.rpc.test_admission import V0, V1, V2, V3


def send(raw: object, **members: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]} | members


def shown(transaction: Transaction) -> str:
    return "0x" + transaction.raw.hex()


def mixed_batch() -> list[dict[str, Any]]:
    """What is right, what is wrong in several ways, and what nobody waits for."""
    first, second = fake_chain.transfer(0), fake_chain.transfer(1)
    unanswered = send(shown(fake_chain.transfer(2)))
    del unanswered["id"]
    return [
        send(shown(first), id=7),
        send("0x1234", id="a word"),
        send(shown(second), id=None),
        send(shown(first), id=7.5),
        unanswered,
        send(shown(fake_chain.transfer(3, value=10**30))),
        send("0x" + (first.raw[:-1] + b"\x01").hex()),
    ]


async def test_a_batch_is_answered_as_each_of_its_requests_alone(client: Client, process: RpcProcess) -> None:
    batch = mixed_batch()
    assert raw_transactions(batch) is not None
    answers = await client.post(orjson.dumps(batch))
    async with open_process(FakeChain()) as other:
        alone = [await Client(Dispatcher(other.node)).post(orjson.dumps(request)) for request in batch]
    assert answers == [answer for answer in alone if answer is not None]
    assert ["error" in answer for answer in answers] == [False, True, False, True, True, True]
    [(name, counted)] = process.node.requests
    assert (name, counted.requests, counted.failures) == ("eth_sendRawTransaction", 7, 4)


@pytest.mark.parametrize(
    "request_",
    [
        5,
        send("0x12", method="eth_sendRawTransactionSync"),
        send("0x12", jsonrpc="1.0"),
        send("0x12", id=True),
        send("0x12", id={}),
        send("0x12", params={"raw": "0x12"}),
        send("0x12", params=[]),
        send("0x12", params=["0x12", "latest"]),
        send("12"),
        send(12),
        send("0x03c0"),
    ],
)
async def test_what_is_anything_else_goes_the_usual_way(client: Client, request_: Any) -> None:
    assert raw_transactions([send("0x12"), request_]) is None
    [_, answer] = await client.post(orjson.dumps([send("0x12"), request_]))
    assert answer == await client.post(orjson.dumps(request_))


async def test_senders_that_are_not_known_are_read_together() -> None:
    small = await small_chain()
    sent = [transfer(key) for key in KEYS]
    assert await small.admission.submit_all([t.raw for t in sent]) == [t.hash for t in sent]
    assert small.storage.count(ReadState) == 1


async def test_of_a_large_batch_the_first_are_sent_while_the_others_are_checked() -> None:
    small = await small_chain()
    await small.send(transfer(nonce=0))
    pooled: list[int] = []
    for link in small.validators.values():
        link.heard = lambda: pooled.append(len(small.admission.pool))
    sent = [transfer(nonce=nonce) for nonce in range(1, 4 * MAX_IN_A_TURN)]
    assert await small.admission.submit_all([t.raw for t in sent]) == [t.hash for t in sent]
    assert pooled[0] < 4 * MAX_IN_A_TURN
    assert [t.hash for t in small.admission.pool][1:] == [t.hash for t in sent]


async def test_batches_that_come_together_are_admitted_in_their_order() -> None:
    """Those of the second would all have a gap before them otherwise, and so many are not kept behind one."""
    small = await small_chain(limits=PoolLimits(queued_of_one_sender=2 * MAX_IN_A_TURN))
    await small.send(transfer(nonce=0))
    sent = [transfer(nonce=nonce) for nonce in range(1, 12 * MAX_IN_A_TURN)]
    batches = [[t.raw for t in sent[start : start + 300]] for start in range(0, len(sent), 300)]
    outcomes = await asyncio.gather(*map(small.admission.submit_all, batches))
    assert [outcome for batch in outcomes for outcome in batch] == [t.hash for t in sent]
    assert [t.hash for t in small.admission.pool][1:] == [t.hash for t in sent]


async def test_a_sender_that_cannot_be_read_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small = await small_chain()
    reads: list[Address] = []

    async def read(address: Address) -> NoReturn:
        reads.append(address)
        raise TimeoutError

    monkeypatch.setattr(small.admission._states, "read", read)
    outcomes = await small.admission.submit_all([transfer(nonce=nonce).raw for nonce in range(10)])
    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 10
    assert len(reads) == 1


async def test_whoever_lacks_funds_is_read_again_once_for_a_batch_and_others_go_on() -> None:
    small = await small_chain()
    for key in KEYS[:2]:
        await small.send(transfer(key))
    small.storage.requests.clear()
    small.storage.hold = asyncio.Event()
    poor = [transfer(nonce=nonce, value=10**30).raw for nonce in range(1, 9)]
    sending = asyncio.ensure_future(small.admission.submit_all([*poor, transfer(KEYS[1], nonce=1).raw]))
    await turns()
    assert transfer(KEYS[1], nonce=1).hash in small.admission.pool
    small.storage.hold.set()
    outcomes = await sending
    assert [type(outcome) for outcome in outcomes] == [InsufficientFunds] * 8 + [bytes]
    assert small.storage.count(ReadState) <= 2


@pytest.mark.parametrize("nonce", [None, "0x1"])
async def test_what_is_sent_behind_raw_transactions_in_a_batch_comes_after_them(
    client: Client, process: RpcProcess, nonce: str | None
) -> None:
    fees = {"maxFeePerGas": hex(6 * 10**9), "maxPriorityFeePerGas": hex(2 * 10**9), "nonce": nonce}
    filled = {"from": "0x" + fake_chain.ALICE.hex(), "to": "0x" + "77" * 20, "gas": "0x5208"} | fees
    raws = [send(shown(fake_chain.transfer(nonce))) for nonce in range(2)]
    await process.node.admission.pending_nonce(fake_chain.ALICE)
    answers = await client.post(orjson.dumps([*raws, send(filled, method="eth_sendTransaction")]))
    assert ["error" in answer for answer in answers] == [False, False, False]
    assert [t.nonce for t in process.node.admission.pool] == ([0, 1, 2] if nonce is None else [0, 1])
    assert answers[2]["result"] == "0x" + list(process.node.admission.pool)[-1].hash.hex()


async def test_what_one_client_sends_without_waiting_gets_nonces_in_its_order(
    client: Client, process: RpcProcess
) -> None:
    await process.node.admission.pending_nonce(fake_chain.ALICE)
    alice = "0x" + fake_chain.ALICE.hex()
    fees = {"gas": "0x5208", "maxFeePerGas": hex(3 * 10**9), "maxPriorityFeePerGas": hex(10**9)}
    filled = send({"from": alice, "to": "0x" + "77" * 20} | fees, method="eth_sendTransaction")
    count = send(alice, method="eth_getTransactionCount", params=[alice, "pending"])
    raws = {nonce: send(shown(fake_chain.transfer(nonce))) for nonce in (0, 1, 4)}
    sent = [raws[0], raws[1], count, filled, filled, count, raws[4], count]
    answers = await asyncio.gather(*(client.post(orjson.dumps(request)) for request in sent))
    assert [answers[place]["result"] for place in (2, 5, 7)] == ["0x2", "0x4", "0x5"]
    assert [t.nonce for t in process.node.admission.pool] == [0, 1, 2, 3, 4]


async def test_one_that_is_replaced_in_the_batch_that_repeats_it_is_known_no_more() -> None:
    small = await small_chain()
    old, new = transfer(), transfer(max_fee=Wei(6 * 10**9), max_priority_fee=Wei(2 * 10**9))
    await small.send(old)
    outcomes = await small.admission.submit_all([old.raw, new.raw, old.raw])
    assert outcomes[1] == new.hash
    assert [type(outcome) for outcome in outcomes[::2]] == [AlreadyKnown, ReplacementUnderpriced]


async def test_what_is_wrong_with_one_in_unforeseen_ways_keeps_no_other_from_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = await small_chain()
    monkeypatch.setattr(rpc.admission, "decode", lambda raw: decode(raw) if raw else 1 / 0)
    sent = transfer()
    together = await asyncio.gather(*map(small.admission.submit, (b"", sent.raw)), return_exceptions=True)
    assert [type(outcome) for outcome in together] == [ZeroDivisionError, bytes]
    outcomes = await small.admission.submit_all([b"", sent.raw])
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, AlreadyKnown]


async def test_all_of_a_batch_are_given_up_at_once_where_no_validator_is_there() -> None:
    small = await small_chain()
    for validator in small.validators.values():
        validator.connected = False
    sending = asyncio.ensure_future(small.admission.submit_all([transfer(nonce=nonce).raw for nonce in range(5)]))
    await turns()
    waiting = small.admission._deadlines._new
    assert len(waiting) == 5, "the time of all has begun"
    for stored in waiting:
        stored.set_exception(NoValidatorAnswered(10.0))
    assert [type(outcome) for outcome in await sending] == [NoValidatorAnswered] * 5
    assert not waiting


async def test_each_of_a_batch_counts_with_its_share_of_the_time(
    client: Client, process: RpcProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpc.dispatch.time.perf_counter", iter((100.0, 107.0)).__next__)
    await client.post(orjson.dumps(mixed_batch()))
    [(method, count)] = process.node.requests
    assert (method, count.requests, count.failures, count.seconds) == ("eth_sendRawTransaction", 7, 4, 7.0)


async def test_one_that_validators_refuse_takes_no_other_along() -> None:
    small = await small_chain()
    first, refused, last = transfer(KEYS[0]), transfer(KEYS[1]), transfer(KEYS[2])
    for validator in (V0, V1, V2, V3):
        small.validators[validator].refusals[refused.hash] = "no"
    outcomes = await small.admission.submit_all([first.raw, refused.raw, last.raw, first.raw])
    assert outcomes[::2] == [first.hash, last.hash]
    assert [type(outcome) for outcome in outcomes[1::2]] == [RefusedByValidators, AlreadyKnown]


async def test_those_that_come_in_one_turn_are_checked_in_their_order_and_apart() -> None:
    small = await small_chain()
    sent = [transfer(nonce=nonce) for nonce in range(3)]
    raws = [sent[0].raw, b"\x01", sent[1].raw, sent[0].raw, sent[2].raw]
    outcomes = await asyncio.gather(*map(small.admission.submit, raws), return_exceptions=True)
    assert outcomes[::2] == [t.hash for t in sent]
    assert all(isinstance(outcome, TransactionRejected) for outcome in outcomes[1::2])
    assert [t.hash for t in small.admission.pool] == [t.hash for t in sent]


async def test_one_that_comes_alone_is_checked_at_once_and_the_next_with_those_of_its_turn() -> None:
    small = await small_chain()
    stored = small.validators[V0].hold = asyncio.Event()
    for validator in (V1, V2, V3):
        small.validators[validator].hold = stored
    await small.admission.pending_nonce(ACCOUNTS[0])
    sends = []
    for nonce, pooled in ((0, 1), (1, 1)):
        sends.append(asyncio.ensure_future(small.send(transfer(nonce=nonce))))
        await asyncio.sleep(0)
        assert len(small.admission.pool) == pooled
    await turns()
    assert len(small.admission.pool) == 2
    stored.set()
    assert await asyncio.gather(*sends) == [transfer(nonce=nonce).hash for nonce in range(2)]


async def test_whoever_goes_away_before_its_turn_leaves_the_others_theirs() -> None:
    small = await small_chain()
    first, gone, stays = (asyncio.ensure_future(small.send(transfer(key))) for key in KEYS[:3])
    await asyncio.sleep(0)
    gone.cancel()
    assert [await first, await stays] == [transfer(KEYS[0]).hash, transfer(KEYS[2]).hash]
    assert gone.cancelled()
    assert len(small.admission.pool) == 2
