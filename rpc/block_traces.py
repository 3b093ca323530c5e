"""tandem_getBlockAccessList and tandem_getBlockCase: what a stored block did with the state, run again to see it."""

from chain.block_case_json import case_to_json
from rpc.block_access_list import block_access_list
from rpc.methods import Json, Node, method
from rpc.params import BlockReference, block_reference


@method("tandem_getBlockAccessList", block_reference)
async def get_block_access_list(node: Node, reference: BlockReference) -> Json:
    """Null for a block that does not exist."""
    block = await node.chain.block(reference)
    return None if block is None else block_access_list(await node.traces.of(block))


@method("eth_getBlockAccessList", block_reference)
async def get_specified_block_access_list(node: Node, reference: BlockReference) -> Json:
    """As tandem_getBlockAccessList, under the name that the execution APIs have for it."""
    return await get_block_access_list(node, reference)


@method("tandem_getBlockCase", block_reference)
async def get_block_case(node: Node, reference: BlockReference) -> Json:
    """Null for a block that does not exist."""
    block = await node.chain.block(reference)
    return None if block is None else case_to_json((await node.traces.of(block)).case)
