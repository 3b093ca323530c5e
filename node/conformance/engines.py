"""The engines that official tests run on: interpreting, or compiling every block of bytecode before it first runs."""

from functools import cache

from chain.forks import Fork
from execution.engine import INTERPRETER, Engine, rules_of
from execution.evm.compiler import BlockCompiler
from execution.evm.program import Compilation, ProgramCache


@cache
def engine_for(fork: Fork, evm: str) -> Engine:
    """A chain compiles what is run often; what a test runs once would not be compiled at all."""
    if evm == INTERPRETER:
        return Engine(fork, INTERPRETER)
    engine, instruction_set = Engine(fork), rules_of(fork).programs.instruction_set
    engine.use(ProgramCache(instruction_set, Compilation(BlockCompiler(instruction_set), hot=1)))
    return engine
