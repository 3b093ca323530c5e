"""tandem_getConsoleLogs: what a transaction's contracts logged by console.log."""

import orjson

from chain.types import Hash32
from rpc.debug_traces import trace_transaction
from rpc.methods import Node, method
from rpc.params import hash32
from rpc.trace_options import TraceOptions

CONSOLE_LOG = TraceOptions("consoleLog")


@method("tandem_getConsoleLogs", hash32)
async def console_logs(node: Node, transaction_hash: Hash32) -> orjson.Fragment:
    """Each message with the contract that logged it. The transaction runs again for it: nothing of it is stored."""
    return await trace_transaction(node, transaction_hash, CONSOLE_LOG)
