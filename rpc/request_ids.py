"""Ids that are numbers which a parser's own cannot hold: `1e3`, `1.0`, `-0`, or more digits than 64 bits have.

An answer carries its request's id, and clients find the request by it: as in geth, it goes back as it was written.
"""

import json
from typing import Any

import orjson


def is_inexact(request: Any, body: bytes) -> bool:
    """Whether the id in a request, which `body` has, became a float, or may have been -0."""
    if not isinstance(request, dict):
        return False
    parsed = request.get("id")
    return type(parsed) is float or (parsed == 0 and type(parsed) is int and b"-0" in body)


def keep_as_written(body: bytes, requests: list[Any]) -> None:
    """Put a number's own text in the place of inexact ids. `body` has these requests, or the only one of them.

    Raises RecursionError where lists or objects are nested too deep, some hundreds less than orjson takes.
    """
    # The form has been judged. Where a name comes twice, both parsers take the last.
    parsed = json.loads(body.decode(), parse_float=str, parse_int=str)
    written = parsed if isinstance(parsed, list) else [parsed]
    for request, texts in zip(requests, written, strict=True):
        if is_inexact(request, body):
            request["id"] = orjson.Fragment(texts["id"])
