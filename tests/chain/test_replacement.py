"""Who may take whose place in a pool. The rules and bounds are geth's (legacypool/list.go, blobpool/blobpool.go)."""

import pytest

from chain.messages.mempool import PooledTransaction
from chain.replacement import least_outbid, outbids
from chain.transactions import BLOB, DYNAMIC_FEE, Transaction
from chain.types import Address, Gas, Hash32, Wei


def pooled(max_fee: int, tip: int, max_blob_fee: int | None = None) -> PooledTransaction:
    transaction = Transaction(
        type=DYNAMIC_FEE if max_blob_fee is None else BLOB,
        chain_id=31337,
        nonce=0,
        max_fee=Wei(max_fee),
        max_priority_fee=Wei(tip),
        gas=Gas(21_000),
        to=Address(bytes(20)),
        value=Wei(0),
        data=b"",
        max_blob_fee=Wei(max_blob_fee or 0),
        blob_hashes=() if max_blob_fee is None else (Hash32(b"\1" + bytes(31)),),
    ).signed_with(b"\1" * 32)
    fees = transaction.max_fee, transaction.max_priority_fee
    return PooledTransaction(transaction.hash, transaction.raw, Address(bytes(20)), 0, transaction.gas, *fees, Wei(0))


@pytest.mark.parametrize(
    ("old", "new", "taken"),
    [
        ((1000, 100), (1100, 110), True),
        ((1000, 100), (1099, 110), False),
        ((1000, 100), (1100, 109), False),
        ((1000, 105), (1100, 115), True),  # 115.5 is rounded down
        ((1000, 3), (1100, 3), False),
        ((1000, 0), (1100, 1), True),
        ((1000, 100, 10), (2000, 200, 20), True),
        ((1000, 100, 10), (1999, 200, 20), False),
        ((1000, 100, 10), (2000, 199, 20), False),
        ((1000, 100, 10), (2000, 200, 19), False),
    ],
)
def test_all_fees_are_higher_by_a_tenth_and_those_of_blobs_by_as_much_again(
    old: tuple[int, ...], new: tuple[int, ...], taken: bool
) -> None:
    assert outbids(pooled(*new), pooled(*old)) is taken


@pytest.mark.parametrize("old", [pooled(1000, 105), pooled(1000, 0), pooled(1000, 100, 10)])
def test_the_least_priority_fee_is_one_that_does(old: PooledTransaction) -> None:
    least = least_outbid(old)
    more = old._replace(max_fee=Wei(10_000), raw=pooled(10_000, 0, 100).raw if old.raw[0] == BLOB else old.raw)
    assert outbids(more._replace(max_priority_fee=least), old)
    assert not outbids(more._replace(max_priority_fee=Wei(least - 1)), old)
