"""What instructions are in a compiled function: expressions over the words that they take, top of the stack first.

Instructions that are not here take their words from the stack themselves.
"""

from collections.abc import Callable, Sequence
from typing import Any

from execution.evm import arithmetic, instructions

_MAX, _SIGN = hex(arithmetic.WORD_MAX), hex(arithmetic.SIGN_BIT)

EXPRESSIONS: dict[Callable[..., None], tuple[int, str]] = {
    arithmetic.add: (2, f"({{0}} + {{1}}) & {_MAX}"),
    arithmetic.mul: (2, f"({{0}} * {{1}}) & {_MAX}"),
    arithmetic.sub: (2, f"({{0}} - {{1}}) & {_MAX}"),
    arithmetic.div: (2, "{0} // {1} if {1} else 0"),
    arithmetic.mod: (2, "{0} % {1} if {1} else 0"),
    arithmetic.and_: (2, "{0} & {1}"),
    arithmetic.or_: (2, "{0} | {1}"),
    arithmetic.xor: (2, "{0} ^ {1}"),
    arithmetic.not_: (1, f"{{0}} ^ {_MAX}"),
    arithmetic.byte: (2, "({1} >> 8 * (31 - {0})) & 0xFF if {0} < 32 else 0"),
    arithmetic.shl: (2, f"({{1}} << {{0}}) & {_MAX} if {{0}} < 256 else 0"),
    arithmetic.shr: (2, "{1} >> {0} if {0} < 256 else 0"),
    arithmetic.clz: (1, "256 - ({0}).bit_length()"),
    instructions.address: (0, "frame.address_word"),
    instructions.caller: (0, "from_bytes(frame.msg.sender, 'big')"),
    instructions.call_value: (0, "frame.msg.value"),
    instructions.call_data_size: (0, "len(frame.msg.data)"),
    instructions.return_data_size: (0, "len(frame.return_data)"),
    instructions.gas: (0, "frame.gas"),
    instructions.call_data_load: (1, "call_data_word(frame, {0})"),
    instructions.keccak: (2, "hash_of_memory(frame, {0}, {1})"),
    instructions.storage_load: (1, "load_slot(frame, {0})"),
}
"""How many words an instruction takes, the top of the stack first, and what it pushes."""

NOT = "not {0}"
CONDITIONS: dict[Callable[..., None], tuple[int, str]] = {
    arithmetic.lt: (2, "{0} < {1}"),
    arithmetic.gt: (2, "{0} > {1}"),
    arithmetic.slt: (2, f"({{0}} ^ {_SIGN}) < ({{1}} ^ {_SIGN})"),
    arithmetic.sgt: (2, f"({{0}} ^ {_SIGN}) > ({{1}} ^ {_SIGN})"),
    arithmetic.eq: (2, "{0} == {1}"),
    arithmetic.iszero: (1, NOT),
}

STATEMENTS: dict[Callable[..., None], tuple[int, str]] = {
    instructions.storage_store: (2, "store_slot(frame, {0}, {1})"),
}
"""Likewise, of those that push nothing."""

NAMES: dict[str, Any] = {
    "from_bytes": int.from_bytes,
    "call_data_word": instructions.call_data_word,
    "hash_of_memory": instructions.hash_of_memory,
    "load_slot": instructions.load_slot,
    "store_slot": instructions.store_slot,
}


def fold(function: Any, words: Sequence[object]) -> int | None:
    """The result for constants, by the instruction itself."""
    constants = [word for word in words if isinstance(word, int)]
    if not constants or len(constants) != len(words) or function not in arithmetic.BY_OPCODE.values():
        return None
    stack = constants[::-1]
    function(stack)
    return stack[0]
