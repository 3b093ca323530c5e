"""eth_getTransaction*, eth_getRawTransaction* and eth_getTransactionReceipt."""

from chain.fees import blob_base_fee
from chain.messages.mempool import PooledTransaction
from chain.messages.storage import StoredBlock, StoredTransaction
from chain.transactions import decode_transaction, included_transaction
from chain.types import BlockNumber, Gas, Hash32, Wei
from rpc.environments import fork_of
from rpc.methods import Node, method
from rpc.params import BlockReference, BlockTag, block_number, hash32, index
from rpc.pending_block import environment_to_come, transactions_to_come
from rpc.render import JsonObject, Place, data_json, place_in, receipt_json, transaction_json


def place_of(stored: StoredTransaction) -> Place:
    header = stored.header
    return Place(stored.block_hash, header.number, header.timestamp, header.base_fee or Wei(0), stored.index)


@method("eth_getTransactionByHash", hash32)
async def get_transaction_by_hash(node: Node, transaction_hash: Hash32) -> JsonObject | None:
    """An executed transaction with its place, a pooled one without, or null; one that is about to be executed is waited
    for."""
    await node.admission.while_pending(transaction_hash)
    stored = await node.chain.transaction(transaction_hash)
    if stored is not None:
        return transaction_json(included_transaction(stored.raw), stored.sender, place_of(stored))
    pooled = node.admission.pool.get(transaction_hash)
    return None if pooled is None else transaction_json(decode_transaction(pooled.raw), pooled.sender, None)


@method("eth_getRawTransactionByHash", hash32)
async def get_raw_transaction_by_hash(node: Node, transaction_hash: Hash32) -> str | None:
    stored = await node.chain.transaction(transaction_hash)
    found = stored or node.admission.pool.get(transaction_hash)
    return None if found is None else data_json(found.raw)


@method("eth_getTransactionReceipt", hash32)
async def get_transaction_receipt(node: Node, transaction_hash: Hash32) -> JsonObject | None:
    """The receipt, or null; a transaction that is about to be executed is waited for (`awaited_transactions`)."""
    await node.admission.while_pending(transaction_hash)
    stored = await node.chain.transaction(transaction_hash)
    if stored is None:
        return None
    blob_fee = blob_base_fee(stored.header.excess_blob_gas or Gas(0), fork_of(stored.header, node.genesis))
    transaction = included_transaction(stored.raw)
    return receipt_json(stored.receipt, transaction, stored.sender, place_of(stored), stored.first_log, blob_fee)


async def _block_with(node: Node, block: BlockReference, position: int) -> StoredBlock | None:
    """The block, if it has a transaction at that position."""
    found = await node.chain.block(block)
    return found if found is not None and position < len(found.transactions) else None


async def _transaction_in(node: Node, block: BlockReference, position: int) -> JsonObject | None:
    found = await _block_with(node, block, position)
    if found is None:
        return None
    transaction = included_transaction(found.transactions[position])
    return transaction_json(transaction, found.senders[position], place_in(found, position))


def _to_come(node: Node, position: int) -> PooledTransaction | None:
    """What stands there in the pending block."""
    return next(iter(transactions_to_come(node, environment_to_come(node))[position : position + 1]), None)


async def _raw_transaction_in(node: Node, block: BlockReference, position: int) -> str | None:
    found = await _block_with(node, block, position)
    return None if found is None else data_json(found.transactions[position])


@method("eth_getTransactionByBlockHashAndIndex", hash32, index)
async def get_transaction_by_block_hash(node: Node, block: Hash32, position: int) -> JsonObject | None:
    return await _transaction_in(node, block, position)


@method("eth_getTransactionByBlockNumberAndIndex", block_number, index)
async def get_transaction_by_block_number(
    node: Node, block: BlockTag | BlockNumber, position: int
) -> JsonObject | None:
    if block == BlockTag.PENDING:
        coming = _to_come(node, position)
        return None if coming is None else transaction_json(decode_transaction(coming.raw), coming.sender, None)
    return await _transaction_in(node, block, position)


@method("eth_getRawTransactionByBlockHashAndIndex", hash32, index)
async def get_raw_transaction_by_block_hash(node: Node, block: Hash32, position: int) -> str | None:
    return await _raw_transaction_in(node, block, position)


@method("eth_getRawTransactionByBlockNumberAndIndex", block_number, index)
async def get_raw_transaction_by_block_number(node: Node, block: BlockTag | BlockNumber, position: int) -> str | None:
    if block == BlockTag.PENDING:
        coming = _to_come(node, position)
        return None if coming is None else data_json(coming.raw)
    return await _raw_transaction_in(node, block, position)
