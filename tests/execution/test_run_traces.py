"""Runs that are traced for one request share one answer, and what it may hold."""

import zlib

import pytest

from chain.forks import Fork
from chain.messages.calls import CallMessage
from chain.messages.traces import RunTraces, TracedCall, TraceFailed, TraceRuns
from chain.types import ZERO_HASH, Version
from execution.engine import Engine
from execution.run_traces import trace_runs
from tests.execution.memory_storage import BlockingStorage, MemoryStorage
from tests.execution.test_equivalence import world_genesis
from tests.execution.test_workers import balance_of
from tests.execution.world import ADDRESSES

ENGINE = Engine(Fork.PRAGUE)


def runs(count: int) -> TraceRuns:
    """So many times the same call, each told by the struct logger."""
    asked = balance_of(1, ADDRESSES[0])
    call: CallMessage = asked.call
    return TraceRuns(
        trace_id=1,
        base=Version(asked.version),
        environment=asked.environment,
        begins_block=False,
        block_hash=ZERO_HASH,
        parent_hash=ZERO_HASH,
        parent_beacon_root=ZERO_HASH,
        transactions=(),
        first_traced=0,
        calls=(TracedCall(call, asked.environment, ()),) * count,
        tracer="",
        options=b"{}",
        run_limit_ms=5_000,
        time_limit_ms=5_000,
    )


async def traced(count: int) -> RunTraces | TraceFailed:
    return await trace_runs(runs(count), ENGINE, BlockingStorage(MemoryStorage(world_genesis())))


async def test_all_runs_of_a_request_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await traced(4)
    assert isinstance(told, RunTraces)
    one, *_ = sizes = [len(zlib.decompress(trace)) for trace in told.traces]
    assert len(sizes) == 4
    monkeypatch.setattr("execution.run_traces.MAX_TRACE_BYTES", 2 * one)
    assert isinstance(await traced(2), RunTraces)
    refused = await traced(3)
    assert isinstance(refused, TraceFailed)
    assert "the trace is larger than" in refused.reason
