"""What keccak256PreimageTracer tells."""

from typing import Any

from chain.keccak import keccak256
from chain.types import Gas
from tests.execution.engine.small_world import ALICE, CONTRACT, environment, state, transaction
from tests.execution.tracers.geth_case import traced


def preimages(program: str) -> Any:
    world = state((CONTRACT, program))
    return traced(world, transaction(CONTRACT, gas=Gas(200_000)), environment(), "keccak256PreimageTracer", {}, ALICE)


def test_what_was_hashed_is_told_by_its_hash_also_behind_the_memorys_end() -> None:
    word = (5).to_bytes(32, "big")
    expected = {"0x" + keccak256(data).hex(): "0x" + data.hex() for data in (word, word + bytes(8), b"")}
    assert preimages("5 0 MSTORE 32 0 SHA3 40 0 SHA3 0 0 SHA3") == expected


def test_a_hash_of_more_than_there_can_be_and_one_of_nothing_on_the_stack_are_left_out() -> None:
    assert preimages(f"{2**255} 0 SHA3") == {}
    assert preimages("0 SHA3") == {}
