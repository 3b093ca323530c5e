"""eth_createAccessList: what a transaction would touch, found by running it until its list stays the same."""

from dataclasses import replace
from typing import Any

import orjson

from chain.messages.calls import CallMessage
from chain.messages.traces import REFUSED, TracedCall
from chain.transactions import LEGACY, AccessListEntry, Transaction, unsigned
from chain.types import Address
from rpc.calls import StateOverrides, call_message, stage
from rpc.debug_traces import request_for, run_traces
from rpc.errors import ServerError
from rpc.methods import Node, method, optional
from rpc.overrides import state_overrides
from rpc.params import BlockReference, BlockTag, block_reference
from rpc.pending_state import overrides_at
from rpc.render import JsonObject, data_json
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
    state = await overrides_at(node, reference, state)
    call = TracedCall(call_message(node, wanted, environment), environment, state)
    for _ in range(MAX_RUNS):
        try:
            (trace,) = await run_traces(node, await request_for(node, block, None, 0, ACCESS_LIST, (call,)))
        except ServerError as error:
            raise _in_geths_words(error, call.call) from None
        found: JsonObject = orjson.loads(trace)
        entries = tuple(_entry(entry) for entry in found["accessList"])
        if entries == call.call.access_list:
            return found
        call = replace(call, call=call.call._replace(access_list=entries))
    raise ServerError(f"the access list is another one after each of {MAX_RUNS} runs")


def _in_geths_words(error: ServerError, call: CallMessage) -> ServerError:
    """Of a call that cannot begin geth says which transaction, by the hash that it would have as a legacy one."""
    if not error.message.startswith(REFUSED):
        return error
    transaction = Transaction(
        type=LEGACY,
        chain_id=None,
        nonce=0,
        max_fee=call.max_fee,
        max_priority_fee=call.max_fee,
        gas=call.gas,
        to=call.to,
        value=call.value,
        data=call.data,
    )
    words = error.message.removeprefix(REFUSED)
    return ServerError(f"failed to apply transaction: {data_json(unsigned(transaction).hash)} err: {words}")


def _entry(entry: dict[str, Any]) -> AccessListEntry:
    slots = tuple(int(slot, 16) for slot in entry["storageKeys"])
    return AccessListEntry(Address(bytes.fromhex(entry["address"][2:])), slots)
