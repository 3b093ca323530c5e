"""What flatCallTracer tells: callTracer's tree as Parity's list."""

from typing import Any

from chain.types import Gas, Hash32
from execution.tracers.tracer import Place
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, environment, state, transaction
from tests.execution.tracers.geth_case import traced

PARITY: dict[str, Any] = {"convertParityErrors": True, "executionGas": True}


def flat_calls(program: str, other: str = "STOP", **options: Any) -> list[dict[str, Any]]:
    world = state((CONTRACT, program), (OTHER, other))
    world.put(ALICE, 0, 2**200, b"", {})
    found: list[dict[str, Any]] = traced(
        world, transaction(CONTRACT, gas=Gas(200_000)), environment(), "flatCallTracer", options, ALICE
    )
    return found


def test_calls_are_listed_in_their_order_each_with_its_place() -> None:
    call = f"0 0 0 0 0 0x{OTHER.hex()} 9999 CALL"
    calls = flat_calls(f"{call} {call}")
    assert [(c["traceAddress"], c["subtraces"], c["type"]) for c in calls] == [
        ([], 2, "call"),
        ([0], 0, "call"),
        ([1], 0, "call"),
    ]
    assert calls[1]["action"] == {
        "from": "0x" + CONTRACT.hex(),
        "gas": hex(9999),
        "value": "0x0",
        "callType": "call",
        "to": "0x" + OTHER.hex(),
        "input": "0x",
    }
    assert calls[1]["result"] == {"gasUsed": "0x0", "output": "0x"}


def test_the_outermost_call_has_the_transactions_gas_or_that_of_its_execution() -> None:
    assert flat_calls("STOP")[0]["action"]["gas"] == hex(200_000)
    (call,) = flat_calls("STOP", **PARITY)
    assert (call["action"]["gas"], call["result"]["gasUsed"]) == (hex(200_000 - 21_000), "0x0")


def test_a_failure_has_geths_words_or_paritys_and_a_result_only_if_it_reverted() -> None:
    (failed,) = flat_calls("0 JUMP")
    assert failed["error"] == "invalid jump destination"
    assert "result" not in failed
    (failed,) = flat_calls("0 JUMP", **PARITY)
    assert failed["error"] == "Bad jump destination"
    (reverted,) = flat_calls("0 0 REVERT", **PARITY)
    assert (reverted["error"], reverted["result"]["output"]) == ("Reverted", "0x")


def test_creations_and_destructions_have_forms_of_their_own() -> None:
    _, creation = flat_calls("0 0 5 CREATE")
    assert creation["type"] == "create"
    assert creation["action"]["creationMethod"] == "create"
    call = f"0 0 0 0 0 0x{OTHER.hex()} 9999 CALL"
    destroyed = flat_calls(call, f"0x{ALICE.hex()} SELFDESTRUCT")[-1]
    assert (destroyed["type"], destroyed["traceAddress"]) == ("suicide", [0, 0])
    assert destroyed["action"]["refundAddress"] == "0x" + ALICE.hex()


def test_calls_of_precompiles_are_left_out_unless_they_are_asked_for() -> None:
    call = "0 0 0 0 0 4 9999 CALL"
    assert len(flat_calls(call)) == 1
    assert len(flat_calls(call, includePrecompiles=True)) == 2


def test_every_frame_says_where_its_transaction_is_and_a_calls_frame_that_it_is_nowhere() -> None:
    block_hash, nowhere = Hash32(b"\7" * 32), {"blockHash": None, "transactionHash": None}
    world = state((CONTRACT, f"0 0 0 0 0 0x{OTHER.hex()} 9999 CALL"), (OTHER, "STOP"))
    world.put(ALICE, 0, 2**200, b"", {})
    run, block = transaction(CONTRACT, gas=Gas(200_000)), environment()
    frames = traced(world, run, block, "flatCallTracer", {}, ALICE, place=Place(block_hash, 3))
    place = {"blockHash": "0x" + block_hash.hex(), "blockNumber": block.number, "transactionPosition": 3}
    place["transactionHash"] = "0x" + run.hash.hex()
    assert [frame.items() >= place.items() for frame in frames] == [True, True]
    (called,) = flat_calls("STOP")
    assert called.items() >= (nowhere | {"blockNumber": 0, "transactionPosition": 0}).items()
    (paritys,) = flat_calls("STOP", **PARITY)
    assert not place.keys() & paritys.keys()
