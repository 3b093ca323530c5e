"""A state in memory, a block to run in, and a few words of assembly."""

from typing import Any

from eth.vm import opcode_values

from chain.forks import Fork
from chain.messages.execution import BlockEnvironment
from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.engine import Engine
from execution.outcome import Outcome
from node.conformance.memory_state import MemoryState

ALICE = Address(b"\xa1" * 20)
BOB = Address(b"\xb0" * 20)
CONTRACT = Address(b"\xc0" * 20)
OTHER = Address(b"\xc1" * 20)
BENEFICIARY = Address(b"\xbe" * 20)
ETHER = 10**18
BASE_FEE, MAX_FEE, TIP = 7, 100, 3
ENGINE = Engine(Fork.PRAGUE)
NEWER_OPCODES = {"CLZ": 0x1E, "INVALID": 0xFE}
"""What py-evm has no names for."""


def environment(fork: Fork = Fork.PRAGUE) -> BlockEnvironment:
    return BlockEnvironment(
        chain_id=31337,
        fork=fork,
        number=BlockNumber(9_000),
        timestamp=1_700_000_000,
        beneficiary=BENEFICIARY,
        prev_randao=Hash32(b"\x77" * 32),
        gas_limit=Gas(30_000_000),
        base_fee=Wei(BASE_FEE),
        excess_blob_gas=Gas(0),
    )


def assemble(text: str) -> bytes:
    """Bytecode from opcode names; a number is pushed with as few bytes as it takes, 0x… as its bytes."""
    code = b""
    for word in text.split():
        if word.startswith("0x"):
            data = bytes.fromhex(word[2:])
            code += bytes((0x5F + len(data),)) + data
        elif word.isdigit():
            data = int(word).to_bytes((int(word).bit_length() + 7) // 8 or 1, "big")
            code += bytes((0x5F + len(data),)) + data
        else:
            code += bytes((NEWER_OPCODES.get(word) or getattr(opcode_values, word),))
    return code


def state(*contracts: tuple[Address, str]) -> MemoryState:
    """Alice and Bob with an ether each, and contracts with these programs."""
    world = MemoryState()
    world.put(ALICE, 0, ETHER, b"", {})
    world.put(BOB, 0, ETHER, b"", {})
    for address, program in contracts:
        world.put(address, 1, 0, assemble(program), {})
    return world


def transaction(to: Address | None, **changes: Any) -> Transaction:
    fields: dict[str, Any] = {
        "type": DYNAMIC_FEE,
        "chain_id": 31337,
        "nonce": 0,
        "max_fee": Wei(MAX_FEE),
        "max_priority_fee": Wei(TIP),
        "gas": Gas(200_000),
        "value": Wei(0),
        "data": b"",
    }
    return Transaction(to=to, **fields | changes)


def execute(world: MemoryState, to: Address | None = CONTRACT, fork: Fork = Fork.PRAGUE, **changes: Any) -> Outcome:
    """Alice's transaction in this world."""
    engine = ENGINE if fork == Fork.PRAGUE else Engine(fork)
    return engine.execute(transaction(to, **changes), ALICE, environment(fork), world)
