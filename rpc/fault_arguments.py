"""What the methods that break the chain on purpose take: validators, groups of them, durations and percentages."""

import re
from collections.abc import Sequence
from typing import Any

from chain.types import ValidatorIndex
from rpc.errors import InvalidArgument
from rpc.params import InvalidValue, decimal_or_hex, sequence

MAX_DELAY_MS = 60_000
MAX_TURNS = 1_000
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)")
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)%")


def duration(value: Any) -> int:
    """Milliseconds of "200ms" or "1.5s"."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f'invalid duration "{value}": give a number with ms or s, such as 200ms or 1.5s')
    milliseconds = round(float(match[1]) * (1000 if match[2] == "s" else 1))
    if milliseconds > MAX_DELAY_MS:
        raise InvalidValue(f'duration "{value}" is too long: the longest is {MAX_DELAY_MS // 1000}s')
    return milliseconds


def percentage(value: Any) -> float:
    """The number in "30%"."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f'invalid percentage "{value}": give a number with %, such as 30%')
    percent = float(match[1])
    if percent > 100:
        raise InvalidValue(f'percentage "{value}" is out of range: give 0% to 100%')
    return percent


def turn_count(value: Any) -> int:
    count = decimal_or_hex(value)
    if not 1 <= count <= MAX_TURNS:
        raise InvalidValue(f"{count} turns are out of range: give 1 to {MAX_TURNS}")
    return count


def groups(value: Any) -> list[list[int]]:
    """Lists of validator indices."""
    return [[decimal_or_hex(item) for item in sequence(group, "[]uint64")] for group in sequence(value, "[][]uint64")]


def checked_validator(index: int, count: int, position: int = 0) -> ValidatorIndex:
    """The index, if there is such a validator. Raises InvalidArgument; `position` is that of the argument."""
    if index >= count:
        raise InvalidArgument(position, _unknown(index, count))
    return ValidatorIndex(index)


def partition_of(groups: Sequence[Sequence[int]], count: int, one_way: bool) -> tuple[tuple[ValidatorIndex, ...], ...]:
    """The groups, with one more for the validators that are in none of them. Raises InvalidArgument."""
    named = [index for group in groups for index in group]
    for index in named:
        checked_validator(index, count)
        if named.count(index) > 1:
            raise InvalidArgument(0, f"validator {index} is named twice: a validator is in one group")
    if not all(groups):
        raise InvalidArgument(0, "a group of a partition has at least one validator")
    rest = tuple(ValidatorIndex(index) for index in range(count) if index not in named)
    parts = tuple(tuple(ValidatorIndex(index) for index in sorted(group)) for group in groups)
    parts = (*parts, rest) if rest else parts
    if len(parts) < 2:
        raise InvalidArgument(0, "a partition needs two groups: name those who are cut off from the rest")
    if one_way and len(parts) > 2:
        raise InvalidArgument(0, "a one-way partition has two groups: the first is not heard by the second")
    return parts


def _unknown(index: int, count: int) -> str:
    return f"there is no validator {index}: this chain has validators 0 to {count - 1}"
