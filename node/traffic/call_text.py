"""A call as one types it: transfer(address,uint256) with arguments behind it, or transfer({recipient},5) in one."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.keccak import keccak256
from node.errors import BadSetting

_CALL = re.compile(r"\s*([A-Za-z_$][\w$]*)\s*\((.*)\)\s*", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_ELEMENTARY = re.compile(r"address|bool|string|bytes(\d{0,2})|u?int(\d{0,3})")
_ARRAY = re.compile(r"(.*)\[(\d{0,9})\]")
_PARAMETER = re.compile(r"(\S*[\w\])])\s+(?:memory\s+|calldata\s+|payable\s+)?[A-Za-z_$][\w$]*")
CHOICES = 8
"""So many functions are named to choose from."""
OPENING, CLOSING = "([{", ")]}"


class BadCall(BadSetting):
    """A call that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name and types, and for each argument what was given for it, None where nothing was."""

    name: str
    types: tuple[str, ...]
    given: tuple[str | None, ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(self.types)})"

    @property
    def selector(self) -> bytes:
        return keccak256(self.signature.encode())[:4]


def call_from(text: str, arguments: Sequence[str], known: Sequence[str] = ()) -> Call:
    """The call in a text and the arguments behind it. Raises BadCall.

    `known` are signatures of the contract's functions, if somebody knows them: then a bare name does too, and what the
    contract does not have is refused.
    """
    if _NAME.fullmatch(text):
        call = _by_name(text, len(arguments), known, arguments)
    else:
        call = _spelled(text, arguments, known)
    if known and call.signature not in known:
        raise BadCall(f"the contract has no function {call.signature}: {_choices(call.name, known)}")
    return call


def _spelled(text: str, arguments: Sequence[str], known: Sequence[str]) -> Call:
    match = _CALL.fullmatch(text)
    if match is None:
        raise BadCall(f"{text!r} is no call: write a function with its types, such as 'transfer(address,uint256)'")
    name, inside = match[1], match[2]
    parts = split(inside)
    types = [_type_in(part) for part in parts]
    if all(type is not None for type in types):
        return _with_arguments(name, [type for type in types if type is not None], arguments)
    if arguments:
        raise BadCall(
            f"{text!r} has its arguments in it, and {' '.join(arguments)!r} stands behind it: give one of both"
        )
    fitting = [each for each in known if each.startswith(f"{name}(") and len(types_of(each)) == len(parts)]
    if len(fitting) == 1:
        return Call(name, types_of(fitting[0]), tuple(parts))
    return Call(name, tuple(_guessed(part, text) for part in parts), tuple(parts))


def _by_name(name: str, count: int, known: Sequence[str], arguments: Sequence[str]) -> Call:
    fitting = [each for each in known if each.startswith(f"{name}(") and len(types_of(each)) >= count]
    exact = [each for each in fitting if len(types_of(each)) == count]
    if len(exact) == 1:
        fitting = exact
    if len(fitting) != 1:
        why = "the node does not know the contract" if not known else _choices(name, known)
        raise BadCall(f"{name!r} alone does not say which function: write it with its types; {why}")
    return _with_arguments(name, types_of(fitting[0]), arguments)


def _with_arguments(name: str, types: Sequence[str], arguments: Sequence[str]) -> Call:
    if len(arguments) > len(types):
        raise BadCall(f"{name} takes {len(types)} arguments, {len(arguments)} are given")
    missing = [None] * (len(types) - len(arguments))
    return Call(name, tuple(types), (*arguments, *missing))


def types_of(signature: str) -> tuple[str, ...]:
    """The types in a signature."""
    return tuple(split(signature[signature.index("(") + 1 : -1]))


def split(text: str) -> list[str]:
    """What stands between the outermost commas. Raises BadCall."""
    parts, depth, start, quote = [], 0, 0, ""
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in OPENING:
            depth += 1
        elif letter in CLOSING:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    if depth or quote:
        raise BadCall(f"{text!r}: a bracket or quote is open")
    last = text[start:].strip()
    return [*parts, last] if last or parts else []


def array_of(type: str) -> tuple[str, int | None] | None:
    """The type of an array's elements and how many it has, None if any number; None for what is no array."""
    match = _ARRAY.fullmatch(type)
    return (match[1], int(match[2]) if match[2] else None) if match else None


def _type_in(part: str) -> str | None:
    """The type in its full name, uint256 for uint; None for what is no type."""
    named = _PARAMETER.fullmatch(part)
    text = named[1] if named else part
    array = array_of(text)
    if array is not None:
        element = _type_in(array[0])
        return None if element is None else element + text[len(array[0]) :]
    if text.startswith("(") and text.endswith(")"):
        members = [_type_in(member) for member in split(text[1:-1])]
        return f"({','.join(m for m in members if m)})" if members and all(members) else None
    return _elementary(text)


def _elementary(text: str) -> str | None:
    match = _ELEMENTARY.fullmatch(text)
    if match is None:
        return None
    if match[1]:
        return text if 1 <= int(match[1]) <= 32 else None
    if match[2]:
        return text if int(match[2]) % 8 == 0 and 8 <= int(match[2]) <= 256 else None
    return f"{text}256" if text in ("uint", "int") else text


def _guessed(part: str, text: str) -> str:
    """The type that an argument looks as if it had. Raises BadCall."""
    if part in ("{sender}", "{recipient}", "{contract}", "{hot}") or re.fullmatch(r"0x[0-9a-fA-F]{40}", part):
        return "address"
    if re.fullmatch(r"\d[\d_]*|0x[0-9a-fA-F]+|\{index\}|\{\d+\.\.\d+\}", part):
        return "uint256"
    if re.fullmatch(r"-\d+", part):
        return "int256"
    if part in ("true", "false"):
        return "bool"
    if re.fullmatch(r"\"[^\"]*\"|'[^']*'", part):
        return "string"
    raise BadCall(f"{text!r}: of what type is {part!r}? Write the types, and the arguments behind them")


def _choices(name: str, known: Sequence[str]) -> str:
    by_name = {each: each.partition("(")[0].lower() for each in sorted(known)}
    close = difflib.get_close_matches(name.lower(), by_name.values(), CHOICES)
    alike = [each for each, its in by_name.items() if its.startswith(name.lower())]
    likely = alike or [each for each, its in by_name.items() if its in close]
    return f"there is {', '.join((likely or list(by_name))[:CHOICES])}"


def by_selector(signatures: Sequence[str]) -> Mapping[bytes, str]:
    return {keccak256(each.encode())[:4]: each for each in signatures}
