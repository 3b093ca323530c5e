"""The methods that send and sign, in JSON."""

import asyncio
from dataclasses import replace
from typing import Any

import eth_account
import pytest

from chain.accounts import Account, AccountChange
from chain.addresses import checksummed
from chain.messages.calls import CallOutcome
from chain.messages.mempool import Admit
from chain.messages.simulation import Simulated
from chain.transactions import ACCESS_LIST, DYNAMIC_FEE, LEGACY, SET_CODE, Transaction, decode_transaction
from chain.types import Gas, Wei
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, CHAIN_ID, ETHER, GWEI, KEYS, TOKEN, FakeChain, transfer
from tests.rpc.small_chain import turns

ALICE_JSON, BOB_JSON = data_json(ALICE), data_json(BOB)
NOBODY = "0x" + 40 * "1"
ZERO_WORD = "0x" + 64 * "0"
ACCESS = [{"address": data_json(TOKEN), "storageKeys": ["0x" + 64 * "0"]}]
AUTHORIZATION = {"chainId": "0x1", "address": BOB_JSON, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1"}


@pytest.fixture
def chain() -> FakeChain:
    """One without automatic blocks, for which eth_sendTransaction does not wait."""
    chain = FakeChain()
    chain.settings = replace(chain.settings, automine=False)
    return chain


def arrived(chain: FakeChain) -> list[Transaction]:
    """What the first validator was sent."""
    admits = [message for message in chain.validator(0).asked if isinstance(message, Admit)]
    return [decode_transaction(t.raw) for admit in admits for t in admit.transactions]


async def sent(client: Client, chain: FakeChain, **fields: Any) -> Transaction:
    """The transaction that eth_sendTransaction makes of these fields."""
    answer = await client.result("eth_sendTransaction", {"from": ALICE_JSON, "to": BOB_JSON, **fields})
    await turns()
    [transaction] = [t for t in arrived(chain) if data_json(t.hash) == answer]
    assert transaction.sender() == ALICE
    return transaction


async def test_a_raw_transaction_is_admitted_and_shown_as_pending(client: Client, process: RpcProcess) -> None:
    signed = transfer(0)
    assert await client.result("eth_sendRawTransaction", data_json(signed.raw)) == data_json(signed.hash)
    shown = await client.result("eth_getTransactionByHash", data_json(signed.hash))
    assert shown["blockHash"] is None
    assert shown["from"] == ALICE_JSON
    assert await client.result("eth_getTransactionCount", ALICE_JSON, "pending") == "0x1"
    assert await client.result("eth_getTransactionCount", ALICE_JSON, "latest") == "0x0"


async def test_the_pending_transactions_of_the_unlocked_accounts_are_listed(client: Client) -> None:
    await client.result("eth_sendRawTransaction", data_json(transfer(0).raw))
    await client.result("eth_sendRawTransaction", data_json(transfer(2).raw))
    (shown,) = await client.result("eth_pendingTransactions")
    assert shown["hash"] == data_json(transfer(0).hash), "the other one waits for a nonce"
    assert {"eth", "debug", "txpool"} <= set(await client.result("rpc_modules"))
    assert await client.result("eth_mining") is False


async def test_a_refused_transaction_has_geths_code_and_words(client: Client) -> None:
    poor = transfer(0, value=20_000 * ETHER)
    code, message = await client.error("eth_sendRawTransaction", data_json(poor.raw))
    assert code == -32000
    cost = 20_000 * ETHER + 21_000 * 3 * GWEI
    figures = f"balance {10_000 * ETHER}, tx cost {cost}, overshot {cost - 10_000 * ETHER}"
    assert message == f"insufficient funds for gas * price + value: {figures}"


async def test_a_sent_transaction_is_filled_in_and_signed(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = CallOutcome(b"", "", Gas(21_000))
    first = await sent(client, chain, value="0x5")
    base_fee = int(await client.result("eth_baseFee"), 16)
    assert (first.type, first.nonce, first.value, first.gas) == (DYNAMIC_FEE, 0, 5, 21_000)
    assert first.chain_id == CHAIN_ID
    assert first.max_priority_fee == GWEI
    assert first.max_fee == 2 * base_fee + GWEI
    assert (await sent(client, chain)).nonce == 1
    estimate = chain.callers.calls[0]
    assert estimate.estimate
    assert (estimate.call.sender, estimate.call.max_fee) == (ALICE, first.max_fee)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"gasPrice": "0x77359400"}, {"type": LEGACY, "max_fee": 2 * GWEI}),
        ({"gasPrice": "0x77359400", "accessList": ACCESS}, {"type": ACCESS_LIST}),
        ({"accessList": ACCESS}, {"type": DYNAMIC_FEE}),
        ({"type": "0x0"}, {"type": LEGACY}),
        ({"type": "0x0", "accessList": []}, {"type": LEGACY}),
        ({"type": "0x1"}, {"type": ACCESS_LIST}),
        ({"type": "0x0", "maxFeePerGas": "0x77359400"}, {"type": DYNAMIC_FEE}),
        ({"authorizationList": [AUTHORIZATION], "gas": "0xc350"}, {"type": SET_CODE, "gas": 50_000}),
        ({"maxPriorityFeePerGas": "0x7"}, {"max_priority_fee": 7}),
        ({"maxFeePerGas": "0x9"}, {"max_fee": 9, "max_priority_fee": 9}),
        ({"maxFeePerGas": "0xb2d05e00", "maxPriorityFeePerGas": "0x0"}, {"max_fee": 3 * GWEI, "max_priority_fee": 0}),
        ({"nonce": "0x0", "gas": "0x7530"}, {"nonce": 0, "gas": 30_000}),
        ({"data": "0x00", "gas": "0x7530"}, {"data": b"\0"}),
        ({"data": "0x00", "input": "0x00", "chainId": "0x7a69", "gas": "0x7530"}, {"data": b"\0"}),
    ],
)
async def test_what_is_given_is_kept_and_says_which_type_it_is(
    client: Client, chain: FakeChain, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    chain.callers.outcome = CallOutcome(b"", "", Gas(60_000))
    transaction = await sent(client, chain, **fields)
    assert {name: getattr(transaction, name) for name in expected} == expected


async def test_transactions_sent_at_once_from_one_account_take_different_nonces(
    client: Client, chain: FakeChain
) -> None:
    fields = {"from": ALICE_JSON, "to": BOB_JSON}
    await asyncio.gather(*(client.result("eth_sendTransaction", fields) for _ in range(20)))
    await turns()
    assert sorted(t.nonce for t in arrived(chain)) == list(range(20))


async def test_the_next_nonce_waits_for_a_sender_that_is_read_again(client: Client, chain: FakeChain) -> None:
    assert (await sent(client, chain)).nonce == 0
    carol = chain.append(transfer(0, KEYS[2], to=ALICE, value=9_000 * ETHER))
    assert ALICE not in [state.address for state in chain.news(carol).senders]
    await chain.execution.tell(chain.news(carol))
    large = {"from": ALICE_JSON, "to": BOB_JSON, "value": hex(15_000 * ETHER), "gas": "0x5208"}
    small = {"from": ALICE_JSON, "to": BOB_JSON, "gas": "0x5208"}
    await asyncio.gather(client.result("eth_sendTransaction", large), client.result("eth_sendTransaction", small))
    await turns()
    assert [t.nonce for t in arrived(chain)] == [0, 1, 2]


async def test_a_transaction_that_is_refused_uses_no_nonce(client: Client, chain: FakeChain) -> None:
    code, _ = await client.error(
        "eth_sendTransaction", {"from": ALICE_JSON, "to": BOB_JSON, "value": hex(20_000 * ETHER), "gas": "0x5208"}
    )
    assert code == -32000
    assert (await sent(client, chain)).nonce == 0


async def test_without_a_sender_the_first_account_sends(client: Client, chain: FakeChain) -> None:
    await client.result("eth_sendTransaction", {"to": BOB_JSON})
    (transaction,) = arrived(chain)
    assert transaction.sender() == ALICE
    assert [estimated.call.sender for estimated in chain.callers.calls] == [ALICE]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"from": NOBODY}, "unknown account"),
        ({"to": None}, "contract creation without any data provided"),
        ({"chainId": "0x1"}, "chainId does not match node's (have=1, want=31337)"),
        ({"gasPrice": "0x0"}, "gasPrice must be non-zero after london fork"),
        ({"maxFeePerGas": "0x0"}, "maxFeePerGas must be non-zero"),
        (
            {"gasPrice": "0x1", "maxFeePerGas": "0x1"},
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ),
        ({"gasPrice": "0x1", "authorizationList": [AUTHORIZATION]}, "both gasPrice and authorizationList specified"),
        ({"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}, "maxFeePerGas (0x1) < maxPriorityFeePerGas (0x2)"),
        (
            {"data": "0x01", "input": "0x02"},
            'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
        ),
        (
            {"to": None, "data": "0x00", "authorizationList": [AUTHORIZATION]},
            'authorizationList provided for contract creation, but "to" field is missing',
        ),
        ({"gas": "0x4e20"}, "intrinsic gas too low: gas 20000, minimum needed 21000"),
    ],
)
async def test_contradictions_are_refused_in_geths_words(client: Client, fields: dict[str, Any], words: str) -> None:
    given = {"from": ALICE_JSON, "to": BOB_JSON, **fields}
    assert await client.error("eth_sendTransaction", given) == (-32000, words)


async def test_a_transaction_whose_estimate_reverts_is_not_sent(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = CallOutcome(b"", "execution reverted", Gas(0))
    answer = await client.error("eth_sendTransaction", {"from": ALICE_JSON, "to": BOB_JSON})
    assert answer == (3, "execution reverted")
    assert arrived(chain) == []


async def test_signing_sends_nothing_and_shows_what_was_signed(client: Client, chain: FakeChain) -> None:
    fields = {"from": ALICE_JSON, "to": BOB_JSON, "nonce": "0x4", "gas": "0x5208", "gasPrice": "0x5"}
    answer = await client.result("eth_signTransaction", fields)
    signed = decode_transaction(bytes.fromhex(answer["raw"][2:]))
    assert (signed.sender(), signed.nonce, signed.max_fee) == (ALICE, 4, 5)
    assert answer["tx"]["hash"] == data_json(signed.hash)
    assert answer["tx"]["nonce"] == "0x4"
    assert "blockHash" not in answer["tx"]
    assert arrived(chain) == []


async def test_a_blob_transaction_is_filled_in_and_signed_by_its_hashes(client: Client, chain: FakeChain) -> None:
    """Its blobs come with eth_sendRawTransaction; signed as eth-account signs it."""
    blob_hash = "0x01" + "22" * 31
    chain.callers.outcome = CallOutcome(b"", "", Gas(30_000))
    wanted = {"from": ALICE_JSON, "to": BOB_JSON, "blobVersionedHashes": [blob_hash]}
    filled = (await client.result("eth_fillTransaction", wanted))["tx"]
    assert (filled["type"], filled["blobVersionedHashes"], filled["maxFeePerBlobGas"]) == ("0x3", [blob_hash], "0x2")
    names = ("to", "nonce", "gas", "value", "maxFeePerGas", "maxPriorityFeePerGas", "maxFeePerBlobGas")
    given = {name: filled[name] for name in names}
    answer = await client.result("eth_signTransaction", wanted | given)
    rest = {"type": 3, "chainId": CHAIN_ID, "data": b"", "accessList": [], "blobVersionedHashes": [blob_hash]}
    theirs = eth_account.Account.sign_transaction({**given, **rest, "to": checksummed(BOB)}, KEYS[0])
    assert answer["raw"] == data_json(bytes(theirs.raw_transaction))
    assert arrived(chain) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"blobVersionedHashes": []}, "need at least 1 blob for a blob transaction"),
        ({"blobVersionedHashes": [ZERO_WORD] * 7}, "too many blobs in transaction (have=7, max=6)"),
        ({"blobVersionedHashes": [ZERO_WORD], "to": None}, 'missing "to" in blob transaction'),
        ({"blobVersionedHashes": [ZERO_WORD], "gasPrice": "0x5"}, "both gasPrice and blobVersionedHashes specified"),
        (
            {"blobVersionedHashes": [ZERO_WORD], "maxFeePerBlobGas": "0x0"},
            "maxFeePerBlobGas, if specified, must be non-zero",
        ),
    ],
)
async def test_blobs_that_no_transaction_can_have_are_refused(client: Client, said: dict[str, Any], words: str) -> None:
    answer = await client.error("eth_fillTransaction", {"from": ALICE_JSON, "to": BOB_JSON, "data": "0x00"} | said)
    assert answer == (-32000, words)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("gas", "gas not specified"),
        ("gasPrice", "missing gasPrice or maxFeePerGas/maxPriorityFeePerGas"),
        ("nonce", "nonce not specified"),
    ],
)
async def test_signing_wants_everything_given(client: Client, missing: str, words: str) -> None:
    fields = {"from": ALICE_JSON, "to": BOB_JSON, "nonce": "0x4", "gas": "0x5208", "gasPrice": "0x5"}
    del fields[missing]
    assert await client.error("eth_signTransaction", fields) == (-32000, words)


async def test_filling_in_signs_nothing(client: Client) -> None:
    dynamic = await client.result("eth_fillTransaction", {"from": ALICE_JSON, "to": BOB_JSON})
    assert dynamic["tx"]["gas"] == "0x5208"
    assert dynamic["tx"]["r"] == dynamic["tx"]["s"] == "0x0"
    assert dynamic["raw"].startswith("0x02")
    legacy = await client.result("eth_fillTransaction", {"from": ALICE_JSON, "to": BOB_JSON, "gasPrice": "0x5"})
    assert legacy["raw"].endswith("80808080")  # no data, and v, r and s of zero


async def test_the_accounts_are_those_of_the_keys(client: Client) -> None:
    accounts = await client.result("eth_accounts")
    assert len(accounts) == len(KEYS)
    assert accounts[:2] == [ALICE_JSON, BOB_JSON]
    assert await client.result("eth_requestAccounts") == accounts


async def test_messages_are_signed_under_both_names(client: Client) -> None:
    signature = await client.result("eth_sign", ALICE_JSON, "0x1234")
    assert len(signature) == 132
    assert await client.result("personal_sign", "0x1234", ALICE_JSON) == signature
    assert await client.result("personal_sign", "0x1234", ALICE_JSON, "password") == signature
    assert await client.error("eth_sign", NOBODY, "0x12") == (-32000, "unknown account")
    assert (await client.error("eth_sign", ALICE_JSON))[0] == -32602


async def test_typed_data_is_signed_under_all_names(client: Client) -> None:
    typed_data = {
        "types": {"EIP712Domain": [], "Vote": [{"name": "yes", "type": "bool"}]},
        "primaryType": "Vote",
        "domain": {},
        "message": {"yes": True},
    }
    names = ("eth_signTypedData", "eth_signTypedData_v3", "eth_signTypedData_v4")
    signatures = {await client.result(name, ALICE_JSON, typed_data) for name in names}
    assert len(signatures) == 1
    code, message = await client.error("eth_signTypedData_v4", ALICE_JSON, {})
    assert code == -32602
    assert message.startswith("invalid typed data: ")
    assert await client.error("eth_signTypedData_v4", NOBODY, typed_data) == (-32000, "unknown account")


async def test_with_automatic_blocks_a_sent_transaction_is_answered_when_its_block_is_there(
    client: Client, process: RpcProcess, chain: FakeChain
) -> None:
    settings = replace(chain.settings, automine=True)
    await chain.execution.tell(replace(chain.news(), settings=settings))
    fields = {"from": ALICE_JSON, "to": BOB_JSON, "gas": "0x5208"}
    answer = asyncio.create_task(client.result("eth_sendTransaction", fields))
    await turns()
    (transaction,) = arrived(chain)
    assert not answer.done()
    chain.append(transaction)
    await chain.execution.tell(replace(chain.news(), settings=settings))
    assert await answer == data_json(transaction.hash)
    assert await client.result("eth_getTransactionCount", ALICE_JSON, "latest") == "0x1"


async def test_a_legacy_transaction_cannot_carry_an_access_list(client: Client) -> None:
    fields = {"from": ALICE_JSON, "to": BOB_JSON, "type": "0x0", "accessList": ACCESS}
    code, message = await client.error("eth_sendTransaction", fields)
    assert code == -32602
    assert message.startswith("a transaction of type 0x0 has no access list: leave out accessList")


async def test_what_is_filled_in_is_not_below_the_least_tip(client: Client, chain: FakeChain) -> None:
    await client.result("miner_setGasPrice", hex(2 * GWEI))
    base_fee = int(await client.result("eth_baseFee"), 16)
    assert await client.result("eth_maxPriorityFeePerGas") == hex(2 * GWEI)
    assert await client.result("eth_gasPrice") == hex(base_fee + 2 * GWEI)
    transaction = await sent(client, chain)
    assert (transaction.max_priority_fee, transaction.max_fee) == (2 * GWEI, 2 * base_fee + 2 * GWEI)
    code, message = await client.error("miner_setGasPrice", hex(2**64))
    assert (code, message) == (-32602, f'invalid argument 0: number "{hex(2**64)}" is not below 2**64')


async def test_a_fee_cap_that_outbids_a_waiting_transaction_brings_a_tip_that_does(
    client: Client, chain: FakeChain
) -> None:
    first = await sent(client, chain, nonce="0x0", maxFeePerGas=hex(10 * GWEI))
    assert first.max_priority_fee == GWEI
    second = await sent(client, chain, nonce="0x0", maxFeePerGas=hex(20 * GWEI))
    assert (second.max_fee, second.max_priority_fee) == (20 * GWEI, GWEI * 11 // 10)
    again = {"from": ALICE_JSON, "to": BOB_JSON, "nonce": "0x0", "maxFeePerGas": hex(20 * GWEI)}
    assert await client.error("eth_sendTransaction", again) == (-32000, "replacement transaction underpriced")


async def test_who_cannot_pay_for_any_transaction_is_told_of_too_little_funds(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = CallOutcome(b"", "out of gas", Gas(0))
    given = {"from": ALICE_JSON, "data": "0x00", "maxFeePerGas": hex(ETHER)}
    code, message = await client.error("eth_sendTransaction", given)
    balance = 10_000 * ETHER
    assert code == -32000
    assert message.startswith(
        f"insufficient funds for gas * price + value: balance {balance}, tx cost {21_000 * ETHER}"
    )
    enough = given | {"maxFeePerGas": hex(10 * GWEI)}
    assert await client.error("eth_sendTransaction", enough) == (-32000, "gas required exceeds allowance (30000000)")


async def test_an_estimate_sees_what_waits_for_a_block(client: Client, chain: FakeChain) -> None:
    chain.callers.simulated = Simulated(0, (), (AccountChange(BOB, Account(balance=Wei(7)), {}),))
    given = {"from": ALICE_JSON, "to": BOB_JSON}
    await sent(client, chain, nonce="0x0")
    await client.result("eth_estimateGas", given)
    assert [override.address for override in chain.callers.calls[-1].overrides] == [BOB]
    await client.result("eth_estimateGas", given, "latest")
    assert chain.callers.calls[-1].overrides == ()
