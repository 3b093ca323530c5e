"""Which transaction may take the place of another of the same sender and nonce: geth's rules.

All its fees are higher by a tenth (core/txpool/legacypool, PriceBump); those of a transaction with blobs, whose blobs
every node has passed on already, by as much again (core/txpool/blobpool, PriceBump).
"""

from chain.messages.mempool import PooledTransaction
from chain.transactions import BLOB, decode_transaction
from chain.types import Wei

BUMP_PERCENT = 10
BLOB_BUMP_PERCENT = 100


def has_blobs(transaction: PooledTransaction) -> bool:
    return transaction.raw[0] == BLOB


def outbids(new: PooledTransaction, old: PooledTransaction) -> bool:
    """Whether `new` may take the place of `old`, of the same sender and nonce."""
    bump_percent = BLOB_BUMP_PERCENT if has_blobs(old) else BUMP_PERCENT
    fees = [(new.max_fee, old.max_fee), (new.max_priority_fee, old.max_priority_fee)]
    if has_blobs(new) and has_blobs(old):
        fees.append((decode_transaction(new.raw).max_blob_fee, decode_transaction(old.raw).max_blob_fee))
    return all(fee >= _least_above(replaced, bump_percent) for fee, replaced in fees)


def least_outbid(old: PooledTransaction) -> Wei:
    """The least priority fee per gas of a transaction that takes the place of `old`."""
    return _least_above(old.max_priority_fee, BLOB_BUMP_PERCENT if has_blobs(old) else BUMP_PERCENT)


def _least_above(fee: Wei, bump_percent: int) -> Wei:
    return Wei(max(fee + 1, fee * (100 + bump_percent) // 100))
