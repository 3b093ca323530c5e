"""eth_call and eth_estimateGas as geth has them."""

import time
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.messages.calls import CallMessage
from chain.types import Address, Gas, Wei
from execution.errors import CallTimeout
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import (
    ALICE,
    BOB,
    CONTRACT,
    ENGINE,
    ETHER,
    OTHER,
    assemble,
    environment,
    execute,
    state,
)

SPIN = "JUMPDEST 0 JUMP"
ENDLESS_CALLS = f"JUMPDEST 0 0 0 0 0 0x{CONTRACT.hex()} GAS CALL POP 0 JUMP"


def message(to: Address | None = CONTRACT, **changes: Any) -> CallMessage:
    call = CallMessage(ALICE, to, Gas(1_000_000), Wei(0), Wei(0), Wei(0), b"", (), ())
    return call._replace(**changes)


def call(world: MemoryState, to: Address | None = CONTRACT, **changes: Any) -> tuple[bytes, str]:
    result = ENGINE.call(message(to, **changes), environment(), world, deadline=None)
    return result.output, result.error


def estimate(world: MemoryState, to: Address | None = CONTRACT, **changes: Any) -> tuple[int, str]:
    result = ENGINE.estimate(message(to, **changes), environment(), world, deadline=None)
    return result.gas, result.error


def test_a_call_is_free_has_any_sender_and_changes_nothing() -> None:
    world = state((CONTRACT, "BASEFEE 0 MSTORE GASPRICE 32 MSTORE 1 1 SSTORE 64 0 RETURN"))
    world.put(OTHER, 7, 0, b"\0", {})
    assert call(world, sender=OTHER) == (bytes(64), "")
    assert world.slot(CONTRACT, 1) == 0


def test_a_call_with_a_gas_price_sees_it_and_needs_the_money() -> None:
    world = state((CONTRACT, "BASEFEE 0 MSTORE GASPRICE 32 MSTORE 64 0 RETURN"))
    fees: dict[str, Any] = {"max_fee": Wei(20), "max_priority_fee": Wei(2)}
    assert call(world, **fees) == ((7).to_bytes(32, "big") + (9).to_bytes(32, "big"), "")
    want = 20 * 1_000_000
    assert call(world, sender=OTHER, **fees) == (
        b"",
        f"err: insufficient funds for gas * price + value: address {checksummed(OTHER)} have 0 want {want}"
        " (supplied gas 1000000)",
    )
    assert call(world, max_fee=Wei(6), max_priority_fee=Wei(0))[1].startswith("err: max fee per gas less than block")


def test_a_call_needs_the_value_it_sends() -> None:
    assert call(state(), BOB, value=Wei(ETHER)) == (b"", "")
    assert "have 1000000000000000000 want 1000000000000000001" in call(state(), BOB, value=Wei(ETHER + 1))[1]


def test_a_call_that_reverts_gives_the_data() -> None:
    world = state((CONTRACT, "0xdeadbeef 0 MSTORE 4 28 REVERT"))
    assert call(world) == (bytes.fromhex("deadbeef"), "execution reverted")
    assert estimate(world)[1] == "execution reverted"


@pytest.mark.parametrize("program", [SPIN, ENDLESS_CALLS])
def test_a_call_is_given_up_at_its_deadline(program: str) -> None:
    deadline = time.monotonic() + 0.05
    with pytest.raises(CallTimeout):
        ENGINE.call(message(gas=Gas(10**12)), environment(), state((CONTRACT, program)), deadline=deadline)
    assert time.monotonic() < deadline + 10


def test_a_plain_transfer_is_estimated_at_what_it_costs() -> None:
    assert estimate(state(), BOB, value=Wei(1)) == (21_000, "")


@pytest.mark.parametrize(
    "program",
    [
        "1 1 SSTORE",
        "1 1 SSTORE 0 1 SSTORE",
        f"0 0 0 0 0 0x{OTHER.hex()} GAS CALL ISZERO 9 JUMPI",
        "JUMPDEST 1 1 ADD POP GAS 30000 GT 0 JUMPI",
    ],
)
def test_an_estimate_suffices_and_is_little_more_than_the_least(program: str) -> None:
    world = state((CONTRACT, program), (OTHER, "5 5 SSTORE"))
    gas, error = estimate(world)
    assert error == ""
    assert execute(world, gas=Gas(gas)).succeeded
    least = next(limit for limit in range(gas, 0, -1) if limit <= 21_000 or not _runs(world, limit - 1))
    assert gas <= least * 1.02


def _runs(world: MemoryState, gas: int) -> bool:
    return execute(world, gas=Gas(gas)).succeeded


def test_an_estimate_names_the_allowance_that_does_not_suffice() -> None:
    assert estimate(state((CONTRACT, SPIN)))[1] == "gas required exceeds allowance (1000000)"
    assert estimate(state((CONTRACT, "1 1 SSTORE")), gas=Gas(30_000))[1] == "gas required exceeds allowance (30000)"
    poor = state((CONTRACT, "1 1 SSTORE"))
    poor.put(ALICE, 0, 30_000 * 100, b"", {})
    fees: dict[str, Any] = {"max_fee": Wei(100), "max_priority_fee": Wei(0)}
    assert estimate(poor, **fees)[1] == "gas required exceeds allowance (30000)"
    assert estimate(poor, value=Wei(30_000 * 100), **fees)[1] == "insufficient funds for transfer"


def test_an_estimate_of_a_creation_covers_the_code_it_stores() -> None:
    gas, error = estimate(state(), None, data=assemble("500 0 RETURN"))
    assert error == ""
    assert execute(state(), None, data=assemble("500 0 RETURN"), gas=Gas(gas)).succeeded
    assert gas > 53_000 + 500 * 200
