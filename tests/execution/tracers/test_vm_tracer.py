"""vmTrace: each instruction is what the struct logger says of it, and its frames stand where they began."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import orjson

from chain.types import Gas
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, environment, state, transaction
from tests.execution.tracers.geth_case import traced

STORING = "7 0 MSTORE 9 3 SSTORE 3 SLOAD DUP1 SWAP1 POP POP"
CALLING = f"{STORING} 32 0 0 0 0 0x{OTHER.hex()} 90000 CALL POP 0 0 0 0 0 4 90000 CALL POP 0 0 0 CREATE POP"
CALLED = "5 0 MSTORE 3 SLOAD POP 32 0 RETURN"


def both(program: str, *others: Any, gas: int = 400_000) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The vmTrace and the struct logger's steps of Alice's call of a contract with this program."""
    told = [
        traced(state((CONTRACT, program), *others), transaction(CONTRACT, gas=Gas(gas)), environment(), name, {}, ALICE)
        for name in ("vmTrace", "")
    ]
    return orjson.loads(told[0]), told[1]["structLogs"]


def flat(trace: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operation in trace["ops"]:
        yield operation
        if operation["sub"] is not None:
            yield from flat(operation["sub"])


def test_instructions_have_the_struct_loggers_costs_and_leave_what_the_next_step_finds() -> None:
    trace, steps = both(CALLING, (OTHER, CALLED))
    operations = list(flat(trace))
    shown = [(each["pc"], each["op"], each["cost"]) for each in operations]
    assert shown == [(step["pc"], step["op"], step["gasCost"]) for step in steps]
    for depth in (1, 2):
        of_depth = [pair for pair in zip(operations, steps, strict=True) if pair[1]["depth"] == depth]
        for (operation, step), (_, following) in pairwise(of_depth):
            assert operation["ex"]["used"] == following["gas"], step
            pushed = operation["ex"]["push"]
            assert following["stack"][len(following["stack"]) - len(pushed) :] == pushed


def test_memory_and_slots_are_told_where_they_are_written() -> None:
    trace, _ = both(CALLING, (OTHER, CALLED))
    word = [f"0x{number:064x}" for number in range(8)]
    by_name = {each["op"]: each["ex"] for each in trace["ops"]}
    assert by_name["MSTORE"]["mem"] == {"data": word[7], "off": 0}
    assert by_name["SSTORE"]["store"] == {"key": "0x3", "val": "0x9"}
    assert (by_name["SLOAD"]["mem"], by_name["SLOAD"]["store"]) == (None, None)
    outer, precompile = [each for each in trace["ops"] if each["op"] == "CALL"]
    assert outer["ex"]["mem"] == {"data": word[5], "off": 0}
    assert [each["op"] for each in outer["sub"]["ops"]][-1] == "RETURN"
    assert precompile["sub"] is None
    assert [each["sub"] for each in trace["ops"] if each["op"] == "CREATE"] == [{"code": "0x", "ops": []}]


def test_what_is_not_carried_out_leaves_nothing() -> None:
    trace, _ = both("1 0 MSTORE", gas=21_007)
    assert [each["ex"] is None for each in trace["ops"]] == [False, False, True]
