"""Transactions and blocks for a pool alone."""

from chain.keccak import keccak256
from chain.messages.mempool import LeftOut, PooledTransaction, SenderState
from chain.types import ZERO_HASH, Address, Gas, Hash32, ValidatorIndex, Wei
from rpc.pool import TransactionPool
from tests.rpc.small_chain import block_news, stored_block

ALICE = Address(b"\xaa" * 20)
BOB = Address(b"\xbb" * 20)
V0, V1 = ValidatorIndex(0), ValidatorIndex(1)


def pooled(
    nonce: int, sender: Address = ALICE, fee: int = 100, tip: int | None = None, value: int = 0
) -> PooledTransaction:
    """A transaction of 1 gas, so that its cost is its fee and its value."""
    tip = fee if tip is None else tip
    raw = repr((sender, nonce, fee, tip, value)).encode()
    return PooledTransaction(keccak256(raw), raw, sender, nonce, Gas(1), Wei(fee), Wei(tip), Wei(value))


def execute(
    pool: TransactionPool,
    included: list[PooledTransaction],
    senders: list[SenderState],
    left_out: list[LeftOut] | None = None,
    number: int | None = None,
) -> list[tuple[Hash32, str]]:
    block = stored_block(pool.height + 1 if number is None else number, ZERO_HASH)
    news = block_news(block, left_out or [], senders)
    object.__setattr__(news, "included", tuple(t.hash for t in included))
    return pool.height_executed(news)
