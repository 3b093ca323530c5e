"""The checks that need no state, with the words and in the order of geth's pool."""

from typing import Any

import pytest

from chain import rlp
from chain.forks import Fork
from chain.intrinsic_gas import MAX_TRANSACTION_GAS
from chain.transactions import (
    ACCESS_LIST,
    LEGACY,
    SET_CODE,
    AccessListEntry,
    Authorization,
    decode_transaction,
    sealed,
)
from chain.types import Address, Gas, Wei
from rpc.errors import TransactionRejected
from rpc.transaction_rules import Rules, check, decode
from tests.rpc.small_chain import ACCOUNTS, CHAIN_ID, GAS_LIMIT, KEYS, RECIPIENT, transfer

RULES = Rules(CHAIN_ID, Fork.PRAGUE)
LEGACY_FEES = {"type": LEGACY, "max_fee": Wei(10**9), "max_priority_fee": Wei(10**9)}
AUTHORIZATION = Authorization(CHAIN_ID, RECIPIENT, 0, 0, 1, 1)

# The deterministic deployment proxy: a legacy creation without a chain id, signed by nobody's key
# (github.com/Arachnid/deterministic-deployment-proxy).
PROXY_DEPLOYMENT = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222"
    "222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222"
)


def refusal(raw: bytes, rules: Rules = RULES) -> str:
    with pytest.raises(TransactionRejected) as refused:
        check(decode(raw), rules, GAS_LIMIT)
    assert refused.value.code == -32000
    return refused.value.message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "typed transaction too short"),
        (b"\x02", "typed transaction too short"),
        (b"\x7f\xc0", "transaction type not supported"),
        (b"\x83abc", "rlp: expected input list for types.LegacyTx"),
        (b"\x03\xc0", "rlp: too few elements for types.BlobTx"),
        (transfer().raw + b"\0", "rlp: input contains more than one value"),
        (transfer().raw[:-1], "rlp: value size exceeds available input length"),
        (b"\x02" + bytes((0xC0 + 13,)) + b"\x80" * 13, "rlp: input list has too many elements for types.DynamicFeeTx"),
    ],
)
def test_bytes_that_are_no_transaction_we_take_are_refused_with_geths_words(raw: bytes, words: str) -> None:
    assert refusal(raw) == words


@pytest.mark.parametrize("raw", [b"\xc0", b"\x02\xc0", transfer().raw + b"\0", transfer().raw[:-1], b"\xff" * 9])
def test_malformed_rlp_is_refused_as_such(raw: bytes) -> None:
    assert refusal(raw).startswith("rlp: ")


@pytest.mark.parametrize(
    ("place", "item", "words"),
    [
        (1, (2**64).to_bytes(9, "big"), "rlp: input string too long for nonce, which has 64 bits"),
        (1, [], "rlp: expected input string or byte: a list where a number belongs"),
        (1, b"\0\1", "rlp: non-canonical integer (leading zero bytes)"),
        (2, b"\1" * 33, "max priority fee per gas higher than 2^256-1"),
        (3, b"\1" * 33, "max fee per gas higher than 2^256-1"),
        (5, b"\1" * 19, f"rlp: input string too short: 19 bytes where 20 belong: 0x{'01' * 19}"),
        (5, b"\1" * 21, f"rlp: input string too long: 21 bytes where 20 belong: 0x{'01' * 21}"),
        (6, b"\1" * 33, "insufficient funds for gas * price + value"),
        (8, b"", "rlp: expected input list: bytes where a list belongs"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_in_words_that_begin_as_geths(place: int, item: Any, words: str) -> None:
    raw = transfer().raw
    fields = list(rlp.decode_list(rlp.decode(raw[1:])))
    fields[place] = item
    assert refusal(raw[:1] + rlp.encode(fields)) == words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"to": None, "data": bytes(49_153), "gas": Gas(5_000_000)},
            "max initcode size exceeded: code size 49153 limit 49152",
        ),
        ({"gas": Gas(GAS_LIMIT + 1)}, "exceeds block gas limit"),
        ({"max_priority_fee": Wei(3 * 10**9 + 1)}, "max priority fee per gas higher than max fee per gas"),
        ({"chain_id": 1}, "invalid sender: invalid chain id for signer: have 1 want 31337"),
        ({"chain_id": 1, **LEGACY_FEES}, "invalid sender: invalid chain id for signer: have 1 want 31337"),
        ({"nonce": 2**64 - 1}, "nonce has max value"),
        ({"gas": Gas(20_000)}, "intrinsic gas too low: gas 20000, minimum needed 21000"),
        (
            {"gas": Gas(40_000), "data": b"\1" * 1_000},
            "insufficient gas for floor data gas cost: gas 40000, minimum needed 61000",
        ),
        (
            {"type": SET_CODE, "gas": Gas(50_000)},
            "set code tx must have at least one authorization tuple",
        ),
        (
            {"type": SET_CODE, "gas": Gas(45_999), "authorizations": (AUTHORIZATION,)},
            "intrinsic gas too low: gas 45999, minimum needed 46000",
        ),
        (
            {"data": bytes(131_072), "gas": Gas(10_000_000)},
            "oversized data: transaction size 131189, limit 131072",
        ),
    ],
)
def test_each_rule_refuses_with_geths_words(fields: dict[str, Any], words: str) -> None:
    assert refusal(transfer(**fields).raw) == words


def test_the_first_broken_rule_in_geths_order_is_the_one_named() -> None:
    everything: dict[str, Any] = {
        "to": None,
        "data": bytes(49_153),
        "gas": Gas(GAS_LIMIT + 1),
        "max_priority_fee": Wei(4 * 10**9),
        "chain_id": 1,
    }
    assert refusal(transfer(**everything).raw).startswith("max initcode size exceeded")
    everything["data"] = b""
    assert refusal(transfer(**everything).raw) == "exceeds block gas limit"
    everything["gas"] = Gas(1)
    assert refusal(transfer(**everything).raw).startswith("max priority fee per gas higher")
    everything["max_priority_fee"] = Wei(0)
    assert refusal(transfer(**everything).raw).startswith("invalid sender")
    everything["chain_id"] = CHAIN_ID
    assert refusal(transfer(**everything).raw).startswith("intrinsic gas too low")


def test_a_minimum_tip_is_kept_if_one_is_set() -> None:
    rules = Rules(CHAIN_ID, Fork.PRAGUE, Wei(5))
    words = "transaction gas price below minimum: gas tip cap 4, minimum needed 5"
    assert refusal(transfer(max_priority_fee=Wei(4)).raw, rules) == words
    assert check(transfer(max_priority_fee=Wei(0)), RULES, GAS_LIMIT) == ACCOUNTS[0]


def test_signatures_no_key_can_have_made_are_refused() -> None:
    signed = transfer()
    high_s = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 - signed.s
    words = "invalid sender: invalid transaction v, r, s values"
    for values in ({"s": high_s}, {"r": 0}, {"s": 0}, {"y_parity": 2}):
        assert refusal(sealed_with(values)) == words
    assert refusal(sealed_with({"r": 5, "s": 1})) == "invalid sender: recovery failed"  # no point has this x


def sealed_with(values: dict[str, int]) -> bytes:
    signed = transfer()
    for name, value in values.items():
        object.__setattr__(signed, name, value)
    return sealed(signed).raw


def test_set_code_transactions_wait_for_prague() -> None:
    raw = transfer(type=SET_CODE, gas=Gas(50_000), authorizations=(AUTHORIZATION,)).raw
    words = "transaction type not supported: type 4 rejected, pool not yet in Prague"
    assert refusal(raw, Rules(CHAIN_ID, Fork.CANCUN)) == words
    assert check(decode(raw), RULES, GAS_LIMIT) == ACCOUNTS[0]


def test_before_prague_calldata_has_no_floor() -> None:
    cheap = transfer(gas=Gas(40_000), data=b"\1" * 1_000)
    assert check(cheap, Rules(CHAIN_ID, Fork.CANCUN), GAS_LIMIT) == ACCOUNTS[0]


def test_every_type_without_blobs_is_taken() -> None:
    lists = (AccessListEntry(RECIPIENT, (1, 2)),)
    fees = {"max_fee": Wei(10**9), "max_priority_fee": Wei(10**9)}
    for fields in ({}, LEGACY_FEES, {"type": ACCESS_LIST, "access_list": lists, "gas": Gas(30_000), **fees}):
        raw = transfer(KEYS[1], **fields).raw
        assert check(decode(raw), RULES, GAS_LIMIT) == ACCOUNTS[1]


def test_presigned_transactions_without_a_chain_id_are_taken() -> None:
    sender = check(decode(PROXY_DEPLOYMENT), RULES, GAS_LIMIT)
    assert sender == Address(bytes.fromhex("3fab184622dc19b6109349b94811493bf2a45362"))
    assert decode_transaction(PROXY_DEPLOYMENT).chain_id is None


def test_osaka_caps_the_gas_of_a_transaction_below_any_blocks_limit() -> None:
    osaka, high = Rules(CHAIN_ID, Fork.OSAKA), Gas(MAX_TRANSACTION_GAS + 1)
    words = "transaction gas limit too high (cap: 16777216, tx: 16777217)"
    assert refusal(transfer(gas=high).raw, osaka) == words
    assert check(transfer(gas=MAX_TRANSACTION_GAS), osaka, GAS_LIMIT) == ACCOUNTS[0]
    assert check(transfer(gas=high), RULES, GAS_LIMIT) == ACCOUNTS[0]
