"""trace_call*, trace_rawTransaction and trace_replay*: runs told in Parity's form, as asked for: the calls (`trace`),
what they changed (`stateDiff`), every instruction (`vmTrace`)."""

from collections.abc import Iterable
from typing import Any

import orjson

from chain.messages.calls import message_of
from chain.messages.storage import StoredBlock
from chain.messages.traces import TracedCall
from chain.types import Hash32
from rpc.call_traces import FLAT_OPTIONS
from rpc.calls import StateOverrides, call_message, stage
from rpc.debug_traces import existing_block, in_turn, request_for
from rpc.environments import pending_fork
from rpc.errors import InvalidParams, LimitExceeded, ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import NO_BLOCK_OVERRIDES, BlockOverrides, block_overrides, state_overrides
from rpc.params import BlockReference, BlockTag, block_reference, data, hash32, sequence, texts
from rpc.pending_state import overrides_at
from rpc.render import JsonObject, data_json
from rpc.state_differences import state_difference
from rpc.trace_options import TraceOptions
from rpc.transaction_arguments import TransactionArguments, transaction_arguments
from rpc.transaction_rules import Rules, check, decode

TRACE, STATE_DIFF, VM_TRACE = "trace", "stateDiff", "vmTrace"
KINDS = frozenset((TRACE, STATE_DIFF, VM_TRACE))
MAX_CALLS = 256
"""Of one trace_callMany."""
MEMBERS = ("action", "error", "result", "subtraces", "traceAddress", "type")


def kinds(value: Any) -> frozenset[str]:
    """What is asked for. Raises InvalidParams for what is not made."""
    asked = frozenset(texts(value))
    for kind in asked - KINDS:
        raise InvalidParams(f"{kind!r} is not made: ask for 'trace', 'stateDiff' and 'vmTrace'")
    return asked


def _tracers(asked: frozenset[str]) -> TraceOptions:
    """What has to listen. The output is the outermost call's, which is always told."""
    tracers: JsonObject = {"flatCallTracer": FLAT_OPTIONS, "prestateTracer": {"diffMode": True}}
    return TraceOptions("muxTracer", orjson.dumps(tracers | ({VM_TRACE: {}} if VM_TRACE in asked else {})))


def _call_and_kinds(value: Any) -> tuple[TransactionArguments, frozenset[str]]:
    pair = sequence(value, "trace.Call")
    if len(pair) != 2:
        raise InvalidParams("each call of trace_callMany is a pair: the call, and what to tell of it")
    return transaction_arguments(pair[0]), kinds(pair[1])


def _calls(value: Any) -> list[tuple[TransactionArguments, frozenset[str]]]:
    given = sequence(value, "[]trace.Call")
    if len(given) > MAX_CALLS:
        raise LimitExceeded(f"more than {MAX_CALLS} calls")
    return [_call_and_kinds(each) for each in given]


@method(
    "trace_call",
    transaction_arguments,
    kinds,
    optional(block_reference, BlockTag.LATEST),
    optional(state_overrides, ()),
    optional(block_overrides, NO_BLOCK_OVERRIDES),
)
async def trace_call(
    node: Node,
    wanted: TransactionArguments,
    asked: frozenset[str],
    reference: BlockReference,
    state: StateOverrides,
    block: BlockOverrides,
) -> JsonObject:
    """On the state after a block."""
    found = await existing_block(node, reference)
    _, now = await stage(node, reference)
    environment, pretended = block.applied(now), await overrides_at(node, reference, state)
    call = TracedCall(call_message(node, wanted, environment), environment, pretended)
    (told,) = await _traced(node, found, [call], asked)
    return _replay(told, asked)


@method("trace_callMany", _calls, optional(block_reference, BlockTag.LATEST))
async def trace_call_many(
    node: Node, wanted: list[tuple[TransactionArguments, frozenset[str]]], reference: BlockReference
) -> list[JsonObject]:
    """Each on what those before it left."""
    found = await existing_block(node, reference)
    _, environment = await stage(node, reference)
    pretended = await overrides_at(node, reference, ())
    calls = [
        TracedCall(call_message(node, each, environment), environment, () if index else pretended)
        for index, (each, _) in enumerate(wanted)
    ]
    told = await _traced(node, found, calls, frozenset().union(*(kinds for _, kinds in wanted)))
    return [_replay(one, asked) for one, (_, asked) in zip(told, wanted, strict=True)]


@method("trace_rawTransaction", data, kinds, optional(block_reference, BlockTag.LATEST))
async def trace_raw_transaction(node: Node, raw: bytes, asked: frozenset[str], reference: BlockReference) -> JsonObject:
    """A signed transaction that is not sent, on the state after a block, or after what waits for the next one."""
    head = await existing_block(node, reference)
    _, environment = await stage(node, reference)
    transaction = decode(raw)
    rules = Rules(node.chain.chain_id, pending_fork(head.header, node.genesis))
    sender = check(transaction, rules, environment.gas_limit)
    call = TracedCall(message_of(transaction, sender), environment, await overrides_at(node, reference, ()))
    (told,) = await _traced(node, head, [call], asked)
    return _replay(told, asked)


@method("trace_replayTransaction", hash32, kinds)
async def replay_transaction(node: Node, transaction_hash: Hash32, asked: frozenset[str]) -> JsonObject:
    stored = await node.chain.transaction(transaction_hash)
    if stored is None:
        raise ServerError("transaction not found")
    block = await node.chain.existing_block(stored.block_hash)
    (told,) = await in_turn(node, await request_for(node, block, stored.index + 1, stored.index, _tracers(asked)))
    return _replay(told, asked) | {"transactionHash": data_json(transaction_hash)}


@method("trace_replayBlockTransactions", block_reference, kinds)
async def replay_block(node: Node, reference: BlockReference, asked: frozenset[str]) -> list[JsonObject]:
    block = await node.chain.block(reference)
    if block is None or not block.transactions:
        return []
    told = await in_turn(node, await request_for(node, block, len(block.transactions), 0, _tracers(asked)))
    hashes = map(data_json, block.hashes)
    return [_replay(one, asked) | {"transactionHash": named} for one, named in zip(told, hashes, strict=True)]


async def _traced(node: Node, block: StoredBlock, calls: Iterable[TracedCall], asked: frozenset[str]) -> list[bytes]:
    given = tuple(calls)
    if not given:
        return []
    return list(await in_turn(node, await request_for(node, block, None, 0, _tracers(asked), given)))


def _replay(told: bytes, asked: frozenset[str]) -> JsonObject:
    """What was asked for of one run, whose calls do not say where they were."""
    found: JsonObject = orjson.loads(told)
    calls, changed = found["flatCallTracer"], found["prestateTracer"]
    outermost = calls[0].get("result") or {}
    return {
        "output": outermost.get("output", outermost.get("code", "0x")),
        "stateDiff": state_difference(changed["pre"], changed["post"]) if STATE_DIFF in asked else None,
        "trace": [{name: call[name] for name in MEMBERS if name in call} for call in calls] if TRACE in asked else [],
        "vmTrace": orjson.Fragment(found[VM_TRACE]) if VM_TRACE in asked else None,
    }
