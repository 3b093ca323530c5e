"""trace_call*, trace_rawTransaction and trace_replay*, over a chain whose readers answer with given traces."""

from typing import Any

import orjson
import pytest

from chain.accounts import Account, AccountChange
from chain.messages.calls import CallMessage
from chain.messages.simulation import Simulated
from chain.types import Wei
from rpc.render import data_json
from rpc.state_differences import state_difference
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, FakeChain, transfer
from tests.rpc.test_call_traces import CALL, INNER, NOWHERE

WORD = [f"0x{number:064x}" for number in range(3)]
BEFORE = {data_json(ALICE): {"balance": "0x5", "nonce": 3}}
AFTER = {data_json(ALICE): {"balance": "0x4", "nonce": 4}}
TOLD: dict[str, Any] = {
    "output": "0x2a",
    "stateDiff": {
        data_json(ALICE): {
            "balance": {"*": {"from": "0x5", "to": "0x4"}},
            "nonce": {"*": {"from": "0x3", "to": "0x4"}},
            "code": "=",
            "storage": {},
        }
    },
    "trace": [CALL, INNER],
    "vmTrace": None,
}
BOTH = ["trace", "stateDiff"]
TO_BOB = {"from": data_json(ALICE), "to": data_json(BOB), "value": "0x1"}


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0), transfer(1))
    chain.append()
    run = {
        "flatCallTracer": [CALL, INNER],
        "prestateTracer": {"pre": BEFORE, "post": AFTER},
        "vmTrace": '{"code":"0x","ops":[]}',
    }
    chain.callers.run_trace = orjson.dumps(run)
    return chain


def calls_of(chain: FakeChain) -> list[CallMessage]:
    return [traced.call for request in chain.callers.runs for traced in request.calls]


async def test_a_replay_has_what_was_asked_for(client: Client, chain: FakeChain) -> None:
    hashes = [data_json(transfer(nonce).hash) for nonce in range(2)]
    assert await client.result("trace_replayTransaction", hashes[0], BOTH) == TOLD | {"transactionHash": hashes[0]}
    assert await client.result("trace_replayBlockTransactions", "0x1", ["trace"]) == [
        TOLD | {"stateDiff": None, "transactionHash": each} for each in hashes
    ]
    assert (await client.result("trace_replayTransaction", hashes[0], ["stateDiff"]))["trace"] == []
    stepped = await client.result("trace_replayTransaction", hashes[0], [*BOTH, "vmTrace"])
    assert stepped["vmTrace"] == {"code": "0x", "ops": []}
    wants = ["vmTrace" in orjson.loads(request.options) for request in chain.callers.runs]
    assert wants == [False, False, False, True]
    for without in ("0x0", "latest", "0x99"):
        assert await client.result("trace_replayBlockTransactions", without, BOTH) == []
    assert (await client.error("trace_replayBlockTransactions", "0x1", ["vmtrace"]))[0] == -32602
    assert await client.error("trace_replayTransaction", NOWHERE, []) == (-32000, "transaction not found")


async def test_a_call_is_traced_on_a_block(client: Client, chain: FakeChain) -> None:
    state = {data_json(BOB): {"balance": "0x1"}}
    assert await client.result("trace_call", TO_BOB, BOTH, "0x1", state, {"number": "0x9"}) == TOLD
    (request,) = chain.callers.runs
    (traced,) = request.calls
    assert (request.base, request.transactions) == (chain.blocks[1].version, ())
    assert (traced.environment.number, traced.overrides[0].address, traced.call.value) == (9, BOB, 1)
    assert await client.error("trace_call", TO_BOB, BOTH, "0x99") == (-32000, "block #153 not found")


async def test_calls_are_traced_one_after_the_other_in_one_request(client: Client, chain: FakeChain) -> None:
    wanted = [[TO_BOB, ["trace"]], [TO_BOB | {"value": "0x2"}, []]]
    told = [TOLD | {"stateDiff": None}, TOLD | {"stateDiff": None, "trace": []}]
    assert await client.result("trace_callMany", wanted) == told
    assert [call.value for call in calls_of(chain)] == [1, 2]
    assert len(chain.callers.runs) == 1
    assert await client.result("trace_callMany", []) == []
    assert (await client.error("trace_callMany", [[TO_BOB]]))[0] == -32602
    assert await client.error("trace_callMany", [[TO_BOB, []]] * 257) == (-32005, "more than 256 calls")


async def test_a_signed_transaction_is_traced_without_being_sent(client: Client, chain: FakeChain) -> None:
    raw = transfer(2).raw
    assert await client.result("trace_rawTransaction", data_json(raw), BOTH) == TOLD
    (call,) = calls_of(chain)
    assert (call.sender, call.to, call.gas) == (ALICE, transfer(2).to, transfer(2).gas)
    assert await client.result("trace_rawTransaction", data_json(raw), BOTH, "0x1") == TOLD
    assert [request.base for request in chain.callers.runs] == [chain.head.version, chain.blocks[1].version]
    assert (await client.error("trace_rawTransaction", data_json(raw[:-1]), BOTH))[0] == -32000
    chain.callers.simulated = Simulated(0, (), (AccountChange(BOB, Account(balance=Wei(7)), {}),))
    await client.result("eth_sendRawTransaction", data_json(raw))
    for reference, seen in (("pending", [BOB]), ("latest", [])):
        await client.result("trace_rawTransaction", data_json(transfer(3).raw), BOTH, reference)
        (traced,) = chain.callers.runs[-1].calls
        assert ([override.address for override in traced.overrides], traced.environment.number) == (
            seen,
            chain.head.header.number + len(seen),
        )


async def test_a_transaction_that_is_only_traced_is_not_sent(client: Client) -> None:
    await client.result("trace_rawTransaction", data_json(transfer(2).raw), BOTH)
    assert await client.result("txpool_status") == {"pending": "0x0", "queued": "0x0"}


def test_accounts_are_added_removed_or_changed() -> None:
    before = {"0xa": {"balance": "0x1", "code": "0xfe", "storage": {WORD[1]: WORD[2]}}, "0xb": {"balance": "0x7"}}
    after = {"0xa": {"storage": {WORD[2]: WORD[1]}}, "0xc": {"balance": "0x2", "storage": {WORD[0]: WORD[1]}}}
    assert state_difference(before, after) == {
        "0xa": {
            "balance": "=",
            "nonce": "=",
            "code": "=",
            "storage": {
                WORD[1]: {"*": {"from": WORD[2], "to": WORD[0]}},
                WORD[2]: {"*": {"from": WORD[0], "to": WORD[1]}},
            },
        },
        "0xb": {"balance": {"-": "0x7"}, "nonce": {"-": "0x0"}, "code": {"-": "0x"}, "storage": {}},
        "0xc": {
            "balance": {"+": "0x2"},
            "nonce": {"+": "0x0"},
            "code": {"+": "0x"},
            "storage": {WORD[0]: {"+": WORD[1]}},
        },
    }
