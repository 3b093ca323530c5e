"""Signed transactions of one size, made before the clock starts, on all cores."""

import multiprocessing
import os
from collections.abc import Sequence
from itertools import chain as concatenated

from chain.keccak import keccak256
from chain.messages.mempool import PooledTransaction
from chain.signing import address_of_private_key
from chain.transactions import DYNAMIC_FEE, Transaction
from chain.types import Address, Gas, Wei

CHAIN_ID = 31337
GAS = Gas(100_000)
MAX_FEE = Wei(10**12)
"""Far above the base fee, which the stand-in for execution keeps where genesis has it."""
TIP = Wei(10**9)
LEAST_BYTES = 114
"""An envelope without data, whatever its nonce."""


def signed_transactions(count: int, senders: int, size: int) -> list[PooledTransaction]:
    """About `count`, the senders taking turns, each `size` bytes long (a few vary by the length of a number)."""
    nonces = range(-(-count // senders))
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        of_sender = pool.starmap(_signed, [(sender, nonces, size) for sender in range(senders)])
    return list(concatenated.from_iterable(zip(*of_sender, strict=True)))[:count]


def _signed(sender: int, nonces: Sequence[int], size: int) -> list[PooledTransaction]:
    key = keccak256(b"benchmark sender" + sender.to_bytes(4, "big"))
    address = address_of_private_key(key)
    return [_pooled(key, address, nonce, size) for nonce in nonces]


def _pooled(key: bytes, address: Address, nonce: int, size: int) -> PooledTransaction:
    unsigned = Transaction(
        type=DYNAMIC_FEE,
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_fee=MAX_FEE,
        max_priority_fee=TIP,
        gas=GAS,
        to=Address(b"\x11" * 20),
        value=Wei(1),
        data=bytes(size - LEAST_BYTES),
    )
    signed = unsigned.signed_with(key)
    return PooledTransaction(signed.hash, signed.raw, address, nonce, GAS, MAX_FEE, TIP, Wei(1))
