"""Deep values are written as flat ones are."""

import json
from typing import Any

import orjson
import pytest

from execution.tracers.nested_json import nested_json

MEMBERS: dict[str, Any] = {"a": 1, "b": None, "c": 'ä"\n', "d": [], "e": {}}
MEMBERS |= {"f": [True, 2**64 - 1, [0]], "g": {"h": [{}]}}


def wrapped(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = MEMBERS | {"calls": [value, MEMBERS]}
    return value


@pytest.mark.parametrize("depth", [0, 1, 120, 130, 400])
def test_it_reads_as_what_was_written(depth: int) -> None:
    value = wrapped(MEMBERS, depth)
    assert json.loads(nested_json(value)) == value


def test_deep_values_are_written_byte_by_byte_as_flat_ones() -> None:
    flat = orjson.dumps(MEMBERS)
    begin, end = flat[:-1] + b',"calls":[', b"," + flat + b"]}"
    assert nested_json(wrapped(MEMBERS, 10_000)) == begin * 10_000 + flat + end * 10_000
