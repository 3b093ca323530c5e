"""eth_callMany, as Erigon, Reth and anvil have it: calls one after the other, each on what those before it left."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import orjson

from chain.messages.execution import BlockEnvironment
from chain.messages.traces import TracedCall
from chain.types import BlockNumber
from rpc.calls import StateOverrides, call_message, stage
from rpc.debug_traces import existing_block, in_turn, request_for
from rpc.errors import InvalidParams, LimitExceeded
from rpc.methods import Node, method, optional
from rpc.overrides import NO_BLOCK_OVERRIDES, BlockOverrides, block_overrides, state_overrides
from rpc.params import BlockReference, BlockTag, block_reference, index, mapping, member, sequence
from rpc.pending_state import overrides_at
from rpc.render import JsonObject
from rpc.trace_options import TraceOptions
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

OUTERMOST = TraceOptions(tracer="callTracer", options=orjson.dumps({"onlyTopCall": True}))
MAX_CALLS = 256
BUNDLE, CONTEXT = "Bundle", "StateContext"
WHOLE_BLOCK = -1


@dataclass(frozen=True, slots=True)
class Bundle:
    """Calls of one block, and what that block is to be like."""

    calls: tuple[TransactionArguments, ...]
    block: BlockOverrides


@dataclass(frozen=True, slots=True)
class StateContext:
    """On the state after a block, or after so many of its transactions."""

    block: BlockReference = BlockTag.LATEST
    transactions: int | None = None


def bundles(value: Any) -> list[Bundle]:
    """Raises InvalidValue, and LimitExceeded before much is parsed."""
    given = sequence(value, f"[]{BUNDLE}")
    if not given:
        raise InvalidParams("bundles are empty.")
    if len(given) > MAX_CALLS:
        raise LimitExceeded(f"more than {MAX_CALLS} bundles")
    found: list[Bundle] = []
    calls = 0
    for each in given:
        found.append(_bundle(each))
        calls += len(found[-1].calls)
        _check_calls(calls)
    return found


def _check_calls(count: int) -> None:
    if count > MAX_CALLS:
        raise LimitExceeded(f"more than {MAX_CALLS} calls")


def _bundle(value: Any) -> Bundle:
    given = mapping(value, BUNDLE)
    return Bundle(
        member(given, BUNDLE, "transactions", _calls) or (),
        member(given, BUNDLE, "blockOverride", block_overrides) or NO_BLOCK_OVERRIDES,
    )


def _calls(value: Any) -> tuple[TransactionArguments, ...]:
    given = sequence(value, "[]ethapi.TransactionArgs")
    _check_calls(len(given))
    return tuple(map(transaction_arguments, given))


def state_context(value: Any) -> StateContext:
    """Raises InvalidValue, and InvalidParams for a part of the pending block."""
    given = mapping(value, CONTEXT)
    block = member(given, CONTEXT, "blockNumber", block_reference)
    transactions = member(given, CONTEXT, "transactionIndex", _transactions)
    if block == BlockTag.PENDING and transactions is not None:
        raise InvalidParams("transactionIndex counts the transactions of a stored block: leave it out at pending")
    return StateContext(BlockTag.LATEST if block is None else block, transactions)


def _transactions(value: Any) -> int | None:
    """A number, in JSON's form or in hex; -1 stands for all of them, as in Erigon."""
    if value == WHOLE_BLOCK:
        return None
    return index(hex(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else value)


@method("eth_callMany", bundles, optional(state_context, StateContext()), optional(state_overrides, ()))
async def call_many(
    node: Node, wanted: list[Bundle], context: StateContext, state: StateOverrides
) -> list[list[JsonObject]]:
    """What each call returned, or why it failed. Each bundle has a block of its own, one after the other."""
    block = await existing_block(node, context.block)
    _, environment = await stage(node, context.block)
    pretended = await overrides_at(node, context.block, state)
    calls: list[TracedCall] = []
    for bundle in wanted:
        environment = bundle.block.applied(environment)
        for each in bundle.calls:
            calls.append(TracedCall(call_message(node, each, environment), environment, () if calls else pretended))
        environment = _next(environment)
    if not calls:
        return [[] for _ in wanted]
    request = await request_for(node, block, context.transactions, 0, OUTERMOST, tuple(calls))
    limited = replace(request, time_limit_ms=request.run_limit_ms)  # all calls together, as in eth_simulateV1
    told = [_outcome(orjson.loads(each)) for each in await in_turn(node, limited)]
    ends = [0]
    for bundle in wanted:
        ends.append(ends[-1] + len(bundle.calls))
    return [told[start:end] for start, end in pairwise(ends)]


def _next(environment: BlockEnvironment) -> BlockEnvironment:
    return replace(environment, number=BlockNumber(environment.number + 1), timestamp=environment.timestamp + 1)


def _outcome(call: JsonObject) -> JsonObject:
    error, reason = call.get("error"), call.get("revertReason")
    if error is None:
        return {"value": call.get("output", "0x")}
    return {"error": f"{error}: {reason}" if reason else error}
