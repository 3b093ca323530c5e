"""Parity's vmTrace: every instruction of every frame with what it left, frames within the instructions that began them.

What stands in it is OpenEthereum's meaning of it, which Erigon and Reth follow: `used` is the gas left after an
instruction, `push` what it put on the stack, `mem` the memory that it wrote or read, `store` the slot that it wrote.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from execution.evm.stepping import CALLS, CREATIONS, OP_CALL, OP_CALLCODE, Entered, Left, Step, SteppingFrame
from execution.tracers.nested_json import nested_json
from execution.tracers.opcode_names import opcode_name
from execution.tracers.tracer import Options, Run, Tracer

OP_SSTORE, OP_MLOAD, OP_MSTORE, OP_MSTORE8 = 0x55, 0x51, 0x52, 0x53
OP_CALLDATACOPY, OP_CODECOPY, OP_EXTCODECOPY, OP_RETURNDATACOPY, OP_MCOPY = 0x37, 0x39, 0x3C, 0x3E, 0x5E
COPIES = frozenset((OP_CALLDATACOPY, OP_CODECOPY, OP_RETURNDATACOPY, OP_MCOPY))
INSTRUCTION_BYTES = 160
"""What an instruction takes in JSON besides its memory and stack."""


@dataclass(slots=True)
class _Frame:
    """A frame on its way; `waiting` is the instruction that began another, until that has ended."""

    code: bytes = b""
    operations: list[dict[str, Any]] = field(default_factory=list)
    waiting: Step | None = None
    is_precompile: bool = False

    def json(self) -> dict[str, Any]:
        return {"code": "0x" + self.code.hex(), "ops": self.operations}


class VmTracer(Tracer):
    """Its result is a JSON text within JSON: frames nest deeper than orjson goes."""

    wants_steps = True
    wants_stack = True

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._open: list[_Frame] = []
        self._top = _Frame()
        self._precompiles: frozenset[bytes] = frozenset()

    def began(self, run: Run) -> None:
        self._precompiles = frozenset(run.precompiles)

    def enter(self, entered: Entered) -> None:
        self._open.append(_Frame(is_precompile=entered.to in self._precompiles))

    def leave(self, left: Left) -> None:
        frame = self._open.pop()
        if not self._open:
            self._top = frame
        elif not frame.is_precompile and self._open[-1].waiting is not None:
            self._open[-1].operations[-1]["sub"] = frame.json()

    def step(self, step: Step) -> None:
        frame = self._open[-1]
        frame.code = step.frame.msg.code
        if frame.waiting is not None:
            before, frame.waiting = frame.waiting, None
            frame.operations[-1]["ex"] = self._executed(before, step.gas, step.stack, step.frame)
        self.grow(INSTRUCTION_BYTES)
        executed = None
        if not step.error and (step.opcode in CALLS or step.opcode in CREATIONS):
            frame.waiting = step
        elif not step.error:
            executed = self._executed(step, step.frame.gas, step.frame.stack, step.frame)
        frame.operations.append(
            {"cost": step.cost, "ex": executed, "pc": step.pc, "sub": None, "op": opcode_name(step.opcode)}
        )

    def result(self) -> bytes:
        return orjson.dumps(nested_json(self._top.json()).decode())

    def _executed(self, step: Step, gas: int, stack: list[int], frame: SteppingFrame) -> dict[str, Any]:
        """What the instruction left: this much gas, this stack, and the frame's memory."""
        instruction = frame.programs.instruction_set.get(step.opcode)
        pushes = 0 if instruction is None else instruction.pushes
        at, size = _memory_of(step)
        data = bytes(frame.memory[at : at + size])
        self.grow(2 * len(data) + 40 * pushes)
        return {
            "mem": {"data": "0x" + data.hex(), "off": at} if size else None,
            "push": [hex(word) for word in stack[len(stack) - pushes :]],
            "store": {"key": hex(step.operand(0)), "val": hex(step.operand(1))} if step.opcode == OP_SSTORE else None,
            "used": gas,
        }


def _memory_of(step: Step) -> tuple[int, int]:
    """Where the instruction writes or loads memory, and how many bytes; none of most."""
    opcode = step.opcode
    if opcode in (OP_MLOAD, OP_MSTORE):
        return step.operand(0), 32
    if opcode == OP_MSTORE8:
        return step.operand(0), 1
    places = (0, 2) if opcode in COPIES else (1, 3) if opcode == OP_EXTCODECOPY else None
    if opcode in CALLS:
        places = (5, 6) if opcode in (OP_CALL, OP_CALLCODE) else (4, 5)
    return (0, 0) if places is None else (step.operand(places[0]), step.operand(places[1]))
