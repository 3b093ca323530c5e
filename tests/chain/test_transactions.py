"""Transactions of all types, against eth_account."""

from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from chain import rlp
from chain.errors import ChainError
from chain.signing import InvalidSignature, address_of_private_key
from chain.transactions import (
    AccessListEntry,
    Authorization,
    InvalidTransactionEncoding,
    Transaction,
    decode_transaction,
    envelope_gas,
    sealed,
)
from chain.types import Address, Hash32

KEY = b"\x01" * 32
SENDER = address_of_private_key(KEY)
TO = "0x" + "11" * 20
COMMON: dict[str, Any] = {"nonce": 7, "gas": 50_000, "to": TO, "value": 2**70, "data": "0x1234"}
ACCESS = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "00" * 31 + "05"]}]
FEES = {"maxFeePerGas": 2**40, "maxPriorityFeePerGas": 5}
AUTHORIZATION = Account.from_key(KEY).sign_authorization({"chainId": 1, "address": "0x" + "33" * 20, "nonce": 8})

TRANSACTIONS: dict[str, dict[str, Any]] = {
    "legacy": {**COMMON, "chainId": 1, "gasPrice": 2**40},
    "legacy without a chain id": {**COMMON, "gasPrice": 2**40},
    "access list": {**COMMON, "type": 1, "chainId": 1, "gasPrice": 2**40, "accessList": ACCESS},
    "dynamic fee": {**COMMON, "type": 2, "chainId": 1, **FEES},
    "creation": {key: value for key, value in COMMON.items() if key != "to"} | {"type": 2, "chainId": 1, **FEES},
    "set code": {**COMMON, "type": 4, "chainId": 1, **FEES, "authorizationList": [AUTHORIZATION]},
    "blob": {
        **COMMON,
        "type": 3,
        "chainId": 1,
        **FEES,
        "maxFeePerBlobGas": 9,
        "blobVersionedHashes": ["0x01" + "44" * 31],
    },
}


def signed(fields: dict[str, Any]) -> Any:
    return Account.from_key(KEY).sign_transaction(fields)


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_a_transaction_signed_elsewhere_is_understood(name: str) -> None:
    fields = TRANSACTIONS[name]
    other = signed(fields)
    transaction = decode_transaction(bytes(other.raw_transaction))
    assert transaction.hash == bytes(other.hash)
    assert transaction.sender() == SENDER
    assert (transaction.v, transaction.r, transaction.s) == (other.v, other.r, other.s)
    assert (transaction.nonce, transaction.gas, transaction.value) == (7, 50_000, 2**70)
    assert transaction.data == b"\x12\x34"
    assert transaction.to == (Address(b"\x11" * 20) if "to" in fields else None)
    assert transaction.chain_id == fields.get("chainId")
    assert sealed(transaction).raw == bytes(other.raw_transaction)


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_signing_here_gives_the_same_bytes_as_signing_elsewhere(name: str) -> None:
    other = signed(TRANSACTIONS[name])
    transaction = decode_transaction(bytes(other.raw_transaction)).signed_with(KEY)
    assert transaction.raw == bytes(other.raw_transaction)
    assert transaction.hash == bytes(other.hash)


def test_what_only_one_type_has_is_read() -> None:
    access = decode(TRANSACTIONS["access list"])
    assert access.access_list == (AccessListEntry(Address(b"\x22" * 20), (5,)),)
    set_code = decode(TRANSACTIONS["set code"])
    (authorization,) = set_code.authorizations
    assert isinstance(authorization, Authorization)
    assert authorization.authority() == SENDER
    blob = decode(TRANSACTIONS["blob"])
    assert blob.max_blob_fee == 9
    assert blob.blob_hashes == (b"\x01" + b"\x44" * 31,)


def decode(fields: dict[str, Any]) -> Transaction:
    return decode_transaction(bytes(signed(fields).raw_transaction))


def test_the_effective_price_is_capped_by_the_fee_cap() -> None:
    transaction = decode({**TRANSACTIONS["dynamic fee"], "maxFeePerGas": 100, "maxPriorityFeePerGas": 10})
    assert [transaction.effective_gas_price(fee) for fee in (20, 90, 95)] == [30, 100, 100]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_trailing_bytes_are_refused(name: str) -> None:
    raw = bytes(signed(TRANSACTIONS[name]).raw_transaction)
    with pytest.raises(InvalidTransactionEncoding):
        decode_transaction(raw + b"\0")


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_every_truncation_is_refused_as_a_chain_error(name: str) -> None:
    raw = bytes(signed(TRANSACTIONS[name]).raw_transaction)
    for length in range(len(raw)):
        with pytest.raises(ChainError):
            decode_transaction(raw[:length])


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_the_gas_limit_is_found_in_the_envelope(name: str) -> None:
    raw = bytes(signed(TRANSACTIONS[name]).raw_transaction)
    assert envelope_gas(raw) == COMMON["gas"]
    fields = rlp.decode_list(rlp.decode(raw[raw[0] < 0xC0 :]))
    for broken in (raw[:-1], raw + b"\0", b"", b"\0" + raw, raw[: raw[0] < 0xC0] + rlp.encode(fields[:-1])):
        with pytest.raises(InvalidTransactionEncoding):
            envelope_gas(broken)


def test_an_unknown_type_is_refused_in_the_words_wallets_know() -> None:
    with pytest.raises(InvalidTransactionEncoding, match="transaction type not supported"):
        decode_transaction(b"\x09\xc0")


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_what_is_made_of_a_decoded_transaction_has_a_signing_hash_of_its_own(name: str) -> None:
    transaction = decode(TRANSACTIONS[name])
    other = replace(transaction, nonce=transaction.nonce + 1, raw=b"", hash=Hash32(b""))
    assert replace(transaction, nonce=transaction.nonce + 1).signing_hash() == other.signing_hash()
    assert sealed(transaction).signing_hash() == transaction.signing_hash() != other.signing_hash()


def test_a_signature_in_the_upper_half_is_refused() -> None:
    transaction = decode(TRANSACTIONS["dynamic fee"])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    flipped = replace(transaction, s=order - transaction.s)
    with pytest.raises(InvalidSignature):
        decode_transaction(flipped.encode())
