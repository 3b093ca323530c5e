"""eth_* reads of the state after a block."""

from chain.types import Address
from rpc.errors import InvalidParams
from rpc.methods import Node, method, optional
from rpc.params import BlockReference, BlockTag, InvalidValue, address, block_reference, storage_key, text
from rpc.render import data_json, word_json

at_block = optional(block_reference, BlockTag.LATEST)


@method("eth_getBalance", address, at_block)
async def get_balance(node: Node, account: Address, block: BlockReference) -> str:
    return hex((await node.chain.account(account, block)).balance)


@method("eth_getTransactionCount", address, at_block)
async def get_transaction_count(node: Node, account: Address, block: BlockReference) -> str:
    """The nonce; at `pending` the next one that the sender's pooled transactions leave free."""
    if block == BlockTag.PENDING:
        return hex(await node.admission.pending_nonce(account))
    return hex((await node.chain.account(account, block)).nonce)


@method("eth_getCode", address, at_block)
async def get_code(node: Node, account: Address, block: BlockReference) -> str:
    return data_json(await node.chain.state.code(await node.chain.version(block), account))


@method("eth_getStorageAt", address, text, at_block)
async def get_storage_at(node: Node, account: Address, key: str, block: BlockReference) -> str:
    try:
        slot = storage_key(key).number
    except InvalidValue as problem:
        raise InvalidParams(problem.text) from None
    return word_json(await node.chain.state.slot(await node.chain.version(block), account, slot))
