"""Traces of blocks: asked for once, one at a time, kept for a while; and what is made of them."""

import asyncio
from dataclasses import replace

import pytest

from chain.block_case import BlockCase, CaseTransaction, ExpectedBlock
from chain.block_case_json import case_from_json
from chain.keccak import keccak256
from chain.messages.traces import BlockTrace, TraceBlock, TraceFailed, TransactionTrace
from chain.operations import INITIAL_SETTINGS
from chain.records import LeftOutRecord
from chain.types import Gas, Version
from rpc.environments import environment_in
from rpc.process import RpcProcess
from rpc.traces import KEPT_TRACES
from tests.rpc.client import Client
from tests.rpc.executions_world import append, ran, transaction_record
from tests.rpc.fake_chain import ALICE, FakeChain, transfer

NOTHING = TransactionTrace((), (), (), (), {}, 0, Gas(0))
PREIMAGE = b"\x01" * 32 + bytes(32)


def trace_of(request: TraceBlock) -> BlockTrace:
    """The trace of a block that does nothing but hash."""
    case = BlockCase(
        request.environment, request.transactions, {}, {}, request.parent_beacon_root, expected=request.expected
    )
    hashing = replace(NOTHING, preimages={keccak256(PREIMAGE): PREIMAGE})
    return BlockTrace(request.trace_id, NOTHING, (hashing,) * len(request.transactions), NOTHING, {}, case)


async def answer_at_once(request: TraceBlock) -> BlockTrace:
    return trace_of(request)


@pytest.fixture(autouse=True)
def _answering(chain: FakeChain) -> None:
    chain.callers.tracer = answer_at_once


async def grown(process: RpcProcess, chain: FakeChain, blocks: int = 1) -> None:
    for nonce in range(blocks):
        chain.append(transfer(nonce))
        await chain.execution.tell(chain.news())


async def test_a_block_is_traced_on_the_version_before_its_own(process: RpcProcess, chain: FakeChain) -> None:
    await grown(process, chain)
    block = chain.head
    trace = await process.node.traces.of(block)
    (request,) = chain.callers.traces
    assert request.base == Version(block.version - 1)
    assert request.environment == environment_in(block, chain.genesis, INITIAL_SETTINGS)
    assert request.parent_hash == chain.blocks[0].hash
    assert request.transactions == (CaseTransaction(block.transactions[0], ALICE),)
    assert request.expected == ExpectedBlock(block.header.gas_used, block.header.receipts_root, block.header.logs_bloom)
    assert trace == trace_of(request)


async def test_a_trace_is_kept_until_newer_ones_need_its_place(process: RpcProcess, chain: FakeChain) -> None:
    await grown(process, chain, KEPT_TRACES + 1)
    traces = process.node.traces
    for block in chain.blocks[1:-1]:
        await traces.of(block)
    await traces.of(chain.blocks[1])
    assert len(chain.callers.traces) == KEPT_TRACES
    await traces.of(chain.head)
    await traces.of(chain.blocks[1])
    assert len(chain.callers.traces) == KEPT_TRACES + 2


async def test_everybody_who_asks_for_a_block_waits_for_one_trace_and_other_blocks_for_their_turn(
    process: RpcProcess, chain: FakeChain
) -> None:
    await grown(process, chain, 2)
    go_on = asyncio.Event()

    async def slowly(request: TraceBlock) -> BlockTrace:
        await go_on.wait()
        return trace_of(request)

    chain.callers.tracer = slowly
    traces = process.node.traces
    asked = [asyncio.ensure_future(traces.of(chain.blocks[number])) for number in (1, 1, 2)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(chain.callers.traces) == 1
    asked[0].cancel()
    go_on.set()
    assert [trace.case.environment.number for trace in await asyncio.gather(*asked[1:])] == [1, 2]
    assert len(chain.callers.traces) == 2


async def test_what_was_hashed_is_told_to_who_makes_names(process: RpcProcess, chain: FakeChain) -> None:
    await grown(process, chain)
    await process.node.traces.of(chain.head)
    names = await process.node.naming.names(chain.head.version, [])
    slot = int.from_bytes(keccak256(PREIMAGE), "big")
    assert names.variable(ALICE, slot) == f"mapping at slot 0, key 0x{PREIMAGE[:32].hex()}"


async def test_why_there_is_no_trace_is_the_answer(client: Client, chain: FakeChain, process: RpcProcess) -> None:
    await grown(process, chain)

    async def fail(request: TraceBlock) -> TraceFailed:
        return TraceFailed(request.trace_id, "state version 1 is out of range")

    async def time_out(request: TraceBlock) -> TraceFailed:
        raise TimeoutError

    chain.callers.tracer = fail
    assert await client.error("tandem_getBlockCase", "0x1") == (-32000, "state version 1 is out of range")
    chain.callers.tracer = time_out
    late = "block 1 could not be run again within 10 s"
    assert await client.error("tandem_getBlockAccessList", "0x1") == (-32000, late)
    genesis = "block 0 is genesis: nothing was executed in it"
    assert await client.error("tandem_getBlockCase", "earliest") == (-32000, genesis)
    for method in ("tandem_getBlockCase", "tandem_getBlockAccessList"):
        assert await client.result(method, "0x9") is None


async def test_a_block_case_over_json_rpc_is_a_block_case(
    client: Client, chain: FakeChain, process: RpcProcess
) -> None:
    await grown(process, chain)
    told = await client.result("tandem_getBlockCase", chain.head.hash.hex().join(("0x", "")))
    assert case_from_json(told) == trace_of(chain.callers.traces[0]).case


async def test_the_critical_path_counts_as_the_proposal_does(
    client: Client, chain: FakeChain, process: RpcProcess
) -> None:
    left_out = LeftOutRecord("nonce too high", True, ALICE, b"", b"")
    rows = [(transfer(7), transaction_record(transfer(7).hash, ran(thread_us=1), left_out=left_out))]
    rows += [(transfer(n), transaction_record(transfer(n).hash, ran(thread_us=10 + n))) for n in range(2)]
    number = await append(chain, *rows)
    told = await client.result("tandem_getBlockExecution", hex(number))
    assert (told["criticalPath"], told["criticalPathUs"]) == ([2], 11)
