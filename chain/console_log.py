"""console.log of Solidity: what contracts say to their developers, by Hardhat's console.sol and forge-std's.

A contract calls an address where nothing is with the arguments of a function log(...) that nobody has. The call is
like any other; what was called with is kept until somebody reads it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.types import Address

CONSOLE_ADDRESS = Address(b"console.log".rjust(20, b"\0"))
MAX_CONSOLE_BYTES = 64 * 1024
"""That are kept of one transaction or call, as they were called with."""
MAX_CONSOLE_MESSAGES = 1_000
MAX_SHOWN_DATA = 68
"""Of what cannot be read."""
WORD = 32
SELECTOR_BYTES = 4
PARAMETERS = ("uint256", "string", "bool", "address")
MAX_PARAMETERS = 4
SPELLED = {"uint256": "uint", "int256": "int"}
"""The older libraries' selectors are those of signatures that no ABI has."""
DIRECTIVE = re.compile(r"%(%|[sdiox]|\d{0,4}e)")
MAX_DECIMALS = 1024


@dataclass(frozen=True, slots=True)
class ConsoleLogs:
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


class _Unreadable(Exception):
    """What the selector promises is not there."""


def console_text(data: bytes) -> str:
    """What a message says, as the contract gave it: with line ends and control characters."""
    types = _signatures().get(data[:SELECTOR_BYTES])
    try:
        if types is None:
            raise _Unreadable
        arguments = data[SELECTOR_BYTES:]
        return _formatted(types, [_READERS[kind](arguments, WORD * at, kind) for at, kind in enumerate(types)])
    except _Unreadable:
        shown = data[:MAX_SHOWN_DATA].hex() + ("…" if len(data) > MAX_SHOWN_DATA else "")
        return f"console.log that cannot be read: 0x{shown} ({len(data):,} bytes)"


@cache
def _signatures() -> dict[bytes, tuple[str, ...]]:
    """The parameters of every log(...), by selector."""
    known = [types for count in range(MAX_PARAMETERS + 1) for types in product(PARAMETERS, repeat=count)]
    known += [("int256",), ("string", "int256"), ("bytes",)]
    known += [(f"bytes{size}",) for size in range(1, WORD + 1)]
    spellings = {types: (types, tuple(SPELLED.get(kind, kind) for kind in types)) for types in known}
    return {_selector(spelled): types for types, both in spellings.items() for spelled in both}


def _selector(types: tuple[str, ...]) -> bytes:
    return keccak256(f"log({','.join(types)})".encode())[:SELECTOR_BYTES]


Value = int | str
"""An argument: a number, or anything else as it is shown."""


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD]
    if len(word) < WORD:
        raise _Unreadable
    return word


def _number(data: bytes, at: int, kind: str) -> Value:
    return int.from_bytes(_word(data, at), "big", signed=kind == "int256")


def _bool(data: bytes, at: int, kind: str) -> Value:
    return "true" if any(_word(data, at)) else "false"


def _address(data: bytes, at: int, kind: str) -> Value:
    return checksummed(Address(_word(data, at)[WORD - 20 :]))


def _fixed_bytes(data: bytes, at: int, kind: str) -> Value:
    return "0x" + _word(data, at)[: int(kind.removeprefix("bytes"))].hex()


def _content(data: bytes, at: int) -> bytes:
    start = int.from_bytes(_word(data, at), "big")
    size = int.from_bytes(_word(data, start), "big")
    content = data[start + WORD : start + WORD + size]
    if len(content) < size:
        raise _Unreadable
    return content


def _bytes(data: bytes, at: int, kind: str) -> Value:
    return "0x" + _content(data, at).hex()


def _string(data: bytes, at: int, kind: str) -> Value:
    return _content(data, at).decode(errors="replace")


_READERS: dict[str, Callable[[bytes, int, str], Value]] = {
    "uint256": _number,
    "int256": _number,
    "bool": _bool,
    "address": _address,
    "string": _string,
    "bytes": _bytes,
    **{f"bytes{size}": _fixed_bytes for size in range(1, WORD + 1)},
}


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
