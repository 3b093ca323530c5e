"""What is written to cost more than its gas: both ways of running it do what py-evm does, in bounded memory."""

import sys
import tracemalloc
from collections.abc import Mapping

import pytest

from chain.types import Address
from tests.execution.engine.attacks import (
    ABUSED,
    BOMBS,
    BORN_DEAD,
    BUSY,
    CREATION_GAS,
    DEEP,
    DEEP_GAS,
    GAS,
    GREEDY,
    MAX_CODE,
    MISLED,
)
from tests.execution.engine.small_world import ALICE, CONTRACT, OTHER, assemble
from tests.execution.engine.test_against_py_evm import COMPILED, INTERPRETED, by_py_evm, by_us

MOST_BYTES = 40_000_000
"""A million gas buys 600 kB of memory in one frame; a thousand frames, copies and journals take the rest."""
ALONE = BUSY | GREEDY | MISLED | BORN_DEAD | ABUSED

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode:DeprecationWarning")  # py-evm's


def world(program: bytes, other: bytes = b"") -> dict[Address, bytes]:
    return {CONTRACT: program, OTHER: other, ALICE: b""}


def agrees(programs: Mapping[Address, bytes], gas: int = GAS) -> None:
    expected = by_py_evm(dict(programs), b"", gas)
    for rules in (INTERPRETED, COMPILED):
        tracemalloc.start()
        found = by_us(rules, dict(programs), b"", gas)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == expected, rules
        assert peak_bytes < MOST_BYTES, rules


@pytest.mark.parametrize("name", ALONE)
def test_a_contract_alone(name: str) -> None:
    agrees(world(assemble(ALONE[name])), CREATION_GAS if name in BORN_DEAD else GAS)


@pytest.mark.parametrize("name", BOMBS)
def test_two_contracts_together(name: str) -> None:
    one, other = BOMBS[name]
    agrees(world(assemble(one), assemble(other)))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="py-evm's own calls go less deep since 3.12")
@pytest.mark.parametrize("name", DEEP)
def test_calls_as_deep_as_they_may_go(name: str) -> None:
    agrees(world(assemble(DEEP[name])), DEEP_GAS)


CODE_OF_FULL_SIZE: dict[str, bytes] = {
    "landings only": b"\x5b" * MAX_CODE,
    "landings hidden in pushes": b"\x7f" + b"\x5b" * (MAX_CODE - 1),
    "pushes only": b"\x60" * MAX_CODE,
    "jumps from landing to landing": b"".join(
        b"\x5b\x61" + (place + 5).to_bytes(2, "big") + b"\x56" for place in range(0, MAX_CODE - 5, 5)
    ).ljust(MAX_CODE, b"\0"),
    "what does not exist": b"\x0c" * MAX_CODE,
}


@pytest.mark.parametrize("name", CODE_OF_FULL_SIZE)
def test_code_as_large_as_it_may_be(name: str) -> None:
    agrees(world(CODE_OF_FULL_SIZE[name]))
