"""What callTracer tells of calls that never begin, and of a tree as deep as there can be."""

import sys
from typing import Any

import pytest

from chain.types import Gas
from execution.tracers import tracer_named
from execution.tracers.tracer import BadTracerOptions
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, environment, state, transaction
from tests.execution.tracers.geth_case import traced


def calls_of(program: str, gas: int = 200_000, **options: Any) -> list[dict[str, Any]]:
    """What the contract with this program calls."""
    world = state((CONTRACT, program))
    world.put(ALICE, 0, 2**200, b"", {})
    frame = traced(world, transaction(CONTRACT, gas=Gas(gas)), environment(), "callTracer", options, ALICE)
    found: list[dict[str, Any]] = frame.get("calls", [])
    return found


def test_a_call_without_the_money_for_it_is_told_with_its_error() -> None:
    (call,) = calls_of(f"0 0 0 0 5 0x{OTHER.hex()} 9999 CALL")
    assert (call["type"], call["to"], call["value"]) == ("CALL", "0x" + OTHER.hex(), "0x5")
    assert (call["error"], call["gasUsed"]) == ("insufficient balance for transfer", "0x0")
    assert call["gas"] == hex(9999 + 2300), "with the stipend"


@pytest.mark.parametrize(
    ("tracer", "option", "struct"),
    [
        ("callTracer", "onlyTopCall", "callTracerConfig"),
        ("callTracer", "withLog", "callTracerConfig"),
        ("flatCallTracer", "convertParityErrors", "flatCallTracerConfig"),
        ("prestateTracer", "diffMode", "prestateTracerConfig"),
        ("prestateTracer", "disableCode", "prestateTracerConfig"),
    ],
)
def test_options_are_true_or_false_or_refused_in_geths_words(tracer: str, option: str, struct: str) -> None:
    for value, found in (("false", "string"), (1, "number"), ([], "array"), ({}, "object")):
        words = f"json: cannot unmarshal {found} into Go struct field {struct}.{option} of type bool"
        with pytest.raises(BadTracerOptions, match=words):
            tracer_named(tracer, {option: value})
    for allowed in (True, False, None):
        tracer_named(tracer, {option: allowed})


def test_a_creation_without_the_money_for_it_is_told_with_its_code() -> None:
    (creation,) = calls_of("0xfe 0 MSTORE8 1 0 5 CREATE")
    assert (creation["type"], creation["input"], creation["value"]) == ("CREATE", "0xfe", "0x5")
    assert creation["error"] == "insufficient balance for transfer"
    assert "to" not in creation


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python's parser does not read so deep an answer since 3.12")
def test_calls_are_told_to_their_greatest_depth() -> None:
    calls = calls_of(f"0 0 0 0 0 0x{CONTRACT.hex()} GAS CALL", gas=400_000_000_000)
    depth, error = 0, ""
    while calls:
        depth, error, calls = depth + 1, calls[0].get("error", ""), calls[0].get("calls", [])
    assert (depth, error) == (1025, "max call depth exceeded")
