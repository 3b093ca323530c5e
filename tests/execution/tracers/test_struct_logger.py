"""The struct logger says of every instruction what geth says of it, in the official exchanges and where things fail."""

import gzip
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain import rlp
from chain.fork_schedule import only
from chain.forks import Fork
from chain.headers import decode_header
from chain.messages.execution import BlockEnvironment
from chain.transactions import decode_transaction
from chain.types import Address, Gas
from execution.errors import CallTimeout
from execution.tracers import tracer
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import ALICE, CONTRACT, ENGINE, OTHER, environment, execute, state, transaction
from tests.execution.tracers.geth_case import data, genesis_state, traced

# From ethereum/execution-apis at 033ca6e6: the first two blocks of tests/chain.rlp, and debug_traceBlockByNumber.
OFFICIAL: dict[str, Any] = orjson.loads(
    gzip.decompress((Path(__file__).parent / "official_struct_logs.json.gz").read_bytes())
)
COLD_CALL_GAS = 2_600


def logs_of(program: str, *others: tuple[Address, str], gas: int = 200_000, **options: Any) -> list[dict[str, Any]]:
    """The struct logs of Alice's call of a contract with this program."""
    world = state((CONTRACT, program), *others)
    call = transaction(CONTRACT, gas=Gas(gas))
    logs: list[dict[str, Any]] = traced(world, call, environment(), "", options, ALICE)["structLogs"]
    return logs


def official_block(number: int, world: MemoryState, options: dict[str, Any]) -> list[dict[str, Any]]:
    """debug_traceBlockByNumber of one of the first blocks of the official chain, whose rules are Homestead's."""
    encoded_header, transactions = rlp.decode_list(rlp.decode(data(OFFICIAL["blocks"][number - 1])))[:2]
    header = decode_header(rlp.encode(encoded_header))
    block = BlockEnvironment.of(header, OFFICIAL["chainId"], only(Fork.HOMESTEAD))
    decoded = [decode_transaction(rlp.encode(each)) for each in rlp.decode_list(transactions)]
    return [{"txHash": "0x" + each.hash.hex(), "result": traced(world, each, block, "", options)} for each in decoded]


@pytest.mark.parametrize("exchange", OFFICIAL["exchanges"], ids=lambda e: f"block {e['block']} {e['options']}")
def test_the_official_traces_are_equal_member_by_member(exchange: dict[str, Any]) -> None:
    world = genesis_state(OFFICIAL["alloc"], Fork.HOMESTEAD)
    for number in range(1, exchange["block"]):
        official_block(number, world, {})
    assert official_block(exchange["block"], world, exchange["options"]) == exchange["result"]


def test_the_gas_of_every_step_adds_up_to_what_the_transaction_uses() -> None:
    logs = logs_of(f"0 0 0 0 0 0x{OTHER.hex()} GAS CALL STOP", (OTHER, "1 2 SSTORE STOP"))
    assert [log["op"] for log in logs][-6:] == ["CALL", "PUSH1", "PUSH1", "SSTORE", "STOP", "STOP"]
    by_depth = [[log for log in logs if log["depth"] == depth] for depth in (1, 2)]
    call = next(log for log in by_depth[0] if log["op"] == "CALL")
    inner = by_depth[1]
    assert call["gasCost"] == COLD_CALL_GAS + inner[0]["gas"], "the cost of a call holds the gas that it passes on"
    for steps in (by_depth[0][: by_depth[0].index(call)], inner):
        for before, after in pairwise(steps):
            assert before["gas"] - before["gasCost"] == after["gas"]


def test_a_step_that_cannot_be_paid_says_so_and_what_it_would_have_cost() -> None:
    *_, last = logs_of("1 1 SSTORE", gas=21_000 + 2 * 3 + 10_000)
    assert (last["op"], last["error"], last["gasCost"]) == ("SSTORE", "out of gas", 22_100)
    *_, last = logs_of("ADD")
    assert (last["op"], last["error"]) == ("ADD", "stack underflow (0 <=> 2)")


def test_a_step_that_fails_when_carried_out_is_told_without_an_error() -> None:
    for program in ("INVALID", "7 JUMP", "0 0 REVERT"):
        *_, last = logs_of(program)
        assert last["op"] == program.split()[-1]
        assert "error" not in last


def test_code_that_ends_stops() -> None:
    assert [log["op"] for log in logs_of("1")] == ["PUSH1", "STOP"]


def test_the_options_take_members_away_and_add_others() -> None:
    program = f"1 0 MSTORE 32 0 0 0 0x{OTHER.hex()} GAS STATICCALL 5 SLOAD"
    answering = (OTHER, "0xab 0 MSTORE8 1 0 RETURN")
    *_, plain, _ = logs_of(program, answering)
    assert set(plain) == {"pc", "op", "gas", "gasCost", "depth", "stack", "storage"}
    options = {"disableStack": True, "disableStorage": True, "enableMemory": True, "enableReturnData": True}
    *_, other, _ = logs_of(program, answering, **options)
    assert set(other) == {"pc", "op", "gas", "gasCost", "depth", "memory", "returnData"}
    assert (other["memory"], other["returnData"]) == (["0xab" + f"{1:062x}"], "0xab")


def test_a_limit_ends_the_log_and_not_the_run() -> None:
    program = "1 POP " * 50
    assert logs_of(program, limit=7) == logs_of(program)[:7]
    assert len(logs_of(program)) > 20


def test_a_trace_that_grows_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer, "MAX_TRACE_BYTES", 10_000)
    with pytest.raises(tracer.TraceTooLarge, match="disableStack"):
        logs_of("JUMPDEST 0 JUMP")


def test_a_trace_past_its_deadline_is_given_up() -> None:
    world = state((CONTRACT, "JUMPDEST 0 JUMP"))
    with pytest.raises(CallTimeout):
        traced(world, transaction(CONTRACT), environment(), "noopTracer", {}, ALICE, deadline=time.monotonic())


@pytest.mark.parametrize(
    "program",
    [
        "1 2 SSTORE 0 2 SSTORE",
        "0x600a600c600039600a6000f3 0 MSTORE 13 19 0 CREATE 0 0 0 0 5 DUP6 GAS CALL",
        "0x7f 0 MSTORE 32 0 SHA3 EXTCODEHASH 0 0 LOG1",
        f"0 0 0 0 0x{OTHER.hex()} GAS DELEGATECALL 0x{OTHER.hex()} SELFDESTRUCT",
    ],
)
def test_a_traced_run_is_the_run_that_it_traces(program: str) -> None:
    contracts = ((CONTRACT, program), (OTHER, "1 1 SSTORE 0 0 REVERT"))
    plain = execute(state(*contracts))
    trace = traced(state(*contracts), transaction(CONTRACT), environment(ENGINE.fork), "", {}, ALICE)
    assert (trace["gas"], trace["failed"]) == (plain.gas_used, not plain.succeeded)
