"""JSON of values that nest as deep as calls do: to 1024, and two or three levels of JSON for each.

orjson stops at 254 levels, and Python's own encoder at 1,500 in Python 3.12, whatever limit is set for recursion.
"""

from collections.abc import Iterator
from typing import Any

import orjson


def nested_json(value: Any) -> bytes:
    """`value` of dicts by names, lists, texts, whole numbers, truth values and None, however deep."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return b"".join(_without_recursion(value))


def _without_recursion(value: Any) -> Iterator[bytes]:
    unfinished: list[Iterator[Any]] = [_parts(value)]
    while unfinished:
        for part in unfinished[-1]:
            if not isinstance(part, bytes):
                unfinished.append(_parts(part))
                break
            yield part
        else:
            unfinished.pop()


def _parts(value: Any) -> Iterator[Any]:
    """What it is written as: pieces of text, and what stands within it."""
    if isinstance(value, dict):
        yield b"{"
        for index, (name, member) in enumerate(value.items()):
            yield (b"," if index else b"") + orjson.dumps(name) + b":"
            yield member
        yield b"}"
    elif isinstance(value, list):
        yield b"["
        for index, member in enumerate(value):
            if index:
                yield b","
            yield member
        yield b"]"
    else:
        yield orjson.dumps(value)
