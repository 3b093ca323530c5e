"""eth_sendRawTransactionSync (EIP-7966), eth_sendTransactionSync: send a transaction and answer with its receipt."""

from typing import Any

from chain.types import Hash32
from rpc.blobs import without_blobs
from rpc.errors import RpcError, TransactionRejected
from rpc.methods import Node, method, optional
from rpc.params import UINT64_LIMIT, WrongType, data, hash32
from rpc.render import JsonObject, data_json
from rpc.sending import send_transaction
from rpc.transaction_arguments import TransactionArguments, transaction_arguments
from rpc.transactions import get_transaction_receipt

DEFAULT_WAIT_MS = 20_000
MAX_WAIT_MS = 60_000
"""geth's --rpc.txsync.defaulttimeout and .maxtimeout."""


class NotExecutedInTime(RpcError):
    """The transaction waits in the pool; `data` is its hash."""

    code = 4

    def __init__(self, transaction_hash: Hash32, waited_ms: int) -> None:
        waited = f"{waited_ms / 1000:g}s" if waited_ms >= 1000 else f"{waited_ms}ms"
        super().__init__(
            f"The transaction was added to the transaction pool but wasn't processed in {waited}",
            data_json(transaction_hash),
        )


def milliseconds(value: Any) -> int:
    """A JSON number, as geth takes it."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < UINT64_LIMIT:
        raise WrongType("string" if isinstance(value, str) else f"number {value}", "uint64")
    return value


@method("eth_sendRawTransactionSync", data, optional(milliseconds))
async def send_raw_transaction_sync(node: Node, raw: bytes, wait_ms: int | None) -> JsonObject:
    """The receipt. Raises TransactionRejected, and NotExecutedInTime if the transaction waits longer than that."""
    transaction_hash = await node.admission.submit(await without_blobs(node, raw))
    return await _receipt(node, transaction_hash, _limit_ms(wait_ms))


@method("eth_sendTransactionSync", transaction_arguments, optional(milliseconds))
async def send_transaction_sync(node: Node, wanted: TransactionArguments, wait_ms: int | None) -> JsonObject:
    """The same of a transaction that is filled in and signed here."""
    sent = await send_transaction(node, wanted)
    return await _receipt(node, hash32(sent), _limit_ms(wait_ms))


def _limit_ms(wait_ms: int | None) -> int:
    return min(wait_ms, MAX_WAIT_MS) if wait_ms else DEFAULT_WAIT_MS


async def _receipt(node: Node, transaction_hash: Hash32, limit_ms: int) -> JsonObject:
    await node.admission.while_pooled(transaction_hash, limit_ms / 1000)
    if transaction_hash in node.admission.pool:
        raise NotExecutedInTime(transaction_hash, limit_ms)
    receipt = await get_transaction_receipt(node, transaction_hash)
    if receipt is None:
        raise TransactionRejected(node.admission.pool.eviction(transaction_hash) or "the transaction was given up")
    return receipt
