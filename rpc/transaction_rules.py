"""What a raw transaction must satisfy whatever the state is, in the order in which geth's pool looks.

Source: go-ethereum core/txpool/validation.go, ValidateTransaction. Two rules of geth's are left out: its minimum tip is
1 wei and ours 0 unless set, and transactions without a chain id are let in, because the deterministic deployment proxy
and Multicall3 are deployed by presigned ones. Blobs have rules of their own (rpc/blobs.py).
"""

from typing import NamedTuple

from chain.errors import DecodeError
from chain.fees import max_blob_cost
from chain.forks import Fork
from chain.intrinsic_gas import MAX_INIT_CODE_SIZE, floor_gas, intrinsic_gas, max_gas
from chain.messages.mempool import PooledTransaction
from chain.signing import InvalidSignature
from chain.transactions import BLOB, SET_CODE, Transaction, decode_transaction
from chain.types import Address, Gas, Wei
from rpc.transaction_errors import (
    BeforeTheMerge,
    ExceedsBlockGasLimit,
    FloorGasTooLow,
    GasLimitTooHigh,
    InitCodeTooLarge,
    IntrinsicGasTooLow,
    InvalidSender,
    NoAuthorizations,
    NonceAtMaximum,
    OversizedData,
    TipAboveFeeCap,
    TipBelowMinimum,
    TransactionTypeNotSupported,
    UndecodableTransaction,
    WrongChainId,
)

MAX_TRANSACTION_BYTES = 128 * 1024  # geth's txMaxSize
MAX_NONCE = 2**64 - 1  # EIP-2681
NO_MINIMUM = Wei(0)


class Rules(NamedTuple):
    """What the next block allows; `min_tip` in wei."""

    chain_id: int
    fork: Fork
    min_tip: Wei = NO_MINIMUM


def decode(raw: bytes) -> Transaction:
    """The transaction in `raw`. Raises UndecodableTransaction, TransactionTypeNotSupported or InvalidSender."""
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise OversizedData(len(raw), MAX_TRANSACTION_BYTES)
    if len(raw) == 1 and raw[0] < 0x80:
        raise UndecodableTransaction("typed transaction too short")
    if raw and 0x80 <= raw[0] < 0xC0:
        raise UndecodableTransaction("rlp: expected input list for types.LegacyTx")
    try:
        return decode_transaction(raw)
    except InvalidSignature as error:
        raise InvalidSender(str(error)) from None
    except DecodeError as error:
        raise UndecodableTransaction(str(error)) from None


def check(transaction: Transaction, rules: Rules, gas_limit: Gas) -> Address:
    """The sender of a transaction that may enter, given the newest block's gas limit.

    Raises the TransactionRejected that geth would give first.
    """
    if rules.fork < Fork.PARIS:
        raise BeforeTheMerge(rules.fork)
    if transaction.type == BLOB and rules.fork < Fork.CANCUN:
        raise TransactionTypeNotSupported(f"type {BLOB} rejected, pool not yet in Cancun")
    if transaction.type == SET_CODE and rules.fork < Fork.PRAGUE:
        raise TransactionTypeNotSupported(f"type {SET_CODE} rejected, pool not yet in Prague")
    if transaction.to is None and len(transaction.data) > MAX_INIT_CODE_SIZE:
        raise InitCodeTooLarge(len(transaction.data), MAX_INIT_CODE_SIZE)
    highest = max_gas(rules.fork)
    if highest is not None and transaction.gas > highest:
        raise GasLimitTooHigh(transaction.gas, highest)
    if transaction.gas > gas_limit:
        raise ExceedsBlockGasLimit
    if transaction.max_fee < transaction.max_priority_fee:
        raise TipAboveFeeCap
    sender = _sender(transaction, rules.chain_id)
    if transaction.nonce == MAX_NONCE:
        raise NonceAtMaximum
    _check_gas(transaction, rules.fork)
    if transaction.max_priority_fee < rules.min_tip:
        raise TipBelowMinimum(transaction.max_priority_fee, rules.min_tip)
    if transaction.type == SET_CODE and not transaction.authorizations:
        raise NoAuthorizations
    return sender


def pooled(transaction: Transaction, sender: Address) -> PooledTransaction:
    """The transaction as mempools order it."""
    return PooledTransaction(
        hash=transaction.hash,
        raw=transaction.raw,
        sender=sender,
        nonce=transaction.nonce,
        gas=transaction.gas,
        max_fee=transaction.max_fee,
        max_priority_fee=transaction.max_priority_fee,
        value=Wei(transaction.value + max_blob_cost(transaction)),
    )


def _sender(transaction: Transaction, chain_id: int) -> Address:
    if transaction.chain_id is not None and transaction.chain_id != chain_id:
        raise WrongChainId(transaction.chain_id, chain_id)
    try:
        return transaction.sender()
    except InvalidSignature:  # the values are in range, decoding has seen to that: no key gives this signature
        raise InvalidSender("recovery failed") from None


def _check_gas(transaction: Transaction, fork: Fork) -> None:
    needed = intrinsic_gas(transaction, fork)
    if transaction.gas < needed:
        raise IntrinsicGasTooLow(transaction.gas, needed)
    floor = floor_gas(transaction, fork)
    if transaction.gas < floor:
        raise FloorGasTooLow(transaction.gas, floor)
