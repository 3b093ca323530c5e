"""Accounts that are there and empty, as states could hold them before Cancun: in runs, in traces and in parallel."""

import time
from dataclasses import replace

import pytest

from chain.accounts import THERE_WITHOUT_CODE, Account
from chain.forks import Fork
from chain.transactions import LEGACY, Transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.engine import Engine
from execution.evm.tracing import TracingEngine
from execution.merged import MergedState
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import ALICE, BOB, CONTRACT, OTHER, assemble, environment

EMPTY = Address(b"\xee" * 20)
FORKS = [fork for fork in Fork if Fork.SPURIOUS_DRAGON <= fork <= Fork.CANCUN]


class TracedState(MemoryState):
    """Is told what a run looks at."""

    def looked_at(self, address: Address) -> None: ...

    def looked_at_slot(self, slot: tuple[Address, int]) -> None: ...

    def hashed(self, preimage: bytes, digest: Hash32) -> None: ...


class Before:
    """The state before a block, as a merged one asks it."""

    def __init__(self, world: MemoryState) -> None:
        self.account, self.code, self.block_hash = world.account, world.code, world.block_hash
        self._world = world

    def slot(self, key: tuple[Address, int]) -> int:
        return self._world.slot(*key)


def state(**contracts: str) -> TracedState:
    world = TracedState()
    for address in (ALICE, BOB):
        world.put(address, 0, 10**18, b"", {})
    world.put(CONTRACT, 1, 100, assemble(contracts["contract"]), {})
    world.put(OTHER, 1, 100, assemble(contracts.get("other", "STOP")), {})
    return world


def to(recipient: Address, value: int = 0) -> Transaction:
    return Transaction(LEGACY, 31337, 0, Wei(7), Wei(7), Gas(500_000), recipient, Wei(value), b"")


@pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.label)
def test_a_trace_costs_the_gas_that_the_run_cost(fork: Fork) -> None:
    """A call without value brings nobody into existence, so the call with value after it pays for that."""
    calls = " ".join(f"0 0 0 0 {value} 0x{EMPTY.hex()} GAS CALL POP" for value in (0, 1)).replace(" 0 ", " 0x00 ")
    world = state(contract=f"0x00 {calls[2:]} STOP")
    block = replace(environment(fork), base_fee=Wei(0))
    run = Engine(fork).execute(to(CONTRACT), ALICE, block, world)
    trace = TracingEngine(fork).execute(to(CONTRACT), ALICE, block, world, time.monotonic() + 60)
    assert run.succeeded
    assert (trace.gas_used, trace.writes) == (run.gas_used, run.writes)
    assert run.gas_used > 50_000


def test_a_run_that_met_an_account_there_and_empty_is_stale_once_it_is_paid() -> None:
    """The self-destruction pays for a new account while it is empty, and runs out of gas by that."""
    world = state(
        contract=f"0x00 0x00 0x00 0x00 0x00 0x{OTHER.hex()} 0x2710 CALL STOP", other=f"0x{EMPTY.hex()} SELFDESTRUCT"
    )
    world.accounts[EMPTY] = Account(code_hash=THERE_WITHOUT_CODE)
    block = replace(environment(Fork.LONDON), base_fee=Wei(0), number=BlockNumber(1))
    engine, merged = Engine(Fork.LONDON), MergedState(Before(world))
    ahead = engine.execute(to(CONTRACT), ALICE, block, world)
    paid = engine.execute(to(EMPTY, 1), BOB, block, merged)
    merged.merge(0, paid.writes, block.beneficiary, paid.fee)
    assert engine.execute(to(CONTRACT), ALICE, block, merged).gas_used != ahead.gas_used
    assert merged.stale_reads(ahead.reads)
