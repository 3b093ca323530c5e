"""How the excess of blob gas goes from block to block, by hand from EIP-4844, EIP-7691 and EIP-7918."""

import pytest

from chain.fees import BLOB_GAS_PER_BLOB as BLOB
from chain.fees import blob_base_fee, next_excess_blob_gas
from chain.forks import Fork
from chain.headers import Header
from chain.types import Address, BlockNumber, Gas, Hash32, Wei


def parent(excess: int, used: int, base_fee: int) -> Header:
    nothing = Hash32(bytes(32))
    return Header(
        parent_hash=nothing,
        beneficiary=Address(bytes(20)),
        state_root=nothing,
        transactions_root=nothing,
        receipts_root=nothing,
        logs_bloom=bytes(256),
        number=BlockNumber(1),
        gas_limit=Gas(30_000_000),
        gas_used=Gas(0),
        timestamp=0,
        prev_randao=nothing,
        base_fee=Wei(base_fee),
        blob_gas_used=Gas(used),
        excess_blob_gas=Gas(excess),
    )


@pytest.mark.parametrize(
    ("fork", "excess", "used", "base_fee", "following"),
    [
        (Fork.CANCUN, 0, 6 * BLOB, 7, 3 * BLOB),
        (Fork.PRAGUE, 0, 9 * BLOB, 7, 3 * BLOB),
        (Fork.PRAGUE, 0, 5 * BLOB, 7, 0),
        (Fork.OSAKA, 0, 9 * BLOB, 7, 3 * BLOB),  # 2**13 * 7 is less than 2**17 * 1: the target is subtracted
        (Fork.OSAKA, 0, 9 * BLOB, 16, 3 * BLOB),  # equal is not more
        (Fork.OSAKA, 0, 9 * BLOB, 17, 3 * BLOB),  # reserve price: 9 * (9 - 6) / 9
        (Fork.OSAKA, 4 * BLOB, 3 * BLOB, 16, BLOB),
        (Fork.OSAKA, 4 * BLOB, 3 * BLOB, 17, 5 * BLOB),
        (Fork.OSAKA, 4 * BLOB, 0, 10**9, 0),  # below the target it falls to nothing all the same
    ],
)
def test_the_excess_of_blob_gas_is_what_the_fork_says(
    fork: Fork, excess: int, used: int, base_fee: int, following: int
) -> None:
    assert next_excess_blob_gas(parent(excess, used, base_fee), fork) == following


def test_a_unit_of_blob_gas_costs_one_wei_until_there_is_an_excess() -> None:
    assert blob_base_fee(Gas(0), Fork.OSAKA) == 1
    assert blob_base_fee(Gas(5_007_716), Fork.OSAKA) == 2  # e, rounded down
