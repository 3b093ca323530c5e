"""The loop that runs a program, in place of py-evm's, which asks loggers and charges gas at every instruction."""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from execution.errors import CallTimeout
from execution.evm.program import (
    DUP,
    FALL_THROUGH,
    JUMP,
    JUMP_IF_TO,
    JUMP_TO,
    MLOAD,
    MSTORE,
    ON_FRAME,
    ON_STACK,
    POP,
    PUSH,
    STOP,
    SWAP,
    Block,
    Program,
)

if TYPE_CHECKING:
    from execution.evm.computation import Computation

BLOCKS_PER_CLOCK_CHECK = 256


def run(frame: "Computation", program: Program) -> None:
    """Runs the frame until it stops. Raises what py-evm's instructions raise."""
    stack, memory, deadline = frame.stack, frame.memory, frame.state.deadline
    block, blocks_run, hot = program.start, 0, program.hot
    while True:
        if block.heat < hot:
            program.warm(block)
        way = block.compiled
        # When the whole way cannot be paid for or has no room, the interpreter finds out where it fails.
        if way is not None and frame.gas >= way.gas and way.needs <= len(stack) <= way.max_height:
            frame.gas -= way.gas
            following = way.run(frame, stack, memory)
        else:
            _interpret(block, frame, stack, memory)
            following = _after(block, program, stack.pop)
        if following is None:
            return
        block = following
        blocks_run += 1
        if deadline is not None and not blocks_run % BLOCKS_PER_CLOCK_CHECK:
            check_clock(deadline)


def _interpret(block: Block, frame: "Computation", stack: list[int], memory: bytearray) -> None:
    """Charges for a block and carries out its instructions."""
    gas, height = frame.gas - block.gas, len(stack)
    if gas < 0 or height < block.needs or height > block.max_height:
        raise block.failure(frame.gas, height)
    frame.gas = gas
    push, pop = stack.append, stack.pop
    for kind, argument in block.instructions:
        if kind == PUSH:
            push(argument)
        elif kind == DUP:
            push(stack[argument])
        elif kind == SWAP:
            stack[-1], stack[argument] = stack[argument], stack[-1]
        elif kind == ON_STACK:
            argument(stack)
        elif kind == POP:
            pop()
        elif kind == ON_FRAME:
            argument(frame)
        elif kind == MSTORE:
            start = pop()
            if start + 32 > len(memory):
                frame.extend_memory(start, 32)
            memory[start : start + 32] = pop().to_bytes(32, "big")
        elif kind == MLOAD:
            start = stack[-1]
            if start + 32 > len(memory):
                frame.extend_memory(start, 32)
            stack[-1] = int.from_bytes(memory[start : start + 32], "big")


def _after(block: Block, program: Program, pop: Callable[[], int]) -> Block | None:
    """Where an interpreted block leads; None if the frame stops."""
    end = block.end
    if end == FALL_THROUGH:
        return block.following or program.follow(block)
    if end == JUMP_IF_TO:
        if pop():
            return block.taken or program.take(block)
        block.followed = True
        return block.following or program.follow(block)
    return None if end == STOP else _jump(block, program, pop)


def _jump(block: Block, program: Program, pop: Callable[[], int]) -> Block:
    """Where the less frequent kinds of jump lead."""
    if block.end == JUMP_TO:
        return block.taken or program.take(block)
    target = pop()
    if block.end == JUMP or pop():
        return program.jump(target)
    return block.following or program.follow(block)


def check_clock(deadline: float) -> None:
    """Raises CallTimeout once the deadline has passed."""
    if monotonic() > deadline:
        raise CallTimeout
