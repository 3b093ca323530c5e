"""How often opcodes are carried out, as geth's tracers of these names count them."""

from typing import Any

import pytest

from chain.types import Gas
from execution.tracers import tracer_named
from execution.tracers.tracer import UnknownTracer
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, environment, state, transaction
from tests.execution.tracers.geth_case import traced


def told(program: str, tracer: str, *others: Any) -> Any:
    """What the tracer says of Alice's call of a contract with this program."""
    world = state((CONTRACT, program), *others)
    return traced(world, transaction(CONTRACT, gas=Gas(200_000)), environment(), tracer, {}, ALICE)


def test_opcodes_are_counted_alone_in_pairs_and_in_threes() -> None:
    program = "5 7 ADD POP"
    assert told(program, "opcountTracer") == 5
    assert told(program, "unigramTracer") == {"PUSH1": 2, "ADD": 1, "POP": 1, "STOP": 1}
    assert told(program, "bigramTracer") == {"PUSH1-PUSH1": 1, "PUSH1-ADD": 1, "ADD-POP": 1, "POP-STOP": 1}
    assert told(program, "trigramTracer") == {"--PUSH1": 1, "-PUSH1-ADD": 1, "PUSH1-ADD-POP": 1, "ADD-POP-STOP": 1}
    deeper = told(f"0 0 0 0 0x{OTHER.hex()} 5000 STATICCALL", "bigramTracer", (OTHER, "1 POP"))
    assert (deeper["PUSH1-POP"], deeper["POP-STOP"], "STATICCALL-PUSH1" in deeper) == (1, 1, False)


def test_tracers_in_javascript_are_not_run() -> None:
    with pytest.raises(UnknownTracer):
        tracer_named("{step: function() {}, fault: function() {}, result: function() { return 1; }}", {})
