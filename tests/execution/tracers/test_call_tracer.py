"""What callTracer tells of calls that never begin, and of a tree as deep as there can be."""

import json
from typing import Any

import pytest

from chain.types import Gas
from execution.tracers import tracer_named
from execution.tracers.tracer import BadTracerOptions
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, environment, state, transaction
from tests.execution.tracers.geth_case import trace_text, traced


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


def test_calls_are_told_to_their_greatest_depth() -> None:
    world = state((CONTRACT, f"0 0 0 0 0 0x{CONTRACT.hex()} GAS CALL"))
    world.put(ALICE, 0, 2**200, b"", {})
    text = trace_text(world, transaction(CONTRACT, gas=Gas(400_000_000_000)), environment(), "callTracer", {}, ALICE)
    top, called = text.split(b',"calls":[', 1)  # not read: some Pythons' parsers do not go so deep
    assert top.startswith(b"{")
    assert called.count(b',"calls":[') == 1_024
    assert called.endswith(b"}" + 1_025 * b"]}")
    assert called.count(b'"error":"max call depth exceeded"') == 1
    innermost = called.rsplit(b',"calls":[', 1)[1].removesuffix(1_025 * b"]}")
    assert json.loads(innermost)["error"] == "max call depth exceeded"
