"""debug_trace* and eth_createAccessList: what readers are asked, and how their traces are answered."""

from typing import Any

import orjson
import pytest

from chain.block_case import CaseTransaction
from chain.messages.simulation import RunSimulation, Simulated, SimulationFailed
from chain.messages.traces import TraceFailed, TraceRuns
from chain.operations import INITIAL_SETTINGS
from chain.transactions import AccessListEntry
from chain.types import Version
from rpc.environments import environment_in
from rpc.process import RpcProcess
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, BOB, TOKEN, FakeChain, transfer

TO_TOKEN = {"to": data_json(TOKEN)}


@pytest.fixture
def chain() -> FakeChain:
    chain = FakeChain()
    chain.append(transfer(0), transfer(1), transfer(2))
    return chain


async def test_a_transaction_is_traced_behind_those_before_it(client: Client, chain: FakeChain) -> None:
    block, traced = chain.head, transfer(1)
    chain.callers.run_trace = b'{"gas":1}'
    options = {"tracer": "callTracer", "tracerConfig": {"withLog": True}, "timeout": "1.5s"}
    assert await client.result("debug_traceTransaction", data_json(traced.hash), options) == {"gas": 1}
    (request,) = chain.callers.runs
    assert request.base == Version(block.version - 1)
    assert request.begins_block
    assert request.environment == environment_in(block, chain.genesis, INITIAL_SETTINGS)
    assert request.transactions == tuple(CaseTransaction(transfer(n).raw, ALICE) for n in (0, 1))
    assert (request.first_traced, request.run_limit_ms) == (1, 1500)
    assert (request.tracer, orjson.loads(request.options)) == ("callTracer", {"withLog": True})


async def test_a_block_is_traced_whole_by_number_and_by_hash(client: Client, chain: FakeChain) -> None:
    expected = [{"txHash": data_json(transfer(n).hash), "result": {}} for n in range(3)]
    assert await client.result("debug_traceBlockByNumber", "0x1", {"disableStack": True, "tracer": ""}) == expected
    assert await client.result("debug_traceBlockByHash", data_json(chain.head.hash)) == expected
    first, second = chain.callers.runs
    assert (first.first_traced, len(first.transactions)) == (0, 3)
    assert (first.tracer, orjson.loads(first.options)) == ("", {"disableStack": True})
    assert (second.options, second.run_limit_ms) == (b"{}", 5_000)


async def test_a_block_is_traced_from_its_encoding_on_its_parents_state(client: Client, chain: FakeChain) -> None:
    encoded = await client.result("debug_getRawBlock", "0x1")
    assert len(await client.result("debug_traceBlock", encoded)) == 3
    (request,) = chain.callers.runs
    assert (request.base, request.begins_block) == (chain.blocks[0].version, True)
    assert request.transactions == tuple(CaseTransaction(transfer(n).raw, ALICE) for n in range(3))
    _, message = await client.error("debug_traceBlock", "0x01")
    assert message.startswith("could not decode block: ")


async def test_what_waits_is_traced_on_the_head_that_it_waited_on(
    process: RpcProcess, client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, simulate = chain.head, chain.callers.simulate

    async def simulate_while_a_block_comes(request: RunSimulation) -> Simulated | SimulationFailed:
        await chain.execution.tell(chain.news(chain.append(transfer(3))))
        return await simulate(request)

    monkeypatch.setattr(chain.callers, "simulate", simulate_while_a_block_comes)
    await process.node.admission.submit(transfer(3).raw)
    expected = [{"txHash": data_json(transfer(3).hash), "result": {}}]
    assert await client.result("debug_traceBlockByNumber", "pending") == expected
    assert process.node.chain.head.hash == chain.head.hash != base.hash
    [request] = chain.callers.runs
    assert (request.base, request.parent_hash) == (base.version, base.hash)
    assert request.environment.number == base.header.number + 1


async def test_a_call_is_traced_after_a_block_or_after_some_of_its_transactions(
    client: Client, chain: FakeChain
) -> None:
    state = {data_json(BOB): {"balance": "0x1"}}
    options = {"stateOverrides": state, "blockOverrides": {"number": "0x9"}}
    assert await client.result("debug_traceCall", TO_TOKEN, "latest", options) == {}
    assert await client.result("debug_traceCall", TO_TOKEN, "latest", {"txIndex": "0x2"}) == {}
    after, within = chain.callers.runs
    assert (after.base, after.begins_block, after.transactions) == (chain.head.version, False, ())
    [call] = after.calls
    assert (call.environment.number, call.overrides[0].address) == (9, BOB)
    assert (within.base, within.begins_block) == (Version(chain.head.version - 1), True)
    assert (len(within.transactions), within.first_traced) == (2, 2)


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("debug_traceTransaction", [word_json(1)], (-32000, "transaction not found")),
        ("debug_traceBlockByNumber", ["0x0"], (-32000, "genesis is not traceable")),
        ("debug_traceBlockByNumber", ["0x9"], (-32000, "block #9 not found")),
        ("debug_traceBlockByNumber", ["3"], (-32602, "invalid argument 0: hex string without 0x prefix")),
        ("debug_traceBlockByHash", [word_json(1)], (-32000, f"block {word_json(1)} not found")),
        ("debug_traceCall", [TO_TOKEN, "pending"], (-32000, "tracing on top of pending is not supported")),
        ("debug_traceBlockByNumber", ["0x1", {"timeout": "soon"}], (-32000, 'time: invalid duration "soon"')),
        (
            "debug_traceBlockByNumber",
            ["0x1", {"tracer": 1}],
            (
                -32602,
                "invalid argument 1: json: cannot unmarshal number into Go struct field TraceConfig.tracer "
                "of type string",
            ),
        ),
    ],
)
async def test_what_cannot_be_traced_is_refused_in_geths_words(
    client: Client, method: str, params: list[Any], error: tuple[int, str]
) -> None:
    assert await client.error(method, *params) == error


async def test_an_access_list_for_who_cannot_pay_is_refused_in_geths_words(
    client: Client, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(request: TraceRuns) -> TraceFailed:
        return TraceFailed(0, "tracing failed: insufficient funds")

    monkeypatch.setattr(chain.callers, "trace_runs", refuse)
    code, message = await client.error("eth_createAccessList", TO_TOKEN)
    assert code == -32000
    assert message.startswith("failed to apply transaction: 0x")
    assert message.endswith(" err: insufficient funds")
    assert await client.error("debug_traceCall", TO_TOKEN, "latest") == (-32000, "tracing failed: insufficient funds")


async def test_an_access_list_is_run_again_until_it_stays_the_same(client: Client, chain: FakeChain) -> None:
    listed = [{"address": data_json(TOKEN), "storageKeys": [word_json(3)]}]
    chain.callers.run_trace = orjson.dumps({"accessList": listed, "gasUsed": "0x5208"})
    assert await client.result("eth_createAccessList", TO_TOKEN) == {"accessList": listed, "gasUsed": "0x5208"}
    calls = [traced.call for request in chain.callers.runs for traced in request.calls]
    assert [call.access_list for call in calls] == [(), (AccessListEntry(TOKEN, (3,)),)]
