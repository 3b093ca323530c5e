"""What is kept of decoded bytecode: enough for many large contracts that are called by turns, and bounded."""

from execution.evm.compiler import BlockCompiler
from execution.evm.instruction_sets import OSAKA
from execution.evm.program import (
    BLOCK_WEIGHT,
    LONGEST_BLOCK,
    MAX_CACHED_BYTES,
    MAX_DECODED_INSTRUCTIONS,
    Compilation,
    ProgramCache,
)

LARGEST = 24_576
LANDINGS = b"\x5b" * (LARGEST - 4)


def contract(number: int) -> bytes:
    """The largest code there may be, of nothing but landing places; each has another end."""
    return LANDINGS + number.to_bytes(4, "big")


def test_large_contracts_that_are_called_by_turns_are_each_looked_through_once() -> None:
    """A megabyte of them was kept: 60, called by turns with 40 gas each, took 170 s in 16.7 million gas."""
    programs = ProgramCache(OSAKA)
    codes = [contract(number) for number in range(60)]
    first = [programs.program(code) for code in codes]
    assert all(program.jump(LARGEST - 5) is not None for program in first)
    assert [programs.program(code) for code in codes] == first


def test_thousands_of_usual_contracts_are_kept_and_no_more_of_large_ones_than_their_bytes() -> None:
    programs = ProgramCache(OSAKA)
    usual = [LANDINGS[:2_000] + number.to_bytes(4, "big") for number in range(5_000)]
    first = [programs.program(code) for code in usual]
    assert [programs.program(code) for code in usual] == first
    large = [programs.program(contract(number)) for number in range(MAX_CACHED_BYTES // (2 * LARGEST))]
    assert programs.program(usual[0]) is not first[0], "large ones came in its place"
    assert programs.program(contract(len(large) - 1)) is large[-1]


def test_code_without_jumps_is_decoded_as_far_as_its_gas_goes() -> None:
    """All of it was: 60 such contracts, called by turns with 40 gas each, took 850 s in 16.7 million gas."""
    start = ProgramCache(OSAKA).program(bytes.fromhex("3650") * (LARGEST // 2)).start
    assert len(start.opcodes) == LONGEST_BLOCK


def test_what_is_decoded_is_bounded_over_all_programs() -> None:
    programs = ProgramCache(OSAKA)
    decoded = 0
    for number in range(4):
        program = programs.program(contract(number))
        for place in range(LARGEST - 4):
            program.jump(place)
        decoded += program.decoded_size
    assert decoded > MAX_DECODED_INSTRUCTIONS
    newest = programs.program(contract(9))
    assert programs.program(contract(3)) is program, "the newest ones stay"
    assert programs.program(contract(9)) is newest
    oldest = programs.program(contract(0))
    assert oldest.decoded_size == BLOCK_WEIGHT, "it was dropped, and is decoded anew"


def test_a_program_that_runs_on_when_it_was_dropped_takes_no_room_from_others() -> None:
    """It went on to compile at the expense of the others, who never got that room again."""
    compilation = Compilation(BlockCompiler(OSAKA), hot=1)
    programs = ProgramCache(OSAKA, compilation)
    running, room = programs.program(contract(0)), compilation.left
    for number in range(1, MAX_CACHED_BYTES // (2 * LARGEST) + 1):
        programs.program(contract(number))
    running.warm(running.start)
    assert running.start.compiled is None
    assert compilation.left == room
