"""Compiled blocks do what the interpreter does: at every gas limit, in loops, for every way to fail, and in time."""

import random
import re
import time

import pytest

from chain.types import Gas
from execution.errors import CallTimeout
from execution.evm.account_db import AccountDB
from execution.evm.compiler import MAX_INSTRUCTIONS, BlockCompiler
from execution.evm.computation import Computation, OsakaComputation, TransactionContext, with_programs
from execution.evm.failures import words
from execution.evm.instruction_sets import OSAKA
from execution.evm.message import Message
from execution.evm.program import INTERPRETED_PER_COMPILED, Compilation, ProgramCache
from execution.evm.state import State
from tests.execution.engine.small_world import ALICE, CONTRACT, assemble, environment, state

SEED = 4_004
OPERATIONS = "ADD MUL SUB DIV MOD LT GT SLT SGT EQ AND OR XOR BYTE SHL SHR"


def labelled(text: str) -> bytes:
    """Bytecode in which `:name` is a landing place and `@name` pushes it."""
    places: dict[str, int] = {}
    code = b""
    for _ in range(2):  # the first time to find the places
        code = b""
        for word in text.split():
            if word.startswith(":"):
                places[word[1:]] = len(code)
            code += assemble(
                "JUMPDEST" if word[0] == ":" else f"0x{places.get(word[1:], 0):04x}" if word[0] == "@" else word
            )
    return code


def rules(hot: int) -> type[Computation]:
    """Osaka's, compiled on that entry of a block; 0 never compiles."""
    compilation = Compilation(BlockCompiler(OSAKA), hot) if hot else None
    return with_programs(OsakaComputation, ProgramCache(OSAKA, compilation))


def run(of: type[Computation], code: bytes, gas: int = 100_000, deadline: float | None = None) -> Computation:
    world = state((CONTRACT, ""))
    frame_state = State(AccountDB(world), world, environment(), deadline)
    message = Message(Gas(gas), ALICE, CONTRACT, CONTRACT, 0, b"data", code)
    return of.apply_message(frame_state, message, TransactionContext(ALICE, 1))


def facts(frame: Computation) -> tuple[bytes, str, int, object]:
    return frame.output, words(frame.error), frame.gas, frame.state.db.writes()


def sum_loop(turns: int, then: str = "0 MSTORE 32 0 RETURN") -> bytes:
    """Adds up the numbers below `turns`, and goes on with the sum on the stack."""
    return labelled(f"0 0 :turn DUP1 SWAP2 ADD SWAP1 1 ADD DUP1 0x{turns:04x} GT @turn JUMPI POP {then}")


@pytest.mark.parametrize("hot", [1, 2, 3, 16])
@pytest.mark.parametrize("turns", [1, 2, 63, 64, 65, 200])
def test_a_loop_turns_as_often_as_it_must(turns: int, hot: int) -> None:
    compiled, interpreted = run(rules(hot), sum_loop(turns)), run(rules(0), sum_loop(turns))
    assert int.from_bytes(compiled.output, "big") == sum(range(turns))
    assert facts(compiled) == facts(interpreted)


def test_with_every_gas_limit_the_same_is_left_and_the_same_fails() -> None:
    program = sum_loop(3, "DUP1 SSTORE GAS 64 MSTORE 32 64 SHA3 0 MSTORE 32 0 RETURN")
    failures = set()
    for gas in (*range(400), *range(400, 26_000, 97)):
        compiled, interpreted = run(rules(1), program, gas), run(rules(0), program, gas)
        assert facts(compiled) == facts(interpreted), f"with {gas} gas"
        failures.add(words(compiled.error))
    assert failures == {"", "out of gas"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("POP", "stack underflow (0 <=> 1)"),
        ("1 ADD", "stack underflow (1 <=> 2)"),
        ("0 0x0003 JUMPI 1 1 POP POP POP", "stack underflow (0 <=> 1)"),
        ("0x0000 JUMP", "invalid jump destination"),
        ("CALLDATASIZE JUMP", "invalid jump destination"),
        ("1 0x0000 JUMPI", "invalid jump destination"),
        ("1 INVALID", "invalid opcode: INVALID"),
        ("32 0 REVERT", "execution reverted"),
        ("0xffffffffffffffff MLOAD", "out of gas"),
        ("1 GAS MSTORE 0xffffffff GAS ADD MLOAD", "out of gas"),
    ],
)
def test_what_fails_fails_with_the_same_words(text: str, error: str) -> None:
    compiled, interpreted = run(rules(1), assemble(text)), run(rules(0), assemble(text))
    assert facts(compiled) == facts(interpreted)
    assert words(compiled.error) == error


def test_a_stack_that_grows_in_a_loop_overflows_at_the_same_place() -> None:
    code = assemble("JUMPDEST 1 DUP1 0x0000 JUMP")
    assert facts(run(rules(1), code)) == facts(run(rules(0), code))
    assert words(run(rules(1), code).error).startswith("stack limit reached")


def test_internal_functions_return_to_where_they_were_called_from() -> None:
    """Two calls of one function, whose return targets are constants on the way that is compiled."""
    code = labelled(
        "@first 5 @double JUMP :first @second SWAP1 @double JUMP :second 0 MSTORE 32 0 RETURN"
        " :double DUP1 ADD SWAP1 JUMP"
    )
    compiled, interpreted = run(rules(1), code), run(rules(0), code)
    assert int.from_bytes(compiled.output, "big") == 20
    assert facts(compiled) == facts(interpreted)


def doubling_loop(turns: int) -> bytes:
    """1, twice doubled on every turn by an internal function, modulo 2^256."""
    return labelled(
        f"1 0x{turns:04x} :turn SWAP1 @first SWAP1 @double JUMP :first @second SWAP1 @double JUMP :second SWAP1"
        " 1 SWAP1 SUB DUP1 @turn JUMPI POP 0 MSTORE 32 0 RETURN :double DUP1 ADD SWAP1 JUMP"
    )


def test_an_internal_function_is_part_of_every_loop_that_calls_it_however_often() -> None:
    code = doubling_loop(100)
    computation = rules(hot=2)
    assert int.from_bytes(run(computation, code).output, "big") == 1 << 200
    way = computation.programs.program(code).jump(code.index(labelled(":turn SWAP1"))).compiled
    assert way is not None
    assert way.size == 6 + 5 + 5 + 5 + 8, "one turn, with the function's five instructions twice"


def test_a_loop_that_calls_an_internal_function_leaves_the_same_with_every_gas_limit() -> None:
    code = doubling_loop(5)
    for gas in range(1_000):
        assert facts(run(rules(1), code, gas)) == facts(run(rules(0), code, gas)), f"with {gas} gas"


def test_return_targets_that_pile_up_are_followed_in_bounded_pieces() -> None:
    code = assemble("JUMPDEST 0 0x0000 JUMP")
    program = rules(hot=1).programs.program(code)
    program.warm(program.start)
    assert program.start.compiled is not None
    assert program.start.compiled.size <= MAX_INSTRUCTIONS + 4
    assert facts(run(rules(1), code)) == facts(run(rules(0), code))


def test_an_endless_loop_of_a_call_ends_at_its_deadline() -> None:
    with pytest.raises(CallTimeout):
        run(rules(1), assemble("JUMPDEST 0 JUMP"), gas=10**12, deadline=time.monotonic() + 0.05)


def test_words_of_any_size_are_computed_alike() -> None:
    rng = random.Random(SEED)
    operations = re.findall(r"\w+", OPERATIONS)
    for number in range(300):
        operands = [rng.getrandbits(rng.choice((1, 8, 9, 128, 255, 256))) for _ in range(2)]
        pushed = " ".join(f"0x{operand:064x}" for operand in operands)
        text = f"{pushed} {rng.choice(operations)} DUP1 ISZERO ISZERO ADD NOT CLZ 0 MSTORE 32 0 RETURN"
        hidden = text.replace("0x", "0 CALLDATALOAD POP 0x", 1).replace("DUP1", "CALLDATASIZE ADD DUP1")
        for program in (assemble(text), assemble(hidden)):
            compiled, interpreted = run(rules(1), program), run(rules(0), program)
            assert facts(compiled) == facts(interpreted), f"seed {SEED}, number {number}: {text}"


def test_what_is_kept_compiled_is_bounded() -> None:
    compilation = Compilation(BlockCompiler(OSAKA), hot=1)
    compilation.left = 60
    programs = ProgramCache(OSAKA, compilation)
    computation = with_programs(OsakaComputation, programs)
    codes = [sum_loop(turns) for turns in range(2, 30)]
    for code in codes:
        assert run(computation, code).error is None
    assert compilation.left > -100, "programs were not dropped to make room"
    assert run(computation, codes[0]).output == run(rules(0), codes[0]).output


def test_landing_places_count_as_instructions_so_that_a_code_of_them_alone_is_compiled_in_bounded_pieces() -> None:
    """24 kB of JUMPDEST, called with too little gas to get through, took half a minute to compile again and again."""
    code = b"\x5b" * 24_576
    program = rules(hot=1).programs.program(code)
    program.warm(program.start)
    assert program.start.compiled is not None
    assert MAX_INSTRUCTIONS <= program.start.compiled.size <= MAX_INSTRUCTIONS + 2
    assert program.compiled_size == program.start.compiled.size
    assert facts(run(rules(hot=1), code, 20_000)) == facts(run(rules(hot=0), code, 20_000))


@pytest.mark.parametrize("deeper", ["ISZERO", "CALLDATASIZE EQ", "CALLDATASIZE LT ISZERO", "CALLDATASIZE SWAP1 SGT"])
def test_conditions_on_conditions_are_compiled_however_deep_they_go(deeper: str) -> None:
    """Python's parser gives up at some 100 levels, which ended the process that compiled."""
    code = assemble(f"CALLDATASIZE {deeper} " * 2 + f"{deeper} " * 601 + "0 MSTORE 32 0 RETURN")
    assert facts(run(rules(1), code)) == facts(run(rules(0), code))


def long_ways(heads: int, words: int, branches: int) -> tuple[bytes, list[int]]:
    """Code in which so many ways begin with `words` and go through all `branches`, and where they begin."""
    starts = " ".join(f":start{n} " + "CALLDATASIZE " * words + "@body JUMP" for n in range(heads))
    code = labelled(f"0 CALLDATALOAD JUMP {starts} :body {'CALLDATASIZE ISZERO @out JUMPI ' * branches} STOP :out STOP")
    first, step = len(assemble("0 CALLDATALOAD JUMP")), words + 5
    return code, [first + step * number for number in range(heads)]


def test_what_is_written_to_the_stack_on_each_branch_counts_as_compiled() -> None:
    """A way with 100 branches and 300 words on the stack was 30,000 words of Python, as 600 instructions."""
    code, starts = long_ways(heads=1, words=300, branches=100)
    program = rules(hot=1).programs.program(code)
    program.warm(program.jump(starts[0]))
    compiled = program.jump(starts[0]).compiled
    assert compiled is not None
    assert len(compiled.run.__code__.co_code) < 100 * compiled.size


def test_what_is_compiled_again_and_again_is_earned_by_interpreting() -> None:
    compilation = Compilation(BlockCompiler(OSAKA), hot=4)
    compilation.earned = 0
    code, starts = long_ways(heads=50, words=0, branches=100)
    program = ProgramCache(OSAKA, compilation).program(code)
    blocks = [program.jump(start) for start in starts]
    entries = 0
    while blocks[-1].compiled is None:
        for block in blocks:
            if block.compiled is None:
                program.warm(block)
                entries += 1
    interpreted = entries * len(blocks[0].opcodes)
    assert program.compiled_size <= interpreted / INTERPRETED_PER_COMPILED + MAX_INSTRUCTIONS + 4
