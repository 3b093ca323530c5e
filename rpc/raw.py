"""debug_getRaw*: blocks, headers, receipts and transactions in their consensus encodings."""

from chain.messages.storage import StoredBlock
from chain.types import Hash32
from rpc.errors import ServerError
from rpc.methods import Json, Node, method
from rpc.params import BlockReference, BlockTag, block_reference, hash32
from rpc.render import data_json


async def _block(node: Node, reference: BlockReference, with_receipts: bool = False) -> StoredBlock:
    """Raises ServerError in geth's words. The pending block has no encoding: nothing of it is executed."""
    if reference == BlockTag.PENDING:
        raise ServerError("pending block is not available")
    block = await node.chain.block(reference, with_receipts)
    if block is None:
        raise ServerError(f"block {data_json(reference)} not found" if isinstance(reference, bytes) else "not found")
    return block


@method("debug_getRawBlock", block_reference)
async def get_raw_block(node: Node, reference: BlockReference) -> str:
    return data_json((await _block(node, reference)).whole().encode())


@method("debug_getRawHeader", block_reference)
async def get_raw_header(node: Node, reference: BlockReference) -> str:
    return data_json((await _block(node, reference)).header.encode())


@method("debug_getRawReceipts", block_reference)
async def get_raw_receipts(node: Node, reference: BlockReference) -> list[str]:
    block = await _block(node, reference, with_receipts=True)
    return [data_json(receipt.encode()) for receipt in block.receipts]


@method("debug_getRawTransactions", block_reference)
async def get_raw_transactions(node: Node, reference: BlockReference) -> list[str]:
    """Of a block, as Reth and anvil answer; none if there is no such block."""
    block = await node.chain.block(reference)
    return [] if block is None else [data_json(raw) for raw in block.transactions]


@method("debug_getRawTransaction", hash32)
async def get_raw_transaction(node: Node, transaction_hash: Hash32) -> str:
    """0x if there is none, as geth."""
    found = await node.chain.transaction(transaction_hash) or node.admission.pool.get(transaction_hash)
    return "0x" if found is None else data_json(found.raw)


@method("debug_getBadBlocks")
async def get_bad_blocks(node: Node) -> Json:
    """None: a block whose execution fails here ends the chain with a block case instead."""
    return []
