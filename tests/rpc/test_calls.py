"""eth_call and eth_estimateGas: what reader workers are asked, and how their answers are told."""

from dataclasses import replace
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.console_log import ConsoleLogs
from chain.messages.calls import AccountOverride, CallOutcome, RunCall
from chain.revert_reasons import revert_reason
from chain.types import ZERO_ADDRESS, Gas, Wei
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, ETHER, GENESIS_TIME, GWEI, TOKEN, FakeChain

TO_TOKEN = {"to": data_json(TOKEN)}
# From the conversations that ethereum/execution-apis recorded (eth_call/call-revert-abi-error.io and -panic.io).
USER_ERROR = bytes.fromhex(
    "08c379a00000000000000000000000000000000000000000000000000000000000000020"
    "000000000000000000000000000000000000000000000000000000000000000a75736572206572726f72"
)
PANIC = bytes.fromhex("4e487b710000000000000000000000000000000000000000000000000000000000000001")
CUSTOM = bytes.fromhex("cf479181") + bytes(64)


def outcome(error: str = "", output: bytes = b"", gas: int = 21_000) -> CallOutcome:
    return CallOutcome(output, error, Gas(gas))


async def asked(client: Client, chain: FakeChain, *params: Any) -> RunCall:
    """The request that eth_call with these parameters becomes."""
    await client.result("eth_call", *params)
    return chain.callers.calls[-1]


async def test_a_call_has_geths_defaults(client: Client, chain: FakeChain) -> None:
    request = await asked(client, chain, TO_TOKEN)
    assert request.version == chain.head.version
    assert request.call.sender == ZERO_ADDRESS
    assert request.call.gas == 30_000_000
    assert request.call.max_fee == request.call.max_priority_fee == request.call.value == 0
    assert not request.estimate
    assert (await asked(client, chain, TO_TOKEN | {"gas": "0x5f5e100"})).call.gas == 50_000_000


async def test_a_call_may_have_the_gas_of_a_whole_block(client: Client, chain: FakeChain) -> None:
    block = chain.append()
    chain.blocks[-1] = replace(block, header=replace(block.header, gas_limit=Gas(120_000_000)))
    await chain.execution.tell(chain.news())
    assert (await asked(client, chain, TO_TOKEN)).call.gas == 120_000_000
    assert (await asked(client, chain, TO_TOKEN | {"gas": hex(100_000_000)})).call.gas == 100_000_000
    assert (await asked(client, chain, TO_TOKEN | {"gas": hex(200_000_000), "data": "0x01"})).call.gas == 120_000_000
    await client.result("eth_estimateGas", TO_TOKEN)
    assert chain.callers.calls[-1].call.gas == 120_000_000


async def test_the_same_call_of_the_same_block_runs_once(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = outcome(output=b"\x07")
    for _ in range(3):
        assert await client.result("eth_call", TO_TOKEN) == "0x07"
    assert len(chain.callers.calls) == 1
    for given in ({"data": "0x01"}, {"value": "0x1"}, {"from": data_json(ALICE)}, {"gas": "0x5208"}):
        await client.result("eth_call", TO_TOKEN | given)
    await client.result("eth_estimateGas", TO_TOKEN)
    assert len(chain.callers.calls) == 6
    chain.append()
    await chain.execution.tell(chain.news())
    chain.callers.outcome = outcome("execution reverted", CUSTOM)
    for _ in range(2):
        assert await client.error("eth_call", TO_TOKEN) == (3, "execution reverted")
        assert await client.result("eth_call", TO_TOKEN, "earliest") == "0x07"
    assert len(chain.callers.calls) == 7


@pytest.mark.parametrize("error", ["execution aborted (timeout = 5s)", "the remote chain does not answer"])
async def test_a_call_that_failed_for_want_of_something_runs_again(
    client: Client, chain: FakeChain, error: str
) -> None:
    chain.callers.outcome = outcome(error)
    assert await client.error("eth_call", TO_TOKEN) == (-32000, error)
    chain.callers.outcome = outcome(output=b"\x07")
    assert await client.result("eth_call", TO_TOKEN) == "0x07"


async def test_a_call_that_pretends_or_is_large_runs_each_time(client: Client, chain: FakeChain) -> None:
    for _ in range(2):
        await client.result("eth_call", TO_TOKEN, "latest", {data_json(ALICE): {"balance": "0x1"}})
        await client.result("eth_call", TO_TOKEN | {"data": data_json(bytes(5_000))})
    assert len(chain.callers.calls) == 4


async def test_a_call_sees_the_block_it_names(client: Client, chain: FakeChain) -> None:
    chain.append()
    await chain.execution.tell(chain.news())
    at_genesis = await asked(client, chain, TO_TOKEN, "earliest")
    assert (at_genesis.version, at_genesis.environment.number) == (chain.blocks[0].version, 0)
    assert at_genesis.environment.timestamp == GENESIS_TIME
    latest = await asked(client, chain, TO_TOKEN, data_json(chain.head.hash))
    assert (latest.version, latest.environment.number) == (chain.head.version, 1)
    assert latest.environment.base_fee == chain.head.header.base_fee
    pending = await asked(client, chain, TO_TOKEN, "pending")
    assert (pending.version, pending.environment.number) == (chain.head.version, 2)
    assert pending.environment.timestamp > GENESIS_TIME + 1


async def test_data_and_input_are_the_same_thing_and_may_not_differ(client: Client, chain: FakeChain) -> None:
    for given in ({"data": "0x01"}, {"input": "0x01"}, {"data": "0x01", "input": "0x01"}):
        assert (await asked(client, chain, TO_TOKEN | given)).call.data == b"\x01"
    words = 'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data'
    assert await client.error("eth_call", TO_TOKEN | {"data": "0x01", "input": "0x02"}) == (-32000, words)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"gasPrice": "0x1", "maxFeePerGas": "0x1"},
            (-32000, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"),
        ),
        (
            {"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"},
            (-32000, "maxFeePerGas (0x1) < maxPriorityFeePerGas (0x2)"),
        ),
        ({"chainId": "0x1"}, (-32000, "chainId does not match node's (have=1, want=31337)")),
        ({"to": None, "blobVersionedHashes": []}, (-32000, "blob transaction of type create")),
        ({"blobVersionedHashes": []}, (-32000, "blob transaction missing blob hashes")),
        (
            {"authorizationList": []},
            (-32000, f"EIP-7702 transaction with empty auth list (sender {checksummed(ZERO_ADDRESS)})"),
        ),
    ],
)
async def test_contradictions_are_refused(client: Client, given: dict[str, Any], expected: tuple[int, str]) -> None:
    assert await client.error("eth_call", TO_TOKEN | given) == expected


async def test_a_call_ignores_blobs_and_has_their_hashes(client: Client, chain: FakeChain) -> None:
    given = {"blobs": ["0x00"], "proofs": [], "blobVersionedHashes": [word_json(1)], "maxFeePerBlobGas": "0x7"}
    call = (await asked(client, chain, TO_TOKEN | given)).call
    assert ([int.from_bytes(each, "big") for each in call.blob_hashes], call.max_blob_fee) == ([1], 7)
    words = "blobs are taken in raw transactions only: sign it, and send it by eth_sendRawTransaction"
    assert await client.error("eth_sendTransaction", {"from": data_json(ALICE)} | TO_TOKEN | given) == (-32602, words)


async def test_state_overrides_go_with_the_call(client: Client, chain: FakeChain) -> None:
    given = {"balance": "0x1", "nonce": "0x2", "code": "0x00", "stateDiff": {word_json(1): word_json(2)}}
    for method in ("eth_call", "eth_estimateGas"):
        await client.result(method, TO_TOKEN, "latest", {data_json(ALICE): given})
        (override,) = chain.callers.calls[-1].overrides
        assert override == AccountOverride(ALICE, 2, Wei(1), b"\0", {1: 2}, replaces_storage=False)
    whole = {data_json(TOKEN): {"state": {}, "movePrecompileToAddress": data_json(BOB)}}
    await client.result("eth_call", TO_TOKEN, "latest", whole)
    (override,) = chain.callers.calls[-1].overrides
    assert override == AccountOverride(TOKEN, replaces_storage=True, precompile_moves_to=BOB)
    await client.result("eth_call", TO_TOKEN, "latest", {data_json(TOKEN): None})
    assert chain.callers.calls[-1].overrides == (AccountOverride(TOKEN),)


async def test_block_overrides_change_what_the_call_sees_under_old_and_new_names(
    client: Client, chain: FakeChain
) -> None:
    newer = {"number": "0x7", "time": "0x8", "gasLimit": "0x989680", "feeRecipient": data_json(BOB)}
    newer |= {"prevRandao": word_json(9), "baseFeePerGas": "0xa", "blobBaseFee": "0xb"}
    older = {"coinbase": data_json(BOB), "random": word_json(9), "baseFee": "0xa", "difficulty": "0x1"}
    await client.result("eth_call", TO_TOKEN, "latest", None, newer)
    seen = chain.callers.calls[-1].environment
    assert (seen.number, seen.timestamp, seen.gas_limit, seen.beneficiary) == (7, 8, 10_000_000, BOB)
    assert (int.from_bytes(seen.prev_randao, "big"), seen.base_fee, seen.blob_base_fee) == (9, 10, 11)
    await client.result("eth_estimateGas", TO_TOKEN, "latest", None, older)
    seen = chain.callers.calls[-1].environment
    assert (int.from_bytes(seen.prev_randao, "big"), seen.base_fee, seen.beneficiary) == (9, 10, BOB)
    assert seen.number == chain.head.header.number


async def test_a_pretended_gas_limit_gives_no_more_gas_than_calls_may_have(client: Client, chain: FakeChain) -> None:
    for given in (TO_TOKEN, TO_TOKEN | {"gas": hex(2**63)}):
        await client.result("eth_call", given, "latest", None, {"gasLimit": hex(2**63)})
        assert chain.callers.calls[-1].call.gas == 50_000_000


async def test_an_estimate_takes_a_pretended_balance_for_the_senders(client: Client, chain: FakeChain) -> None:
    given = TO_TOKEN | {"from": data_json(TOKEN), "maxFeePerGas": "0xa"}
    await client.result("eth_estimateGas", given, "latest", {data_json(TOKEN): {"balance": hex(300_000)}})
    assert chain.callers.calls[-1].call.gas == 30_000


@pytest.mark.parametrize(
    ("state", "block", "expected"),
    [
        (
            {data_json(ALICE): {"state": {}, "stateDiff": {}}},
            {},
            (-32000, f"account {checksummed(ALICE)} has both 'state' and 'stateDiff'"),
        ),
        (
            {},
            {"beaconRoot": word_json(1)},
            (-32000, 'block override "beaconRoot" is not supported for this RPC method'),
        ),
        ({}, {"withdrawals": []}, (-32000, 'block override "withdrawals" is not supported for this RPC method')),
    ],
)
async def test_overrides_that_cannot_be_are_refused(
    client: Client, state: dict[str, Any], block: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert await client.error("eth_call", TO_TOKEN, "latest", state, block) == expected


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (USER_ERROR, "execution reverted: user error"),
        (PANIC, "execution reverted: assert(false)"),
        (CUSTOM, "execution reverted"),
        (b"", "execution reverted"),
    ],
)
async def test_a_revert_is_told_with_its_data(client: Client, chain: FakeChain, output: bytes, message: str) -> None:
    chain.callers.outcome = outcome("execution reverted", output)
    for method in ("eth_call", "eth_estimateGas"):
        answer = await client.ask(method, TO_TOKEN)
        assert answer["error"] == {"code": 3, "message": message, "data": data_json(output)}


def test_data_that_only_looks_like_a_reason_is_none() -> None:
    assert revert_reason(USER_ERROR[:-1]) == ""
    assert revert_reason(USER_ERROR[:4]) == ""
    assert revert_reason(USER_ERROR[:4] + b"\xff" * 64) == ""
    assert revert_reason(PANIC[:-1]) == ""
    assert revert_reason(PANIC[:-1] + b"\x77") == "unknown panic code: 0x77"


async def test_other_failures_keep_the_words_of_the_machine(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = outcome("invalid opcode: INVALID")
    assert await client.error("eth_call", TO_TOKEN) == (-32000, "invalid opcode: INVALID")
    chain.callers.outcome = outcome("out of gas")
    assert await client.error("eth_call", TO_TOKEN) == (-32000, "out of gas")
    assert await client.error("eth_estimateGas", TO_TOKEN) == (-32000, "gas required exceeds allowance (30000000)")


async def test_an_estimate_is_searched_up_to_what_the_sender_can_pay(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = outcome(gas=53_000)
    given = TO_TOKEN | {"from": data_json(ALICE), "maxFeePerGas": hex(ETHER // 1000), "value": hex(9_990 * ETHER)}
    assert await client.result("eth_estimateGas", given) == hex(53_000)
    request = chain.callers.calls[-1]
    assert request.estimate
    assert request.call.gas == 10_000
    given["value"] = hex(10_001 * ETHER)
    assert await client.error("eth_estimateGas", given) == (-32000, "insufficient funds for transfer")


async def test_an_estimate_of_nobodys_transaction_has_what_it_gives(client: Client, chain: FakeChain) -> None:
    chain.callers.outcome = outcome(gas=21_000)
    assert await client.result("eth_estimateGas", TO_TOKEN | {"value": "0x1", "maxFeePerGas": hex(GWEI)}) == hex(21_000)
    [endowed] = chain.callers.calls[-1].overrides
    assert (endowed.address, endowed.balance) == (ZERO_ADDRESS, 2**128)
    pretended = {data_json(ZERO_ADDRESS): {"balance": "0x0"}}
    assert await client.error(
        "eth_estimateGas", TO_TOKEN | {"value": "0x1", "maxFeePerGas": "0x1"}, "latest", pretended
    )


async def test_a_tip_alone_has_the_fee_cap_of_a_transaction_to_send(client: Client, chain: FakeChain) -> None:
    request = await asked(client, chain, TO_TOKEN | {"from": data_json(ALICE), "maxPriorityFeePerGas": "0x3"})
    assert (request.call.max_fee, request.call.max_priority_fee) == (2 * request.environment.base_fee + 3, 3)


async def test_a_call_that_takes_too_long_is_aborted(
    client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: RunCall) -> CallOutcome:
        raise TimeoutError

    monkeypatch.setattr(chain.callers, "call", hang)
    assert await client.error("eth_call", TO_TOKEN) == (-32000, "execution aborted (timeout = 5s)")


async def test_a_legacy_price_stands_for_both_fees(client: Client, chain: FakeChain) -> None:
    request = await asked(client, chain, TO_TOKEN | {"gasPrice": hex(2 * GWEI)})
    assert (request.call.max_fee, request.call.max_priority_fee) == (2 * GWEI, 2 * GWEI)


@pytest.mark.parametrize("method", ["eth_call", "eth_estimateGas"])
async def test_what_a_call_logged_is_shown_with_its_method(client: Client, chain: FakeChain, method: str) -> None:
    await client.result(method, TO_TOKEN)
    assert chain.console.logged == []
    logs = ConsoleLogs((b"\x51\x97\x3e\xc9",))
    chain.callers.outcome = CallOutcome(b"", "execution reverted", Gas(0), logs)
    for _ in range(2):  # the same call runs once, and is answered twice
        await client.error(method, TO_TOKEN | {"from": data_json(ALICE), "value": "0x1"})
    for name, call, shown in chain.console.logged:
        assert (name, call.to, shown) == (method, TOKEN, logs)
    assert (len(chain.console.logged), len(chain.callers.calls)) == (2, 2)
