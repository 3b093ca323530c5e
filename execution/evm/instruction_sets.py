"""What each opcode costs, takes and does, by fork: py-evm's tables with our faster instructions put in."""

from collections.abc import Mapping
from typing import Any

from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES

from execution.evm import arithmetic, call_instructions, instructions
from execution.evm.instructions import FrameFunction
from execution.evm.program import (
    DUP,
    MLOAD,
    MSTORE,
    ON_FRAME,
    ON_STACK,
    POP,
    PUSH,
    SWAP,
    Instruction,
    InstructionSet,
)

OBSERVES_GAS = frozenset((0x55, 0x5A, *call_instructions.BY_OPCODE))
CLZ = 0x1E
CLZ_GAS = 5
SELF_DESTRUCT_GAS = 5_000

_STACK_EFFECTS = {
    (0, 0): (0x00, 0x5B),
    (0, 1): (
        0x30,
        0x32,
        0x33,
        0x34,
        0x36,
        0x38,
        0x3A,
        0x3D,
        *range(0x41, 0x49),
        0x4A,
        0x58,
        0x59,
        0x5A,
        *range(0x5F, 0x80),
    ),
    (1, 0): (0x50, 0x56, 0xFF),
    (1, 1): (0x15, 0x19, 0x31, 0x35, 0x3B, 0x3F, 0x40, 0x49, 0x51, 0x54, 0x5C),
    (2, 0): (0x52, 0x53, 0x55, 0x57, 0x5D, 0xF3, 0xFD),
    (2, 1): (*range(0x01, 0x08), 0x0A, 0x0B, *range(0x10, 0x15), *range(0x16, 0x19), *range(0x1A, 0x1E), 0x20),
    (3, 0): (0x37, 0x39, 0x3E, 0x5E),
    (3, 1): (0x08, 0x09, 0xF0),
    (4, 0): (0x3C,),
    (4, 1): (0xF5,),
    (6, 1): (0xF4, 0xFA),
    (7, 1): (0xF1, 0xF2),
}
"""(popped, pushed): the opcodes, but for DUP, SWAP and LOG."""


def _stack_effect(opcode: int) -> tuple[int, int]:
    if 0x80 <= opcode < 0x90:
        return opcode - 0x7F, opcode - 0x7E
    if 0x90 <= opcode < 0xA0:
        return opcode - 0x8E, opcode - 0x8E
    if 0xA0 <= opcode < 0xA5:
        return opcode - 0x9E, 0
    return next(effect for effect, opcodes in _STACK_EFFECTS.items() if opcode in opcodes)


def _step(opcode: int, py_evm: Any) -> tuple[int, Any]:
    """The kind of an instruction and its argument (see `program`)."""
    if 0x5F <= opcode <= 0x7F:
        return PUSH, None
    if 0x80 <= opcode < 0x90:
        return DUP, 0x7F - opcode
    if 0x90 <= opcode < 0xA0:
        return SWAP, 0x8E - opcode
    if opcode in _OWN_KINDS:
        return _OWN_KINDS[opcode], None
    if opcode in arithmetic.BY_OPCODE:
        return ON_STACK, arithmetic.BY_OPCODE[opcode]
    if opcode in instructions.BY_OPCODE:
        return ON_FRAME, instructions.BY_OPCODE[opcode]
    if opcode in call_instructions.BY_OPCODE:
        return ON_FRAME, call_instructions.BY_OPCODE[opcode]
    return ON_FRAME, py_evm.logic_fn


_OWN_KINDS = {0x50: POP, 0x51: MLOAD, 0x52: MSTORE}


def _instruction(opcode: int, py_evm: Any, own: FrameFunction | None) -> Instruction:
    pops, pushes = _stack_effect(opcode)
    step = _step(opcode, py_evm) if own is None else (ON_FRAME, own)
    gas = getattr(py_evm, "gas_cost", SELF_DESTRUCT_GAS)  # from Shanghai on py-evm charges that while carrying it out
    return Instruction(gas, pops, pushes, step, opcode in OBSERVES_GAS)


def instruction_set(
    py_evm_opcodes: dict[int, Any], own: Mapping[int, FrameFunction] | None = None
) -> dict[int, Instruction]:
    """The instructions of a fork as py-evm prices them; `own` take the place of those that the newest forks have."""
    own = own or {}
    return {opcode: _instruction(opcode, py_evm, own.get(opcode)) for opcode, py_evm in py_evm_opcodes.items()}


CANCUN: InstructionSet = instruction_set(CANCUN_OPCODES)
PRAGUE: InstructionSet = instruction_set(PRAGUE_OPCODES)
OSAKA: InstructionSet = {**PRAGUE, CLZ: Instruction(CLZ_GAS, 1, 1, (ON_STACK, arithmetic.clz))}
