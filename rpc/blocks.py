"""eth_blockNumber, eth_getBlock*, eth_getUncle*: blocks whole or counted."""

from dataclasses import replace

from chain.blocks import Block
from chain.messages.execution import BlockEnvironment
from chain.messages.storage import StoredBlock
from chain.transactions import decode_transaction
from chain.types import BlockNumber, Hash32
from rpc.environments import fork_of
from rpc.methods import Json, Node, method
from rpc.params import BlockReference, BlockTag, block_number, block_reference, boolean, hash32, index
from rpc.pending_block import environment_to_come, transactions_to_come
from rpc.render import (
    JsonObject,
    block_json,
    block_receipts_json,
    data_json,
    header_json,
    transaction_json,
)

NumberOrTag = BlockTag | BlockNumber


@method("eth_blockNumber")
async def get_block_number(node: Node) -> str:
    return hex(node.chain.number)


@method("eth_getBlockByNumber", block_number, boolean)
async def get_block_by_number(node: Node, number: NumberOrTag, full: bool) -> JsonObject | None:
    if number == BlockTag.PENDING:
        return pending_block_json(node, full)
    block = await node.chain.block(number)
    return None if block is None else block_json(block, full)


@method("eth_getBlockByHash", hash32, boolean)
async def get_block_by_hash(node: Node, block_hash: Hash32, full: bool) -> JsonObject | None:
    block = await node.chain.block(block_hash)
    return None if block is None else block_json(block, full)


@method("eth_getHeaderByNumber", block_number)
async def get_header_by_number(node: Node, number: NumberOrTag) -> JsonObject | None:
    if number == BlockTag.PENDING:
        return pending_header_json(node, environment_to_come(node))
    block = await node.chain.block(number)
    return None if block is None else header_json(block.header, block.hash)


@method("eth_getHeaderByHash", hash32)
async def get_header_by_hash(node: Node, block_hash: Hash32) -> JsonObject | None:
    block = await node.chain.block(block_hash)
    return None if block is None else header_json(block.header, block.hash)


def pending_header_json(node: Node, environment: BlockEnvironment) -> JsonObject:
    """The next block's: what is not known before its execution is null or empty."""
    head = node.chain.head
    header = replace(environment.header(), parent_hash=head.hash, state_root=head.header.state_root)
    return header_json(header, head.hash) | {"hash": None, "nonce": None}


def pending_block_json(node: Node, full: bool) -> JsonObject:
    """The block that the pool would fill on the head."""
    environment = environment_to_come(node)
    pooled = transactions_to_come(node, environment)
    answer = pending_header_json(node, environment) | {"size": "0x0", "uncles": []}
    if "withdrawalsRoot" in answer:
        answer["withdrawals"] = []
    answer["transactions"] = [
        transaction_json(decode_transaction(p.raw), p.sender, None) if full else data_json(p.hash) for p in pooled
    ]
    return answer


@method("eth_getBlockReceipts", block_reference)
async def get_block_receipts(node: Node, reference: BlockReference) -> list[JsonObject] | None:
    """Null for the pending block too: nothing of it is executed."""
    if reference == BlockTag.PENDING:
        return None
    block = await node.chain.block(reference, with_receipts=True)
    return None if block is None else block_receipts_json(block, fork_of(block.header, node.genesis))


def _count(block: StoredBlock | None) -> str | None:
    return None if block is None else hex(len(block.transactions))


@method("eth_getBlockTransactionCountByHash", hash32)
async def get_transaction_count_by_hash(node: Node, block_hash: Hash32) -> str | None:
    return _count(await node.chain.block(block_hash))


@method("eth_getBlockTransactionCountByNumber", block_number)
async def get_transaction_count_by_number(node: Node, number: NumberOrTag) -> str | None:
    if number == BlockTag.PENDING:
        return hex(len(transactions_to_come(node, environment_to_come(node))))
    return _count(await node.chain.block(number))


@method("eth_getUncleCountByBlockHash", hash32)
async def get_uncle_count_by_hash(node: Node, block_hash: Hash32) -> str | None:
    return _uncles(await node.chain.block(block_hash))


@method("eth_getUncleCountByBlockNumber", block_number)
async def get_uncle_count_by_number(node: Node, number: NumberOrTag) -> str | None:
    return _uncles(await node.chain.block(number))


def _uncles(block: StoredBlock | None) -> str | None:
    return None if block is None else hex(len(block.ommers))


@method("eth_getUncleByBlockHashAndIndex", hash32, index)
async def get_uncle_by_hash(node: Node, block_hash: Hash32, position: int) -> Json:
    return _uncle(await node.chain.block(block_hash), position)


@method("eth_getUncleByBlockNumberAndIndex", block_number, index)
async def get_uncle_by_number(node: Node, number: NumberOrTag, position: int) -> Json:
    return _uncle(await node.chain.block(number), position)


def _uncle(block: StoredBlock | None, position: int) -> JsonObject | None:
    """An ommer as a block of its own, of which only the header is known. Blocks of ours have none."""
    if block is None or position >= len(block.ommers):
        return None
    header = block.ommers[position]
    answer = header_json(header, header.hash())
    return answer | {"size": hex(len(Block(header, (), (), None).encode())), "uncles": []}
