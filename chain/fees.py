"""The base fee and the blob base fee (EIP-1559, 4844, 7691)."""

from typing import NamedTuple

from chain.forks import Fork
from chain.headers import Header
from chain.transactions import Transaction
from chain.types import Gas, Wei

ELASTICITY = 2
INITIAL_BASE_FEE = Wei(10**9)
BASE_FEE_CHANGE_DENOMINATOR = 8
MIN_BLOB_BASE_FEE = 1
BLOB_GAS_PER_BLOB = 2**17
BLOB_BASE_COST = 2**13  # EIP-7918
MAX_BLOBS_PER_TRANSACTION = 6  # EIP-7594


def next_base_fee(parent: Header) -> Wei:
    """The base fee of the block after `parent`: up to an eighth more or less, towards half-full blocks.

    London's first block, whose parent has none, begins with a fixed one.
    """
    if parent.base_fee is None:
        return INITIAL_BASE_FEE
    target = parent.gas_limit // ELASTICITY
    if parent.gas_used == target:
        return parent.base_fee
    delta = parent.base_fee * abs(parent.gas_used - target) // target // BASE_FEE_CHANGE_DENOMINATOR
    if parent.gas_used > target:
        return Wei(parent.base_fee + max(delta, 1))
    return Wei(parent.base_fee - delta)


def highest_base_fee_after(base_fee: Wei, blocks: int) -> Wei:
    """A bound on the base fee `blocks` blocks later, all of them full."""
    fee = base_fee
    for _ in range(blocks):
        fee = Wei(fee + max(fee // BASE_FEE_CHANGE_DENOMINATOR, 1))
    return fee


class BlobSchedule(NamedTuple):
    """How many blobs a block should and may have, and how fast their price changes (EIP-7840)."""

    target: int
    most: int
    update_fraction: int


BLOB_SCHEDULES = {
    Fork.CANCUN: BlobSchedule(3, 6, 3_338_477),
    Fork.PRAGUE: BlobSchedule(6, 9, 5_007_716),  # EIP-7691
    Fork.OSAKA: BlobSchedule(6, 9, 5_007_716),
    Fork.BPO1: BlobSchedule(10, 15, 8_346_193),  # EIP-7892
    Fork.BPO2: BlobSchedule(14, 21, 11_684_671),
}


def blob_schedule(fork: Fork) -> BlobSchedule:
    """That of the fork; before Cancun, which brought blobs, Cancun's."""
    return BLOB_SCHEDULES[max(fork, Fork.CANCUN)]


def target_blob_gas(fork: Fork) -> Gas:
    return Gas(BLOB_GAS_PER_BLOB * blob_schedule(fork).target)


def max_blob_gas(fork: Fork) -> Gas:
    return Gas(BLOB_GAS_PER_BLOB * blob_schedule(fork).most)


def max_transaction_blobs(fork: Fork) -> int:
    """How many blobs one transaction may carry: a block's worth, and fewer from Osaka on."""
    return MAX_BLOBS_PER_TRANSACTION if fork >= Fork.OSAKA else max_blob_gas(fork) // BLOB_GAS_PER_BLOB


def max_blob_cost(transaction: Transaction) -> Wei:
    """The most that the blobs of a transaction can cost."""
    return Wei(BLOB_GAS_PER_BLOB * len(transaction.blob_hashes) * transaction.max_blob_fee)


def next_excess_blob_gas(parent: Header, fork: Fork) -> Gas:
    """The running excess of blob gas over its target (EIP-4844).

    A parent from before Cancun counts as one without blobs. From Osaka on, while a blob costs less than the execution
    gas it stands for, the target is not subtracted, so that the price can only rise (EIP-7918).
    """
    target, most = target_blob_gas(fork), max_blob_gas(fork)
    before, used = parent.excess_blob_gas or Gas(0), parent.blob_gas_used or Gas(0)
    excess = before + used
    if excess < target:
        return Gas(0)
    price = blob_base_fee(before, fork)
    if fork >= Fork.OSAKA and BLOB_BASE_COST * (parent.base_fee or 0) > BLOB_GAS_PER_BLOB * price:
        return Gas(before + used * (most - target) // most)
    return Gas(excess - target)


def blob_base_fee(excess_blob_gas: Gas, fork: Fork) -> Wei:
    """The price of a unit of blob gas: an exponential of the excess, by its Taylor series in integers (EIP-4844)."""
    denominator = blob_schedule(fork).update_fraction
    term, total, i = MIN_BLOB_BASE_FEE * denominator, 0, 1
    while term > 0:
        total += term
        term = term * excess_blob_gas // (denominator * i)
        i += 1
    return Wei(total // denominator)
