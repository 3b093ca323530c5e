"""txpool_*: what has been admitted and is not executed yet."""

from collections.abc import Callable
from itertools import islice

from chain.addresses import checksummed
from chain.messages.mempool import PooledTransaction
from chain.transactions import Transaction, decode_transaction
from chain.types import Address
from rpc.methods import Json, Node, method
from rpc.params import address
from rpc.pool import Place
from rpc.render import JsonObject, transaction_json

MAX_LISTED = 10_000
"""Transactions that one answer shows."""


def pending_transactions(node: Node) -> list[PooledTransaction]:
    """The pooled transactions that the next blocks can take, in the order of arrival."""
    pool = node.admission.pool
    return [pooled for pooled in tuple(pool) if pool.place(pooled.hash) is Place.PENDING]


def _listed(node: Node, show: Callable[[PooledTransaction, Transaction], Json]) -> dict[str, dict[str, JsonObject]]:
    """Pending and queued transactions, by sender, written as geth writes it here, and nonce."""
    pool = node.admission.pool
    answer: dict[str, dict[str, JsonObject]] = {"pending": {}, "queued": {}}
    for pooled in tuple(pool)[:MAX_LISTED]:
        group = answer["pending" if pool.place(pooled.hash) is Place.PENDING else "queued"]
        of_sender = group.setdefault(checksummed(pooled.sender), {})
        of_sender[str(pooled.nonce)] = show(pooled, decode_transaction(pooled.raw))
    return answer


def _whole(pooled: PooledTransaction, transaction: Transaction) -> JsonObject:
    return transaction_json(transaction, pooled.sender, None)


def _line(_: PooledTransaction, transaction: Transaction) -> str:
    to = "contract creation" if transaction.to is None else checksummed(transaction.to)
    return f"{to}: {transaction.value} wei + {transaction.gas} gas × {transaction.max_fee} wei"


@method("eth_pendingTransactions")
async def get_pending_transactions(node: Node) -> list[JsonObject]:
    """Those of the unlocked accounts that the next blocks can take."""
    own = set(node.wallet.accounts)
    pending = (pooled for pooled in pending_transactions(node) if pooled.sender in own)
    return [_whole(pooled, decode_transaction(pooled.raw)) for pooled in islice(pending, MAX_LISTED)]


@method("txpool_status")
async def status(node: Node) -> JsonObject:
    pending, queued = node.admission.pool.counts()
    return {"pending": hex(pending), "queued": hex(queued)}


@method("txpool_content")
async def content(node: Node) -> JsonObject:
    return _listed(node, _whole)


@method("txpool_contentFrom", address)
async def content_from(node: Node, sender: Address) -> JsonObject:
    wanted = checksummed(sender)
    return {stage: senders.get(wanted, {}) for stage, senders in _listed(node, _whole).items()}


@method("txpool_inspect")
async def inspect(node: Node) -> JsonObject:
    return _listed(node, _line)
