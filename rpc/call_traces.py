"""trace_*: what transactions called, in the form that Parity had for it and Erigon, Reth and anvil have now."""

from dataclasses import dataclass
from typing import Any

import orjson

from chain.messages.storage import StoredBlock
from chain.types import Address, BlockNumber, Hash32
from rpc.debug_traces import in_turn, request_for
from rpc.errors import InvalidParams, LimitExceeded
from rpc.filled_blocks import filled_blocks
from rpc.methods import Node, method
from rpc.params import (
    BlockReference,
    BlockTag,
    address,
    block_number,
    block_reference,
    hash32,
    index,
    mapping,
    member,
    sequence,
)
from rpc.render import JsonObject, data_json
from rpc.trace_options import TraceOptions

FLAT_OPTIONS = {"convertParityErrors": True, "executionGas": True}
FLAT = TraceOptions(tracer="flatCallTracer", options=orjson.dumps(FLAT_OPTIONS))
MAX_BLOCKS = 100_000
"""Of one trace_filter."""
MAX_TRACED_BLOCKS = 300
"""Of them, with transactions: each is run again."""
FILTER = "TraceFilter"
UNION, INTERSECTION = "union", "intersection"


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Traces of these blocks that are from and to one of these addresses, any if none is given; with `either` from or
    to one of them."""

    first: BlockTag | BlockNumber
    last: BlockTag | BlockNumber
    senders: frozenset[str]
    receivers: frozenset[str]
    after: int
    count: int | None
    either: bool = False

    def matches(self, trace: JsonObject) -> bool:
        action, result = trace["action"], trace.get("result") or {}
        sender = action.get("from", action.get("address"))
        receiver = action.get("to", action.get("refundAddress", result.get("address")))
        if self.either and self.senders and self.receivers:
            return sender in self.senders or receiver in self.receivers
        return (not self.senders or sender in self.senders) and (not self.receivers or receiver in self.receivers)

    def within(self, first: int, last: int) -> JsonObject:
        """For another node: the same of these blocks, all that match."""
        addresses = {"fromAddress": sorted(self.senders), "toAddress": sorted(self.receivers)}
        named = {name: found for name, found in addresses.items() if found}
        mode = UNION if self.either else INTERSECTION
        return {"fromBlock": hex(first), "toBlock": hex(last), "mode": mode} | named


def trace_filter(value: Any) -> TraceFilter:
    given = mapping(value, FILTER)

    def among(name: str) -> frozenset[str]:
        return frozenset(data_json(found) for found in member(given, FILTER, name, _addresses) or ())

    return TraceFilter(
        first=BlockTag.EARLIEST if (first := member(given, FILTER, "fromBlock", block_number)) is None else first,
        last=BlockTag.LATEST if (last := member(given, FILTER, "toBlock", block_number)) is None else last,
        senders=among("fromAddress"),
        receivers=among("toAddress"),
        after=member(given, FILTER, "after", count) or 0,
        count=member(given, FILTER, "count", count),
        either=member(given, FILTER, "mode", _mode) == UNION,
    )


def _mode(value: Any) -> str:
    """As Erigon and Reth have it; Parity knew intersections only. Raises InvalidParams."""
    if value not in (UNION, INTERSECTION):
        raise InvalidParams(f"mode is {UNION!r} or {INTERSECTION!r}, not {value!r}")
    return str(value)


def _addresses(value: Any) -> list[Address]:
    return [address(one) for one in sequence(value, "[]common.Address")]


def count(value: Any) -> int:
    """A number as JSON has it, or as a quantity."""
    return index(hex(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else value)


def _path(value: Any) -> list[int]:
    return [count(step) for step in sequence(value, "[]hexutil.Uint64")]


async def traces_of(node: Node, transaction_hash: Hash32) -> list[JsonObject]:
    """The transaction's calls, outermost first; none if there is no such transaction."""
    stored = await node.chain.transaction(transaction_hash)
    if stored is None:
        return []
    block = await node.chain.existing_block(stored.block_hash)
    (flat,) = await in_turn(node, await request_for(node, block, stored.index + 1, stored.index, FLAT))
    return _placed(flat, block, stored.index)


async def traces_in(node: Node, block: StoredBlock | None) -> list[JsonObject]:
    """The calls of all transactions of a block."""
    if block is None or not block.transactions:
        return []
    traces = await in_turn(node, await request_for(node, block, len(block.transactions), 0, FLAT))
    return [call for position, flat in enumerate(traces) for call in _placed(flat, block, position)]


def _placed(flat: bytes, block: StoredBlock, position: int) -> list[JsonObject]:
    place = {
        "blockHash": data_json(block.hash),
        "blockNumber": block.header.number,
        "transactionHash": data_json(block.hashes[position]),
        "transactionPosition": position,
    }
    return [call | place for call in orjson.loads(flat)]


@method("trace_transaction", hash32)
async def trace_transaction(node: Node, transaction_hash: Hash32) -> list[JsonObject]:
    return await traces_of(node, transaction_hash)


@method("trace_block", block_reference)
async def trace_block(node: Node, reference: BlockReference) -> list[JsonObject]:
    return await traces_in(node, await node.chain.block(reference))


@method("trace_get", hash32, _path)
async def trace_get(node: Node, transaction_hash: Hash32, path: list[int]) -> JsonObject | None:
    """The call at that place in the tree, or null."""
    found = await traces_of(node, transaction_hash)
    return next((call for call in found if call["traceAddress"] == path), None)


@method("trace_filter", trace_filter)
async def filter_traces(node: Node, wanted: TraceFilter) -> list[JsonObject]:
    first, last = node.chain.resolve(wanted.first), min(node.chain.resolve(wanted.last), node.chain.number)
    if first > node.chain.resolve(wanted.last):
        raise InvalidParams(f"invalid block range: {first} is after {last}")
    if last - first >= MAX_BLOCKS:
        raise LimitExceeded(f"the range has more than {MAX_BLOCKS} blocks")
    found: list[JsonObject] = []
    end = None if wanted.count is None else wanted.after + wanted.count
    if node.remote is not None and first <= node.remote.last:
        found += await node.remote.ask("trace_filter", [wanted.within(first, min(last, node.remote.last))])
        first = BlockNumber(node.remote.last + 1)
    traced = 0
    async for block in filled_blocks(node, range(first, last + 1)):
        if traced == MAX_TRACED_BLOCKS:
            raise LimitExceeded(f"more than {MAX_TRACED_BLOCKS} blocks of the range have transactions")
        traced += 1
        found += [call for call in await traces_in(node, block) if wanted.matches(call)]
        if end is not None and len(found) >= end:
            break
    return found[wanted.after : end]
