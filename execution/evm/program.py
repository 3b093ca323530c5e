"""Bytecode cut into basic blocks, each decoded once.

A block is a run of instructions that is entered only at its start and left only at its end. Its static gas and its
effect on the stack's height are known beforehand, so they are checked once, on entry. That gives the same result as
checking at each instruction: whatever fails inside a block fails its frame, which burns all gas and undoes all changes,
at whatever instruction it is noticed. An instruction that observes the gas left (GAS, SSTORE, calls, creations) ends
its block, so that what it sees has been charged up to itself and no further.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from eth.exceptions import InvalidJumpDestination, OutOfGas, VMError

from execution.evm.failures import StackOverflow, StackUnderflow, UndefinedOpcode

STACK_LIMIT = 1024
MAX_CACHED_BYTES = 32 << 20
"""Of all programs kept, besides their blocks: 666 of the largest contracts, thousands of usual ones."""
PROGRAM_BYTES = 1_200
"""What a program takes besides its code, the table of jump destinations, which is as long, and its blocks. Measured."""
MAX_DECODED_INSTRUCTIONS = 500_000
"""In all programs kept; decoded, an instruction takes some 120 bytes."""
BLOCK_WEIGHT = 8
"""What a block takes besides its instructions, in instructions."""
LONGEST_BLOCK = 128
"""Instructions. A longer run is cut, so that whoever cannot pay for it does not have all of it decoded."""

MAX_COMPILED_INSTRUCTIONS = 100_000
"""In all programs kept; compiled, an instruction takes some 300 bytes."""
HOT = 16
"""Which entry of a block compiles it."""
INTERPRETED_PER_COMPILED = 16
"""Instructions: to compile one takes as long as to interpret some fifty."""

# How the interpreter carries out an instruction, the most frequent first.
PUSH, DUP, SWAP, POP, ON_STACK, ON_FRAME, MLOAD, MSTORE = range(8)
# How a block is left. JUMP and JUMP_IF take their target from the stack; the other two have it fixed in the code.
FALL_THROUGH, JUMP_IF_TO, JUMP_TO, JUMP_IF, JUMP, STOP = range(6)

OP_STOP, OP_CODESIZE, OP_JUMP, OP_JUMPI, OP_PC, OP_JUMPDEST = 0x00, 0x38, 0x56, 0x57, 0x58, 0x5B
OP_PUSH0, OP_PUSH1, OP_PUSH32, OP_RETURN, OP_REVERT, OP_SELFDESTRUCT = 0x5F, 0x60, 0x7F, 0xF3, 0xFD, 0xFF
LEAVING = frozenset((OP_STOP, OP_RETURN, OP_REVERT, OP_SELFDESTRUCT))


@dataclass(frozen=True, slots=True)
class Instruction:
    """An opcode's static gas, what it pops and pushes, and how it is carried out: a kind from above, its argument."""

    gas: int
    pops: int
    pushes: int
    step: tuple[int, Any]
    observes_gas: bool = False


InstructionSet = Mapping[int, Instruction]


@dataclass(frozen=True, slots=True)
class CompiledWay:
    """A function that runs a block and what follows it, and what must hold on entry for its first segment.

    `run` takes the frame, its stack and its memory, with `gas` already taken. It returns the block to go on with, None
    when the frame stops.
    """

    run: "Callable[[Any, list[int], bytearray], Block | None]"
    gas: int
    needs: int
    max_height: int
    size: int


class Block:
    """A basic block. `taken` and `following` are the blocks after it, linked when first needed.

    `followed` says whether the way ever went on to the one that follows in the code. `heat` counts how often the block
    was interpreted.
    """

    __slots__ = (
        "compiled",
        "end",
        "followed",
        "following",
        "gas",
        "heat",
        "instructions",
        "max_height",
        "needs",
        "next_start",
        "opcodes",
        "start",
        "taken",
        "target",
    )

    def __init__(self, start: int) -> None:
        self.start = start
        self.heat = 0
        self.compiled: CompiledWay | None = None
        self.instructions: list[tuple[int, Any]] = []
        self.opcodes: list[Instruction] = []
        self.gas = 0
        self.needs = 0
        self.max_height = STACK_LIMIT
        self.end = STOP
        self.next_start = 0
        self.target = 0
        self.taken: Block | None = None
        self.following: Block | None = None
        self.followed = False

    def charge(self) -> None:
        """Sums up the gas of the opcodes, the height they need and the height from which they would overflow."""
        height = highest = 0
        for opcode in self.opcodes:
            self.gas += opcode.gas
            self.needs = max(self.needs, opcode.pops - height)
            height += opcode.pushes - opcode.pops
            highest = max(highest, height)
        self.max_height = STACK_LIMIT - highest

    def failure(self, gas: int, height: int) -> VMError:
        """Which opcode fails first in a block that its entry check has refused, and how."""
        for opcode in self.opcodes:
            if height < opcode.pops:
                return StackUnderflow(height, opcode.pops)
            after = height + opcode.pushes - opcode.pops
            if after > STACK_LIMIT:
                return StackOverflow(height, STACK_LIMIT + opcode.pops - opcode.pushes)
            height = after
            gas -= opcode.gas
            if gas < 0:
                break
        return OutOfGas("out of gas")


def _undefined(opcode: int) -> Callable[[object], None]:
    def fail(_: object) -> None:
        raise UndefinedOpcode(opcode)

    return fail


class Program:
    """One contract's code under one instruction set. Blocks are decoded when first entered."""

    def __init__(
        self, code: bytes, instruction_set: InstructionSet, compilation: "Compilation | None", decoding: "Decoding"
    ) -> None:
        self._code = code
        self._instruction_set = instruction_set
        self._compilation = compilation
        self._decoding = decoding
        self.hot = 0 if compilation is None else compilation.hot
        self.compiled_size = 0
        self.decoded_size = 0
        self._blocks: dict[int, Block] = {}
        self._targets: dict[int, Block] = {}
        self._jump_destinations: bytearray | None = None
        self.start = self._block_at(0)

    def jump(self, position: int) -> Block:
        """The block that a jump leads to. Raises InvalidJumpDestination."""
        block = self._targets.get(position)
        if block is None:
            if not self.is_destination(position):
                raise InvalidJumpDestination(f"no JUMPDEST at {position}")
            block = self._targets[position] = self._block_at(position)
        return block

    def is_destination(self, position: int) -> bool:
        """Whether a jump may lead there."""
        if self._jump_destinations is None:
            self._jump_destinations = self._find_jump_destinations()
        return position < len(self._jump_destinations) and self._jump_destinations[position] == 1

    def dropped(self) -> None:
        """No cache keeps it: frames that still run it compile nothing, and what they decode counts for nobody."""
        self._compilation = None
        self._decoding = Decoding()

    def take(self, block: Block) -> Block:
        """Links the block that a constant jump leads to."""
        block.taken = self.jump(block.target)
        return block.taken

    def follow(self, block: Block) -> Block:
        """Links the block that comes next in the code."""
        block.following = self._block_at(block.next_start)
        return block.following

    def warm(self, block: Block) -> None:
        """The block is entered once more; when it is hot, it is compiled."""
        compilation = self._compilation
        if compilation is None:
            return
        compilation.earn(len(block.opcodes))
        block.heat += 1
        if block.heat < self.hot or compilation.left <= 0:
            return
        if compilation.earned <= 0:
            block.heat -= 1  # it stays one entry short of hot
            return
        block.compiled = compilation.compile(self, block)
        compilation.spend(block.compiled.size)
        self.compiled_size += block.compiled.size

    def _find_jump_destinations(self) -> bytearray:
        """1 for every JUMPDEST that is not the data of a PUSH. A set of as many would take sixty times as much."""
        code, position = self._code, 0
        found = bytearray(len(code))
        while position < len(code):
            opcode = code[position]
            if opcode == OP_JUMPDEST:
                found[position] = 1
            elif OP_PUSH1 <= opcode <= OP_PUSH32:
                position += opcode - OP_PUSH0
            position += 1
        return found

    def _block_at(self, start: int) -> Block:
        block = self._blocks.get(start)
        if block is None:
            block = self._blocks[start] = self._decode(start)
            size = len(block.instructions) + BLOCK_WEIGHT
            self.decoded_size += size
            self._decoding.size += size
        return block

    def _decode(self, start: int) -> Block:
        block, code, position = Block(start), self._code, start
        while position < len(code):
            opcode = code[position]
            instruction = self._instruction_set.get(opcode)
            if (opcode == OP_JUMPDEST and position != start) or len(block.opcodes) == LONGEST_BLOCK:
                block.end, block.next_start = FALL_THROUGH, position
                break
            if instruction is None:
                block.instructions.append((ON_FRAME, _undefined(opcode)))
                break
            block.opcodes.append(instruction)
            position += 1
            if OP_PUSH0 <= opcode <= OP_PUSH32:
                size = opcode - OP_PUSH0
                data = code[position : position + size]
                block.instructions.append((PUSH, int.from_bytes(data, "big") << 8 * (size - len(data))))
                position += size
            elif opcode in (OP_JUMP, OP_JUMPI):
                _end_with_jump(block, opcode, position)
                break
            elif opcode == OP_PC:
                block.instructions.append((PUSH, position - 1))
            elif opcode == OP_CODESIZE:
                block.instructions.append((PUSH, len(code)))
            elif opcode not in (OP_STOP, OP_JUMPDEST):
                block.instructions.append(instruction.step)
            if opcode in LEAVING:
                break
            if instruction.observes_gas:
                block.end, block.next_start = FALL_THROUGH, position
                break
        block.charge()
        return block


def _end_with_jump(block: Block, opcode: int, next_start: int) -> None:
    block.next_start = next_start
    if block.instructions and block.instructions[-1][0] == PUSH:
        block.target = block.instructions.pop()[1]
        block.end = JUMP_TO if opcode == OP_JUMP else JUMP_IF_TO
    else:
        block.end = JUMP if opcode == OP_JUMP else JUMP_IF


@dataclass(slots=True)
class Decoding:
    """How much of all programs of a cache is decoded, in instructions."""

    size: int = 0


class Compilation:
    """What compiles blocks once they are `hot`, and how many instructions it may compile: `left` until some are
    dropped, and what was `earned` by interpreting others, so that dropping some to compile others takes no more time
    than a few times what running them takes.
    """

    def __init__(self, compile_block: Callable[[Program, Block], CompiledWay], hot: int = HOT) -> None:
        self.compile = compile_block
        self.hot = hot
        self.left = MAX_COMPILED_INSTRUCTIONS
        self.earned: float = MAX_COMPILED_INSTRUCTIONS

    def earn(self, interpreted: int) -> None:
        self.earned = min(self.earned + interpreted / INTERPRETED_PER_COMPILED, MAX_COMPILED_INSTRUCTIONS)

    def spend(self, size: int) -> None:
        self.left -= size
        self.earned -= size


class ProgramCache:
    """The programs used last, by their code. Without a compilation they are interpreted only."""

    def __init__(self, instruction_set: InstructionSet, compilation: Compilation | None = None) -> None:
        self.instruction_set = instruction_set
        self._compilation = compilation
        self._decoding = Decoding()
        self._programs: OrderedDict[bytes, Program] = OrderedDict()
        self._bytes = 0

    def program(self, code: bytes) -> Program:
        program = self._programs.get(code)
        if program is None:
            program = self._programs[code] = Program(code, self.instruction_set, self._compilation, self._decoding)
            self._bytes += _bytes_of(code)
            while self._is_out_of_room():
                self._drop_oldest()
        else:
            self._programs.move_to_end(code)
        while self._decoding.size > MAX_DECODED_INSTRUCTIONS and len(self._programs) > 1:
            self._drop_oldest()
        return program

    def _is_out_of_room(self) -> bool:
        cannot_compile = self._compilation is not None and self._compilation.left <= 0 and len(self._programs) > 1
        return cannot_compile or (self._bytes > MAX_CACHED_BYTES and len(self._programs) > 1)

    def _drop_oldest(self) -> None:
        code, oldest = self._programs.popitem(last=False)
        self._bytes -= _bytes_of(code)
        oldest.dropped()
        self._decoding.size -= oldest.decoded_size
        if self._compilation is not None:
            self._compilation.left += oldest.compiled_size


def _bytes_of(code: bytes) -> int:
    return PROGRAM_BYTES + 2 * len(code)
