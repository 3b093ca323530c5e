"""Our tracers say what geth's say, of transactions that geth traces in its own tests."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.execution.tracers.geth_case import GethCase

# From ethereum/go-ethereum, eth/tracers/internal/tracetest/testdata at 02b73d4e: the smaller ones of each directory.
CASES: dict[str, Any] = orjson.loads(gzip.decompress((Path(__file__).parent / "geth_traces.json.gz").read_bytes()))
PLACE = ("blockHash", "blockNumber", "transactionHash", "transactionPosition")


@pytest.mark.parametrize("name", CASES)
def test_a_trace_is_the_one_that_geth_makes(name: str) -> None:
    fields = CASES[name]
    assert _unplaced(GethCase(fields).traced(fields["tracer"])) == fields["result"]


def _unplaced(trace: Any) -> Any:
    """Without what flatCallTracer says of the block, which geth's test data leaves out."""
    if not isinstance(trace, list):
        return trace
    return [{name: value for name, value in frame.items() if name not in PLACE} for frame in trace]
