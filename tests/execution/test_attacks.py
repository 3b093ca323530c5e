"""A block of nothing but attacks: whatever the strategy, it comes out as serial execution makes it."""

from pathlib import Path

import pytest

from chain.types import Address, Gas
from execution.strategies import RULES
from tests.execution.engine.attacks import ABUSED, BORN_DEAD, BUSY, GREEDY, MISLED
from tests.execution.engine.small_world import assemble
from tests.execution.test_equivalence import assert_same
from tests.execution.world import ADDRESSES, KEYS, Chain, contract, funded, genesis, transaction

ATTACKS = {**BUSY, **GREEDY, **MISLED, **BORN_DEAD, **ABUSED}
GAS = Gas(90_000)


def place(number: int) -> Address:
    return Address(number.to_bytes(2, "big").rjust(20, b"\xaa"))


@pytest.mark.parametrize("strategy", RULES)
async def test_a_block_of_attacks_comes_out_as_serial_execution_makes_it(strategy: str, tmp_path: Path) -> None:
    contracts = [contract(place(number), assemble(program)) for number, program in enumerate(ATTACKS.values())]
    of = genesis([*funded(ADDRESSES[:48]), *contracts])
    attacks = [
        transaction(KEYS[number % 48], number // 48, to=place(number), gas=GAS) for number in range(len(ATTACKS))
    ]
    serial, parallel = Chain(of), Chain(of, strategy, 2, tmp_path)
    expected, found = await serial.run(attacks), await parallel.run(attacks)
    await parallel.stop()
    assert len(expected.included) == len(ATTACKS)
    assert_same(found, expected, 0)
    assert any(turn.attempts for turn in found.record.transactions)
