"""The loop that runs a program, in place of py-evm's, which asks loggers and charges gas at every instruction."""

from time import monotonic
from typing import TYPE_CHECKING

from execution.errors import CallTimeout
from execution.evm.program import (
    DUP,
    FALL_THROUGH,
    JUMP,
    JUMP_IF,
    JUMP_IF_TO,
    JUMP_TO,
    MLOAD,
    MSTORE,
    ON_FRAME,
    ON_STACK,
    POP,
    PUSH,
    SWAP,
    Block,
    Program,
)

if TYPE_CHECKING:
    from execution.evm.computation import Computation

BLOCKS_PER_CLOCK_CHECK = 256


def run(frame: "Computation", program: Program) -> None:
    """Runs the frame until it stops. Raises what py-evm's instructions raise."""
    stack, memory = frame.stack, frame.memory
    push, pop = stack.append, stack.pop
    deadline = frame.state.deadline
    block, blocks_run = program.start, 0
    while True:
        gas, height = frame.gas - block.gas, len(stack)
        if gas < 0 or height < block.needs or height > block.max_height:
            raise block.failure(frame.gas, height)
        frame.gas = gas
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
                end = start + 32
                if end > len(memory):
                    frame.extend_memory(start, 32)
                memory[start:end] = pop().to_bytes(32, "big")
            elif kind == MLOAD:
                start = stack[-1]
                end = start + 32
                if end > len(memory):
                    frame.extend_memory(start, 32)
                stack[-1] = int.from_bytes(memory[start:end], "big")
        way = block.end
        if way == FALL_THROUGH:
            block = block.following or program.follow(block)
        elif way == JUMP_IF_TO:
            if pop():
                block = block.taken or program.take(block)
            else:
                block = block.following or program.follow(block)
        elif way == JUMP_TO:
            block = block.taken or program.take(block)
        elif way == JUMP:
            block = program.jump(pop())
        elif way == JUMP_IF:
            block = _jump_if(block, program, pop(), pop())
        else:
            return
        if deadline is not None:
            blocks_run += 1
            if not blocks_run % BLOCKS_PER_CLOCK_CHECK:
                check_clock(deadline)


def _jump_if(block: Block, program: Program, target: int, condition: int) -> Block:
    return program.jump(target) if condition else block.following or program.follow(block)


def check_clock(deadline: float) -> None:
    """Raises CallTimeout once the deadline has passed."""
    if monotonic() > deadline:
        raise CallTimeout
