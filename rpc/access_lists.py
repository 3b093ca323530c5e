"""eth_createAccessList: what a transaction would touch, found by running it until its list stays the same."""

from dataclasses import replace
from typing import Any

import orjson

from chain.messages.traces import TracedCall
from chain.transactions import AccessListEntry
from chain.types import Address
from rpc.calls import StateOverrides, call_message, stage
from rpc.debug_traces import request_for, run_traces
from rpc.errors import ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import state_overrides
from rpc.params import BlockReference, BlockTag, block_reference
from rpc.render import JsonObject
from rpc.trace_options import TraceOptions
from rpc.transaction_arguments import TransactionArguments, transaction_arguments

ACCESS_LIST = TraceOptions("accessList")
MAX_RUNS = 16
"""A list that a contract makes longer in each run ends here."""


@method(
    "eth_createAccessList",
    transaction_arguments,
    optional(block_reference, BlockTag.LATEST),
    optional(state_overrides, ()),
)
async def create_access_list(
    node: Node, wanted: TransactionArguments, reference: BlockReference, state: StateOverrides
) -> JsonObject:
    """The list, the gas that the transaction uses with it, and why it failed if it does."""
    block = await node.chain.existing_block(reference)
    _, environment = await stage(node, reference)
    call = TracedCall(call_message(node, wanted, environment), environment, state)
    for _ in range(MAX_RUNS):
        (trace,) = await run_traces(node, request_for(node, block, None, 0, ACCESS_LIST, call))
        found: JsonObject = orjson.loads(trace)
        entries = tuple(_entry(entry) for entry in found["accessList"])
        if entries == call.call.access_list:
            return found
        call = replace(call, call=replace(call.call, access_list=entries))
    raise ServerError(f"the access list is another one after each of {MAX_RUNS} runs")


def _entry(entry: dict[str, Any]) -> AccessListEntry:
    slots = tuple(int(slot, 16) for slot in entry["storageKeys"])
    return AccessListEntry(Address(bytes.fromhex(entry["address"][2:])), slots)
