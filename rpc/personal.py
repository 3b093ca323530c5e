"""personal_*, as geth had it and ganache has it: accounts with passwords, in memory until this process ends.

The chain's own accounts have no password and stay unlocked, or one client could take them from all others.
"""

import secrets
from typing import Any

from chain.signing import InvalidSignature, address_of_private_key, recover
from chain.types import SIGNATURE_BYTES, Address
from rpc.dev_method import small_number
from rpc.errors import InvalidParams, ServerError
from rpc.methods import Node, method, optional
from rpc.params import HEX_DIGITS, InvalidValue, address, data, text
from rpc.render import JsonObject, data_json
from rpc.sending import accounts, send_transaction, sender_of, sign_transaction
from rpc.transaction_arguments import TransactionArguments, transaction_arguments
from rpc.wallet import text_digest

UNLOCKED_S = 300
"""As long as geth's."""
MAX_PASSWORD_CHARACTERS = 1_024
"""Passwords are kept: without a limit a thousand accounts would fill the memory."""


def private_key(value: Any) -> bytes:
    """32 bytes in hex, with 0x or without."""
    digits = text(value).removeprefix("0x")
    if len(digits) != 64 or not HEX_DIGITS.issuperset(digits):
        raise InvalidValue("a private key is 64 hex digits")
    key = bytes.fromhex(digits)
    try:
        address_of_private_key(key)
    except ValueError:
        raise InvalidValue("no private key of secp256k1: it is 0 or above the curve's order") from None
    return key


def password_text(value: Any) -> str:
    password = text(value)
    if len(password) > MAX_PASSWORD_CHARACTERS:
        raise InvalidValue(f"a password has at most {MAX_PASSWORD_CHARACTERS} characters: this one has {len(password)}")
    return password


def signature(value: Any) -> bytes:
    signed = data(value)
    if len(signed) != SIGNATURE_BYTES:
        raise InvalidValue(f"signature must be {SIGNATURE_BYTES} bytes long")
    return signed


@method("personal_listAccounts")
async def list_accounts(node: Node) -> list[str | None]:
    return await accounts(node)


@method("personal_newAccount", optional(password_text, ""))
async def new_account(node: Node, password: str) -> str:
    """An account that nobody has had; locked, as `personal_importRawKey` leaves one."""
    return data_json(node.wallet.add(private_key(secrets.token_hex(32)), password))


@method("personal_importRawKey", private_key, optional(password_text, ""))
async def import_key(node: Node, key: bytes, password: str) -> str:
    return data_json(node.wallet.add(key, password))


@method("personal_unlockAccount", address, optional(password_text, ""), optional(small_number, UNLOCKED_S))
async def unlock_account(node: Node, account: Address, password: str, seconds: int) -> bool:
    """For so many seconds; for good with 0."""
    node.wallet.unlock(account, password, seconds or None)
    return True


@method("personal_lockAccount", address)
async def lock_account(node: Node, account: Address) -> bool:
    """Whether it is locked now."""
    return node.wallet.lock(account)


@method("personal_sendTransaction", transaction_arguments, optional(password_text, ""))
async def personal_send(node: Node, wanted: TransactionArguments, password: str) -> str:
    """As eth_sendTransaction; the account may be locked."""
    node.wallet.check_password(sender_of(node, wanted), password)
    return await send_transaction(node, wanted, password)


@method("personal_signTransaction", transaction_arguments, optional(password_text, ""))
async def personal_sign_transaction(node: Node, wanted: TransactionArguments, password: str) -> JsonObject:
    node.wallet.check_password(sender_of(node, wanted), password)
    return await sign_transaction(node, wanted, password)


@method("personal_ecRecover", data, signature)
async def recover_signer(node: Node, message: bytes, signed: bytes) -> str:
    """Who signed the message with personal_sign."""
    if signed[64] not in (27, 28):
        raise ServerError("invalid Ethereum signature (V is not 27 or 28)")
    r, s = int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:64], "big")
    try:
        return data_json(recover(text_digest(message), signed[64] - 27, r, s, any_s=True))
    except InvalidSignature as error:
        raise InvalidParams(str(error)) from None
