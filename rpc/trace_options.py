"""The object that debug_trace* take, geth's tracers.TraceConfig: a tracer, its options, and how long it may take."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from chain.messages.calls import AccountOverride
from rpc.errors import ServerError
from rpc.overrides import NO_BLOCK_OVERRIDES, BlockOverrides, block_overrides, state_overrides
from rpc.params import InvalidValue, WrongType, boolean, index, mapping, member, text

STRUCT = "TraceConfig"
DEFAULT_LIMIT_MS = 5_000
"""geth's defaultTraceTimeout, of one transaction."""
MAX_LIMIT_MS = 60_000
FLAGS = ("enableMemory", "disableStack", "disableStorage", "enableReturnData")
UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "m": 6e4, "h": 3.6e6}
DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """`tracer` is empty for the struct logger; `options` is the tracer's JSON object. `limit_ms` is for one run.

    The rest is for calls only: what to pretend, and after how many transactions of the block to call.
    """

    tracer: str = ""
    options: bytes = b"{}"
    limit_ms: int = DEFAULT_LIMIT_MS
    state: tuple[AccountOverride, ...] = ()
    block: BlockOverrides = NO_BLOCK_OVERRIDES
    transaction_index: int | None = None


DEFAULT_OPTIONS = TraceOptions()


def trace_options(value: Any) -> TraceOptions:
    """Raises InvalidValue, and ServerError for a timeout that is no duration."""
    given = mapping(value, f"tracers.{STRUCT}")
    tracer = member(given, STRUCT, "tracer", text)
    flags: dict[str, Any] = {name: member(given, STRUCT, name, boolean) for name in FLAGS}
    flags["limit"] = member(given, STRUCT, "limit", _count)
    tracer_config = given.get("tracerConfig")
    own = tracer_config if tracer else {name: flag for name, flag in flags.items() if flag is not None}
    timeout = member(given, STRUCT, "timeout", text)
    return TraceOptions(
        tracer=tracer or "",
        options=orjson.dumps(own or {}),
        limit_ms=DEFAULT_LIMIT_MS if timeout is None else min(_milliseconds(timeout), MAX_LIMIT_MS),
        state=member(given, STRUCT, "stateOverrides", state_overrides) or (),
        block=member(given, STRUCT, "blockOverrides", block_overrides) or NO_BLOCK_OVERRIDES,
        transaction_index=member(given, STRUCT, "txIndex", index),
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongType("number" if isinstance(value, float) else type(value).__name__, "int")
    if value < 0:
        raise InvalidValue("limit is negative")
    return value


def _milliseconds(duration: str) -> int:
    """The time in Go's words, such as 1m30s or 500ms. Raises ServerError."""
    parts = DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ServerError(f'time: invalid duration "{duration}"')
    return round(sum(float(number) * UNITS_MS[unit] for number, unit in parts))
