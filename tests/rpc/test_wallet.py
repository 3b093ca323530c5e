"""The unlocked accounts' signatures, held against eth_account and the example of EIP-712."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from chain.keccak import keccak256
from chain.signing import address_of_private_key
from chain.types import ZERO_ADDRESS, Address
from rpc.typed_data import InvalidTypedData
from rpc.wallet import UnknownAccount, Wallet
from tests.rpc.small_chain import ACCOUNTS, KEYS, transfer

COW = keccak256(b"cow")
"""The key of EIP-712's example."""

FOUNDRY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
DOMAIN_SIGNATURE = (
    "da87197eb020923476a6d0149ca90bc1c894251cc30b38e0dd2cdd48567e1238"
    "6d3ed40a509397410a4fd2d66e1300a39ac42f828f8a5a2cb948b35c22cf29e8"
    "1c"
)

MAIL: dict[str, Any] = {
    "types": {
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "contents", "type": "string"},
        ],
    },
    "primaryType": "Mail",
    "domain": {
        "name": "Ether Mail",
        "version": "1",
        "chainId": 1,
        "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
    },
    "message": {
        "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
        "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
        "contents": "Hello, Bob!",
    },
}
MAIL_SIGNATURE = (
    "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
    "1c"
)
"""v, r and s of the example in EIP-712."""


def test_accounts_are_in_the_order_of_the_keys() -> None:
    assert Wallet(KEYS).accounts == tuple(ACCOUNTS)


@pytest.mark.parametrize("text", [b"", b"hello", "grüezi".encode(), bytes(300)])
def test_messages_are_signed_as_eth_account_signs_them(text: bytes) -> None:
    expected = Account.sign_message(encode_defunct(text), KEYS[0]).signature
    assert Wallet(KEYS).sign_text(ACCOUNTS[0], text) == expected


def test_transactions_are_signed_as_eth_account_signs_them() -> None:
    unsigned = transfer(nonce=7)
    fields = {
        "type": 2,
        "chainId": 31337,
        "nonce": 7,
        "maxFeePerGas": unsigned.max_fee,
        "maxPriorityFeePerGas": unsigned.max_priority_fee,
        "gas": unsigned.gas,
        "to": unsigned.to,
        "value": unsigned.value,
        "data": b"",
    }
    expected = Account.sign_transaction(fields, KEYS[1])
    signed = Wallet(KEYS).sign_transaction(ACCOUNTS[1], unsigned)
    assert signed.raw == expected.raw_transaction
    assert signed.hash == expected.hash


@pytest.mark.parametrize("given", [MAIL, json.dumps(MAIL)])
def test_typed_data_is_signed_as_in_the_example_of_eip_712(given: Any) -> None:
    cow = address_of_private_key(COW)
    assert cow == Address(bytes.fromhex("cd2a3d9f938e13cd947ec05abc7fe734df8dd826"))
    assert Wallet([COW]).sign_typed_data(cow, given).hex() == MAIL_SIGNATURE


def test_types_that_the_primary_one_does_not_lead_to_change_nothing() -> None:
    """As in wallets and geth: dapps send all types that they have."""
    more = {**MAIL["types"], "Letters": [{"name": "all", "type": "Mail[2]"}], "Other": [{"name": "it", "type": "bool"}]}
    wallet, cow = Wallet([COW]), address_of_private_key(COW)
    assert wallet.sign_typed_data(cow, {**MAIL, "types": more}).hex() == MAIL_SIGNATURE


def test_a_domain_alone_is_signed_as_metamask_does_it() -> None:
    """Of nothing but the domain's hash (its eth-sig-util); anvil 1.7.1 gave this signature."""
    given = {"types": {"EIP712Domain": []}, "domain": {}, "primaryType": "EIP712Domain"}
    assert Wallet([FOUNDRY]).sign_typed_data(address_of_private_key(FOUNDRY), given).hex() == DOMAIN_SIGNATURE


@pytest.mark.parametrize("given", [{}, [], 5, "no json", {**MAIL, "primaryType": "Letter"}, {**MAIL, "message": 5}])
def test_what_is_no_typed_data_is_refused(given: Any) -> None:
    with pytest.raises(InvalidTypedData, match=r"^invalid typed data: "):
        Wallet(KEYS).sign_typed_data(ACCOUNTS[0], given)


def of_values(type_name: str, value: Any) -> dict[str, Any]:
    types = {"Values": [{"name": "values", "type": type_name}]}
    return {"types": types, "primaryType": "Values", "domain": {}, "message": {"values": value}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (5, "it is a number, not an object"),
        ({}, "it has no types"),
        ({**MAIL, "types": None}, "types is null or missing, not an object"),
        ({**MAIL, "types": {"Mail": [{"name": "to"}]}}, "types.Mail[0].type is null or missing, not a string"),
        ({**MAIL, "primaryType": []}, "primaryType is a list, not a string"),
        ({**MAIL, "domain": "x"}, "domain is a string, not an object"),
        ({**MAIL, "message": {"from": 5}}, "message.from is a number, not an object"),
        ({**MAIL, "domain": {**MAIL["domain"], "chainId": "x"}}, 'domain.chainId is "x", which is no uint256'),
        (of_values("uint8", 256), "message.values is 256, which is no uint8"),
        (of_values("int16", -(2**15) - 1), "message.values is -32769, which is no int16"),
        (of_values("uint256", True), "message.values is true, which is no uint256"),
        (of_values("address", "0x1"), 'message.values is "0x1", which is no address'),
        (of_values("bytes4", "0x0102030405"), 'message.values is "0x0102030405", which is no bytes4'),
        (of_values("uint256[2]", [1]), "message.values has 1 values, not 2"),
        (of_values("int8[][]", [[1], [2, 200]]), "message.values[1][1] is 200, which is no int8"),
        ({**MAIL, "message": {"contents": {}}}, "a value of the domain or the message does not fit its type"),
    ],
)
def test_what_is_wrong_with_typed_data_is_named(given: Any, words: str) -> None:
    with pytest.raises(InvalidTypedData, match=f"^{re.escape('invalid typed data: ' + words)}$"):
        Wallet(KEYS).sign_typed_data(ACCOUNTS[0], given)


def test_an_account_without_a_key_is_unknown() -> None:
    wallet = Wallet(KEYS)
    for sign in (
        lambda: wallet.sign_text(ZERO_ADDRESS, b""),
        lambda: wallet.sign_transaction(ZERO_ADDRESS, transfer()),
        lambda: wallet.sign_typed_data(ZERO_ADDRESS, {}),
        lambda: wallet.sending(ZERO_ADDRESS),
    ):
        with pytest.raises(UnknownAccount, match=r"^unknown account$"):
            sign()


def test_the_library_for_typed_data_is_loaded_on_first_use_only() -> None:
    program = "import sys, rpc.process; assert not {'eth_account', 'eth_abi', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
