"""What a failing run says: geth's words, which wallets and libraries match on."""

import pytest

from chain.types import Gas
from tests.execution.engine.small_world import CONTRACT, OTHER, assemble, execute, state


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("INVALID", "invalid opcode: INVALID"),
        ("POP", "stack underflow (0 <=> 1)"),
        ("1 2 3 SWAP5", "stack underflow (3 <=> 6)"),
        ("1 1 ADD ADD", "stack underflow (1 <=> 2)"),
        ("JUMPDEST PC 0 JUMP", "stack limit reached 1024 (1023)"),
        ("5 JUMP", "invalid jump destination"),
        ("0x5b 1 JUMP", "invalid jump destination"),
        ("JUMPDEST 0 JUMP", "out of gas"),
        ("1 0xffffffffffff MSTORE", "out of gas"),
        ("0 0 REVERT", "execution reverted"),
        ("32 0 0 RETURNDATACOPY", "return data out of bounds"),
    ],
)
def test_a_failure_is_told_in_geths_words(program: str, words: str) -> None:
    outcome = execute(state((CONTRACT, program)))
    assert (outcome.succeeded, outcome.error) == (False, words)


def test_an_opcode_that_does_not_exist_is_named() -> None:
    world = state()
    world.put(CONTRACT, 1, 0, b"\x0c", {})
    assert execute(world).error == "invalid opcode: opcode 0xc not defined"


@pytest.mark.parametrize(
    ("init_code", "words"),
    [
        ("0xef 0 MSTORE8 1 0 RETURN", "invalid code: must not begin with 0xef"),
        ("24577 0 RETURN", "max code size exceeded"),
        ("1000 0 RETURN", "contract creation code storage out of gas"),
    ],
)
def test_a_creation_that_fails_is_told_in_geths_words(init_code: str, words: str) -> None:
    gas = Gas(10_000_000 if "size" in words else 100_000)
    outcome = execute(state(), None, data=assemble(init_code), gas=gas)
    assert (outcome.succeeded, outcome.error) == (False, words)
    assert outcome.gas_used == gas


def test_what_a_revert_returns_is_the_output() -> None:
    outcome = execute(state((CONTRACT, "0xdeadbeef 0 MSTORE 4 28 REVERT")))
    assert outcome.output == bytes.fromhex("deadbeef")


def test_a_static_call_cannot_write() -> None:
    for write in ("1 1 SSTORE", "1 1 TSTORE", "0 0 LOG0", "0 0 0 CREATE", f"0x{OTHER.hex()} SELFDESTRUCT"):
        call = f"0 0 0 0 0x{OTHER.hex()} 50000 STATICCALL ISZERO 1 SSTORE"
        outcome = execute(state((CONTRACT, call), (OTHER, write)))
        assert outcome.writes.slots == {(CONTRACT, 1): 1}, write
