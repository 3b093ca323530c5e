"""console.log of Solidity: what contracts say to their developers, by Hardhat's console.sol and forge-std's.

A contract calls an address where nothing is with the arguments of a function log(...) that nobody has. The call is
like any other; what was called with is kept until somebody reads it.
"""

import re
from functools import cache
from itertools import product
from typing import NamedTuple

from chain.console_arguments import READERS, WORD, Unreadable, Value, read_list
from chain.console_table import table_text
from chain.keccak import keccak256
from chain.types import Address

CONSOLE_ADDRESS = Address(b"console.log".rjust(20, b"\0"))
MAX_CONSOLE_BYTES = 64 * 1024
"""That are kept of one transaction or call, as they were called with."""
MAX_CONSOLE_MESSAGES = 1_000
MAX_SHOWN_DATA = 68
"""Of what cannot be read."""
SELECTOR_BYTES = 4
PARAMETERS = ("uint256", "string", "bool", "address")
MAX_PARAMETERS = 4
LISTED = ("uint256", "int256", "address", "bytes32", "string", "bool")
SPELLED = {"uint256": "uint", "int256": "int"}
"""The older libraries' selectors are those of signatures that no ABI has."""
DIRECTIVE = re.compile(r"%(%|[sdiox]|\d{0,4}e)")
MAX_DECIMALS = 1024


class ConsoleLogs(NamedTuple):
    """What one transaction or call logged, in order and still encoded; `omitted` messages came after too many."""

    messages: tuple[bytes, ...] = ()
    omitted: int = 0


NO_CONSOLE_LOGS = ConsoleLogs()


class ConsoleRecorder:
    """Gathers what a run logs, the first MAX_CONSOLE_BYTES of it. What reverts has logged all the same."""

    __slots__ = ("_bytes", "_messages", "_omitted")

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._bytes = 0
        self._omitted = 0

    def add(self, data: bytes) -> None:
        """A call of the console; without a selector it says nothing."""
        if len(data) < SELECTOR_BYTES:
            return
        size = self._bytes + len(data)
        if self._omitted or size > MAX_CONSOLE_BYTES or len(self._messages) >= MAX_CONSOLE_MESSAGES:
            self._omitted += 1
            return
        self._messages.append(data)
        self._bytes = size

    def logs(self) -> ConsoleLogs:
        return ConsoleLogs(tuple(self._messages), self._omitted)


def console_text(data: bytes) -> str:
    """What a message says, as the contract gave it: with line ends and control characters."""
    selector, arguments = data[:SELECTOR_BYTES], data[SELECTOR_BYTES:]
    types, lists = _logs().get(selector), _tables().get(selector)
    try:
        if types is not None:
            return _formatted(types, [READERS[kind](arguments, WORD * at, kind) for at, kind in enumerate(types)])
        if lists is not None:
            return table_text([read_list(arguments, WORD * at, kind) for at, kind in enumerate(lists)])
    except Unreadable:
        pass
    return _unread(data)


def _unread(data: bytes) -> str:
    shown = data[:MAX_SHOWN_DATA].hex() + ("…" if len(data) > MAX_SHOWN_DATA else "")
    return f"console.log that cannot be read: 0x{shown} ({len(data):,} bytes)"


@cache
def _logs() -> dict[bytes, tuple[str, ...]]:
    """The parameters of every log(...), by selector."""
    known = [types for count in range(MAX_PARAMETERS + 1) for types in product(PARAMETERS, repeat=count)]
    known += [("int256",), ("string", "int256"), ("bytes",)]
    known += [(f"bytes{size}",) for size in range(1, WORD + 1)]
    spellings = {types: (types, tuple(SPELLED.get(kind, kind) for kind in types)) for types in known}
    return {_selector("log", spelled): types for types, both in spellings.items() for spelled in both}


@cache
def _tables() -> dict[bytes, tuple[str, ...]]:
    """Of which kinds the lists of every table(...) are, by selector: values, with or without keys before them."""
    known = [kinds for kind in LISTED for kinds in ((kind,), ("string", kind))]
    return {_selector("table", tuple(f"{kind}[]" for kind in kinds)): kinds for kinds in known}


def _selector(name: str, types: tuple[str, ...]) -> bytes:
    return keccak256(f"{name}({','.join(types)})".encode())[:SELECTOR_BYTES]


def _formatted(types: tuple[str, ...], values: list[Value]) -> str:
    """As Node's util.format has it, which Hardhat prints by: a text in front may say where the others go."""
    if len(values) < 2 or types[0] != "string":
        return " ".join(map(str, values))
    others = iter(values[1:])

    def replaced(match: re.Match[str]) -> str:
        directive = match[1]
        if directive == "%":
            return "%"
        if directive[:-1] and int(directive[:-1]) > MAX_DECIMALS:
            return match[0]
        value = next(others, None)
        return match[0] if value is None else _directed(value, directive)

    first = DIRECTIVE.sub(replaced, str(values[0]))
    return " ".join([first, *map(str, others)])


def _directed(value: Value, directive: str) -> str:
    """Numbers in other forms are Foundry's: %x, %e, and %18e for a number of so many decimals."""
    if isinstance(value, str):
        return f"'{value}'" if directive == "o" else value
    if directive == "x":
        return hex(value % 2**256)
    if directive == "e":
        return _scientific(value)
    return _decimal(value, int(directive[:-1])) if directive.endswith("e") else str(value)


def _scientific(value: int) -> str:
    digits = str(abs(value))
    fraction = digits[1:].rstrip("0")
    return f"{'-' if value < 0 else ''}{digits[0]}{'.' if fraction else ''}{fraction}e{len(digits) - 1}"


def _decimal(value: int, decimals: int) -> str:
    digits = str(abs(value)).rjust(decimals + 1, "0")
    fraction = digits[len(digits) - decimals :].rstrip("0") if decimals else ""
    whole = digits[: len(digits) - decimals]
    return f"{'-' if value < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"
