"""Random programs, interpreted, compiled, and run by py-evm over its own account database: the same in everything."""

import os
import random
from typing import Any

import pytest
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.prague.state import PragueState
from eth.vm.message import Message as PyEvmMessage

from chain.keccak import keccak256
from chain.types import Address
from execution.evm.account_db import AccountDB
from execution.evm.compiler import BlockCompiler
from execution.evm.computation import Computation, TransactionContext, with_programs
from execution.evm.instruction_sets import PRAGUE
from execution.evm.message import Message
from execution.evm.program import Compilation, ProgramCache
from execution.evm.state import State
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import ALICE, BENEFICIARY, CONTRACT, ETHER, OTHER, environment

SEED = int(os.environ.get("TANDEM_SEED", "20260"))
PROGRAMS = 150
GAS = 120_000

# Each with what it needs on the stack, so that most programs get somewhere.
ON_STACK = [
    *((op, 2) for op in (*range(0x01, 0x08), 0x0A, 0x0B, *range(0x10, 0x15), *range(0x16, 0x19), *range(0x1A, 0x1E)))
]
ON_STACK += [
    (0x08, 3),
    (0x09, 3),
    (0x15, 1),
    (0x19, 1),
    (0x50, 1),
    (0x31, 1),
    (0x35, 1),
    (0x3B, 1),
    (0x3F, 1),
    (0x40, 1),
]
NOTHING = [
    (op, 0) for op in (0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3A, 0x3D, *range(0x41, 0x49), 0x4A, 0x58, 0x59, 0x5A, 0x5F)
]
STORAGE = [(0x54, 1), (0x55, 2), (0x5C, 1), (0x5D, 2)]
MEMORY = [(0x51, 1), (0x52, 2), (0x53, 2), (0x20, 2), (0x5E, 3), (0x37, 3), (0x39, 3), (0x3E, 3), (0x3C, 4)]
LOGS = [(0xA0 + topics, 2 + topics) for topics in range(5)]
STACK_MOVES = [(op, 0) for op in (*range(0x80, 0x90), *range(0x90, 0xA0))]
RETURN_DATA_COPY = 0x3E
EVERYTHING = ON_STACK * 2 + NOTHING + STORAGE * 4 + MEMORY * 3 + LOGS + STACK_MOVES


class ProgramWriter:
    """Writes one random program."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng
        self.code = bytearray()
        self._landings: list[int] = []

    def write(self, length: int) -> bytes:
        for _ in range(18):  # enough for any DUP and SWAP
            self._push()
        for _ in range(length):
            self._random.choices(
                (self._push, self._instruction, self._landing, self._jump, self._call, self._create, self._end),
                (30, 50, 5, 4, 5, 1, 1),
            )[0]()
        return bytes(self.code)

    def _push(self) -> None:
        size = self._random.choice((1, 1, 1, 1, 2, 20, 32))
        self.code += bytes((0x5F + size,)) + self._random.randbytes(size)

    def _small(self, limit: int = 96) -> None:
        self.code += bytes((0x60, self._random.randrange(limit)))

    def _instruction(self) -> None:
        opcode, needs = self._random.choice(EVERYTHING)
        for _ in range(needs if self._random.random() < 0.95 else 0):
            self._small(1 if opcode == RETURN_DATA_COPY and self._random.random() < 0.8 else 96)
        self.code.append(opcode)

    def _landing(self) -> None:
        self._landings.append(len(self.code))
        self.code.append(0x5B)

    def _jump(self) -> None:
        if self._landings:
            self.code += bytes((0x5A, 0x60, self._random.choice((1, 2, 3)), 0x16))  # GAS & n: loops come to an end
            target = self._random.choice(self._landings) + (self._random.random() < 0.03)
            jump = 0x57 if self._random.random() < 0.95 else 0x56
            self.code += bytes((0x61,)) + target.to_bytes(2, "big") + bytes((jump,))

    def _call(self) -> None:
        opcode = self._random.choice((0xF1, 0xF2, 0xF4, 0xFA))
        for _ in range(5 if opcode in (0xF1, 0xF2) else 4):
            self._small(40)
        to = self._random.choice((OTHER, CONTRACT, ALICE, bytes(19) + bytes((self._random.randrange(1, 6),))))
        self.code += b"\x73" + to + bytes((0x61,)) + self._random.randbytes(2) + bytes((opcode,))

    def _create(self) -> None:
        for _ in range(self._random.choice((3, 4))):
            self._small(20)
        self.code.append(self._random.choice((0xF0, 0xF5)))

    def _end(self) -> None:
        self._small()
        self._small()
        self.code.append(self._random.choice((0x00, 0xF3, 0xF3, 0xFD, 0xFE, 0x0C)))


def by_py_evm(programs: dict[Address, bytes], data: bytes, gas: int = GAS) -> dict[str, Any]:
    block = environment()
    context = ExecutionContext(
        coinbase=block.beneficiary,
        timestamp=block.timestamp,
        block_number=block.number,
        difficulty=0,
        mix_hash=block.prev_randao,
        gas_limit=block.gas_limit,
        prev_hashes=[keccak256(str(block.number - depth).encode()) for depth in range(1, 257)],
        chain_id=block.chain_id,
        base_fee_per_gas=block.base_fee,
        excess_blob_gas=block.excess_blob_gas,
    )
    state = PragueState(
        AtomicDB(), context, bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
    )
    for address, code in programs.items():
        state.set_balance(address, ETHER)
        state.set_nonce(address, 1)
        if code:
            state.set_code(address, code)
    state.lock_changes()
    message = PyEvmMessage(gas=gas, to=CONTRACT, sender=ALICE, value=5, data=data, code=programs[CONTRACT])
    frame = state.computation_class.apply_message(state, message, state.get_transaction_context_class()(9, ALICE))
    return {
        "succeeded": frame.is_success,
        "gas": frame.get_gas_remaining(),
        "output": frame.output,
        "refund": frame.get_gas_refund(),
        "logs": [(address, topics, log) for address, topics, log in frame.get_log_entries()],
        "balances": [state.get_balance(address) for address in programs],
        "nonces": [state.get_nonce(address) for address in programs],
        "slots": [state.get_storage(address, slot) for address in programs for slot in range(100)],
    }


def _rules(compilation: Compilation | None) -> type[Computation]:
    return with_programs(Computation, ProgramCache(PRAGUE, compilation))


INTERPRETED, COMPILED = _rules(None), _rules(Compilation(BlockCompiler(PRAGUE), hot=1))


def by_us(rules: type[Computation], programs: dict[Address, bytes], data: bytes, gas: int = GAS) -> dict[str, Any]:
    view = MemoryState()
    for address, code in programs.items():
        view.put(address, 1, ETHER, code, {})
    db = AccountDB(view, (*rules.precompiled, BENEFICIARY))
    state = State(db, view, environment())
    message = Message(gas, ALICE, CONTRACT, CONTRACT, 5, data, programs[CONTRACT])
    frame = rules.apply_message(state, message, TransactionContext(ALICE, 9))
    return {
        "succeeded": frame.error is None,
        "gas": frame.gas,
        "output": frame.output,
        "refund": db.refund,
        "logs": [(log.address, tuple(int.from_bytes(t, "big") for t in log.topics), log.data) for log in db.logs],
        "balances": [db.get_balance(address) for address in programs],
        "nonces": [db.get_nonce(address) for address in programs],
        "slots": [db.get_storage(address, slot) for address in programs for slot in range(100)],
    }


@pytest.mark.parametrize("number", range(PROGRAMS))
def test_a_random_program_does_what_it_does_in_py_evm(number: int) -> None:
    rng = random.Random(f"{SEED}-{number}")
    programs = {
        CONTRACT: ProgramWriter(rng).write(rng.randrange(5, 120)),
        OTHER: ProgramWriter(rng).write(rng.randrange(5, 40)),
        ALICE: b"",
    }
    data = rng.randbytes(rng.randrange(80))
    listing = {address.hex(): code.hex() for address, code in programs.items()}
    expected = by_py_evm(programs, data)
    for rules in (INTERPRETED, COMPILED):
        assert by_us(rules, programs, data) == expected, f"seed {SEED}, program {number}, {rules}: {listing}"
