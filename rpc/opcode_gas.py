"""trace_transactionOpcodeGas and trace_blockOpcodeGas, as Reth and anvil have them: what each opcode cost."""

import orjson

from chain.types import Hash32
from rpc.debug_traces import in_turn, request_for, told_of
from rpc.methods import Node, method
from rpc.params import BlockReference, block_reference, hash32
from rpc.render import JsonObject, data_json
from rpc.trace_options import TraceOptions

OPCODE_GAS = TraceOptions("opcodeGas")


@method("trace_transactionOpcodeGas", hash32)
async def transaction_opcode_gas(node: Node, transaction_hash: Hash32) -> JsonObject | None:
    """Null if there is no such transaction."""
    told = await told_of(node, transaction_hash, OPCODE_GAS)
    return None if told is None else _json(transaction_hash, told)


@method("trace_blockOpcodeGas", block_reference)
async def block_opcode_gas(node: Node, reference: BlockReference) -> JsonObject | None:
    """Null if there is no such block."""
    block = await node.chain.block(reference)
    if block is None:
        return None
    told: list[bytes] = []
    if block.transactions:
        told = list(await in_turn(node, await request_for(node, block, len(block.transactions), 0, OPCODE_GAS)))
    return {
        "blockHash": data_json(block.hash),
        "blockNumber": block.header.number,
        "transactions": [_json(*pair) for pair in zip(block.hashes, told, strict=True)],
    }


def _json(transaction_hash: Hash32, told: bytes) -> JsonObject:
    return {"transactionHash": data_json(transaction_hash), "opcodeGas": orjson.loads(told)}
