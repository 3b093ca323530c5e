"""*_getBlockAccessList* and tandem_getBlockCase: what a stored block did with the state, run again to see it."""

from chain.block_case_json import case_to_json
from chain.types import BlockNumber, Hash32
from rpc.block_access_list import block_access_list, encode_access_list
from rpc.errors import ResourceNotFound
from rpc.methods import Json, Node, method
from rpc.params import BlockReference, BlockTag, block_number, block_reference, hash32
from rpc.render import data_json


@method("tandem_getBlockAccessList", block_reference)
async def get_block_access_list(node: Node, reference: BlockReference) -> Json:
    """Null for a block that does not exist."""
    block = await node.chain.block(reference)
    return None if block is None else block_access_list(await node.traces.of(block))


@method("eth_getBlockAccessList", block_reference)
async def get_specified_block_access_list(node: Node, reference: BlockReference) -> Json:
    """As tandem_getBlockAccessList, under the name that the execution APIs have for it."""
    return await get_block_access_list(node, reference)


@method("eth_getBlockAccessListByBlockHash", hash32)
async def get_block_access_list_by_hash(node: Node, block_hash: Hash32) -> Json:
    return await get_block_access_list(node, block_hash)


@method("eth_getBlockAccessListByBlockNumber", block_number)
async def get_block_access_list_by_number(node: Node, number: BlockTag | BlockNumber) -> Json:
    return await get_block_access_list(node, number)


@method("eth_getBlockAccessListRaw", block_reference)
async def get_encoded_block_access_list(node: Node, reference: BlockReference) -> str | None:
    """In RLP, null for a block that does not exist."""
    listed = await get_block_access_list(node, reference)
    return None if listed is None else data_json(encode_access_list(listed))


@method("debug_getRawBlockAccessList", block_reference)
async def get_raw_block_access_list(node: Node, reference: BlockReference) -> str:
    """In RLP (EIP-7928). Raises ResourceNotFound."""
    encoded = await get_encoded_block_access_list(node, reference)
    if encoded is None:
        raise ResourceNotFound
    return encoded


@method("tandem_getBlockCase", block_reference)
async def get_block_case(node: Node, reference: BlockReference) -> Json:
    """Null for a block that does not exist."""
    block = await node.chain.block(reference)
    return None if block is None else case_to_json((await node.traces.of(block)).case)
