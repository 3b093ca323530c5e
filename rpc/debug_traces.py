"""debug_trace*: transactions, blocks and calls run again by geth's tracers, in reader workers.

One request is traced at a time; the others wait their turn, and calls do not wait for them.
"""

import asyncio
import zlib
from collections.abc import Sequence

import orjson

from chain.block_case import CaseTransaction
from chain.blocks import decode_block
from chain.errors import DecodeError
from chain.messages.storage import StoredBlock
from chain.messages.traces import TracedCall, TraceFailed, TraceRuns
from chain.transactions import decode_transaction
from chain.types import ZERO_HASH, BlockNumber, Hash32
from rpc.calls import call_message
from rpc.environments import environment_in
from rpc.errors import ServerError
from rpc.methods import Node, method, optional
from rpc.params import BlockReference, BlockTag, block_number, block_reference, data, hash32
from rpc.pending_block import environment_to_come
from rpc.render import data_json
from rpc.trace_options import DEFAULT_OPTIONS, MAX_LIMIT_MS, TraceOptions, trace_options
from rpc.transaction_arguments import TransactionArguments, transaction_arguments


@method("debug_traceTransaction", hash32, optional(trace_options, DEFAULT_OPTIONS))
async def trace_transaction(node: Node, transaction_hash: Hash32, options: TraceOptions) -> orjson.Fragment:
    stored = await node.chain.transaction(transaction_hash)
    if stored is None:
        raise ServerError("transaction not found")
    block = await node.chain.existing_block(stored.block_hash)
    (trace,) = await in_turn(node, await request_for(node, block, stored.index + 1, stored.index, options))
    return orjson.Fragment(trace)


@method("debug_traceBlockByNumber", block_number, optional(trace_options, DEFAULT_OPTIONS))
async def trace_block_by_number(node: Node, number: BlockTag | BlockNumber, options: TraceOptions) -> orjson.Fragment:
    """`pending` is the block that the pool would fill."""
    if number == BlockTag.PENDING:
        return await _traced_pending(node, options)
    return await _traced_block(node, await existing_block(node, number), options)


@method("debug_traceBlockByHash", hash32, optional(trace_options, DEFAULT_OPTIONS))
async def trace_block_by_hash(node: Node, block_hash: Hash32, options: TraceOptions) -> orjson.Fragment:
    return await _traced_block(node, await existing_block(node, block_hash), options)


@method("debug_traceBlock", data, optional(trace_options, DEFAULT_OPTIONS))
async def trace_block(node: Node, encoded: bytes, options: TraceOptions) -> orjson.Fragment:
    """A block in RLP whose parent is here; whether it is one of the chain's own does not matter."""
    try:
        given = decode_block(encoded)
        transactions = [decode_transaction(raw) for raw in given.transactions]
        senders = tuple(transaction.sender() for transaction in transactions)
    except DecodeError as error:
        raise ServerError(f"could not decode block: {error}") from None
    if given.header.number == 0:
        raise ServerError("genesis is not traceable")
    parent = await existing_block(node, given.header.parent_hash)
    block = StoredBlock(
        header=given.header,
        hash=given.header.hash(),
        version=parent.version,
        hashes=tuple(transaction.hash for transaction in transactions),
        transactions=given.transactions,
        senders=senders,
        receipts=(),
    )
    return await _traced_block(node, block, options)


@method(
    "debug_traceCall",
    transaction_arguments,
    optional(block_reference, BlockTag.LATEST),
    optional(trace_options, DEFAULT_OPTIONS),
)
async def trace_call(
    node: Node, wanted: TransactionArguments, reference: BlockReference, options: TraceOptions
) -> orjson.Fragment:
    """On the state after a block, or after so many of its transactions."""
    if reference == BlockTag.PENDING:
        raise ServerError("tracing on top of pending is not supported")
    block = await existing_block(node, reference)
    environment = options.block.applied(node.chain.environment(block))
    call = TracedCall(call_message(node, wanted, environment), environment, options.state)
    request = await request_for(node, block, options.transaction_index, 0, options, (call,))
    (trace,) = await in_turn(node, request)
    return orjson.Fragment(trace)


async def existing_block(node: Node, reference: BlockReference) -> StoredBlock:
    """Raises ServerError in geth's words."""
    block = await node.chain.block(reference)
    if block is None:
        named = data_json(reference) if isinstance(reference, bytes) else f"#{node.chain.resolve(reference)}"
        raise ServerError(f"block {named} not found")
    return block


async def _traced_block(node: Node, block: StoredBlock, options: TraceOptions) -> orjson.Fragment:
    if block.header.number == 0:
        raise ServerError("genesis is not traceable")
    request = await request_for(node, block, len(block.transactions), 0, options)
    return _named(block.hashes, await in_turn(node, request))


async def _traced_pending(node: Node, options: TraceOptions) -> orjson.Fragment:
    head, environment = node.chain.head, environment_to_come(node)  # a block that comes meanwhile may have some of them
    pooled = [transaction for transaction, _ in (await node.pending.block(node)).transactions]
    if not pooled:
        return _named((), ())
    request = TraceRuns(
        trace_id=0,
        base=head.version,
        environment=environment,
        begins_block=True,
        block_hash=ZERO_HASH,
        parent_hash=head.hash,
        parent_beacon_root=ZERO_HASH,
        transactions=tuple(CaseTransaction(each.raw, each.sender) for each in pooled),
        first_traced=0,
        calls=(),
        tracer=options.tracer,
        options=options.options,
        run_limit_ms=options.limit_ms,
        time_limit_ms=MAX_LIMIT_MS,
    )
    return _named([each.hash for each in pooled], await in_turn(node, request))


def _named(hashes: Sequence[Hash32], traces: Sequence[bytes]) -> orjson.Fragment:
    """The traces of a block's transactions, each beside its hash."""
    parts = [
        b'{"txHash":"0x%s","result":%s}' % (transaction_hash.hex().encode(), trace)
        for transaction_hash, trace in zip(hashes, traces, strict=True)
    ]
    return orjson.Fragment(b"[" + b",".join(parts) + b"]")


async def told_of(node: Node, transaction_hash: Hash32, options: TraceOptions) -> bytes | None:
    """A mined transaction's trace; None if there is no such transaction."""
    stored = await node.chain.transaction(transaction_hash)
    if stored is None:
        return None
    block = await node.chain.existing_block(stored.block_hash)
    (told,) = await in_turn(node, await request_for(node, block, stored.index + 1, stored.index, options))
    return told


async def request_for(
    node: Node,
    block: StoredBlock,
    transactions: int | None,
    first_traced: int,
    options: TraceOptions,
    calls: tuple[TracedCall, ...] = (),
) -> TraceRuns:
    """What to ask a reader: so many of the block's transactions on the state before it, or with None, and for calls,
    none on the state after it. Only the calls are traced where there are any."""
    if transactions is not None and block.header.number == 0:
        raise ServerError("genesis is not traceable")
    if transactions is not None and transactions > len(block.transactions):
        raise ServerError(f"transaction index {transactions} out of range for block {data_json(block.hash)}")
    count = transactions or 0
    return TraceRuns(
        trace_id=0,
        base=block.version if transactions is None else await node.chain.version_before(block),
        environment=environment_in(block, node.genesis, node.chain.settings),
        begins_block=transactions is not None,
        block_hash=block.hash,
        parent_hash=block.header.parent_hash,
        parent_beacon_root=block.header.parent_beacon_root or ZERO_HASH,
        transactions=tuple(map(CaseTransaction, block.transactions[:count], block.senders[:count])),
        first_traced=count if calls else first_traced,
        calls=calls,
        tracer=options.tracer,
        options=options.options,
        run_limit_ms=options.limit_ms,
        time_limit_ms=MAX_LIMIT_MS,
    )


async def in_turn(node: Node, request: TraceRuns) -> Sequence[bytes]:
    """The JSON of each run, after the traces that were asked for before. Raises ServerError and LimitExceeded."""
    async with node.trace_turns.one():
        return await run_traces(node, request)


async def run_traces(node: Node, request: TraceRuns) -> Sequence[bytes]:
    """The JSON of each run. Raises ServerError, and LimitExceeded when the readers are busy."""
    try:
        answer = await node.callers.trace_runs(request)
    except TimeoutError:
        raise ServerError("execution timeout") from None
    if isinstance(answer, TraceFailed):
        raise ServerError(answer.reason)
    return await asyncio.to_thread(_unpacked, answer.traces)


def _unpacked(traces: Sequence[bytes]) -> list[bytes]:
    return [zlib.decompress(trace) for trace in traces]
