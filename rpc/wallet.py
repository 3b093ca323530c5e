"""The unlocked accounts of the devnet: their keys sign what eth_sendTransaction, eth_sign and their kin ask for.

Everybody who reaches the port can use them. They are a devnet's, their keys are printed at start, and they are no
place for anything of value.
"""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from chain.keccak import keccak256
from chain.signing import address_of_private_key, sign
from chain.transactions import Transaction
from chain.types import Address, Hash32
from rpc.errors import InvalidParams, ServerError
from rpc.ordered_turns import OrderedTurns


class UnknownAccount(ServerError):
    """The wallet has no key for the account."""

    def __init__(self) -> None:
        super().__init__("unknown account")


class InvalidTypedData(InvalidParams):
    """Not the typed structured data of EIP-712."""

    def __init__(self, why: str) -> None:
        super().__init__(f"invalid typed data: {why}")


class Wallet:
    """Private keys of 32 bytes each, by their addresses, in the order given."""

    def __init__(self, private_keys: Sequence[bytes]) -> None:
        self._keys = {address_of_private_key(key): key for key in private_keys}
        self._turns = {address: OrderedTurns() for address in self._keys}
        self.impersonating = OrderedTurns()
        """As `sending`, for all accounts that are impersonated."""

    @property
    def accounts(self) -> tuple[Address, ...]:
        return tuple(self._keys)

    def sending(self, account: Address) -> OrderedTurns:
        """The turns to take the account's next nonce and pool the transaction that has it. Raises UnknownAccount."""
        self._key(account)
        return self._turns[account]

    def sign_transaction(self, account: Address, transaction: Transaction) -> Transaction:
        """Raises UnknownAccount."""
        return transaction.signed_with(self._key(account))

    def sign_text(self, account: Address, text: bytes) -> bytes:
        """The signature of a personal message (EIP-191, version E). Raises UnknownAccount."""
        return self._sign(account, keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(text), text)))

    def sign_typed_data(self, account: Address, typed_data: Any) -> bytes:
        """The signature of typed structured data (EIP-712). Raises UnknownAccount, InvalidTypedData."""
        self._key(account)
        return self._sign(account, typed_data_digest(typed_data))

    def _key(self, account: Address) -> bytes:
        key = self._keys.get(account)
        if key is None:
            raise UnknownAccount
        return key

    def _sign(self, account: Address, digest: Hash32) -> bytes:
        """65 bytes: r, s, and 27 or 28."""
        y_parity, r, s = sign(digest, self._key(account))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((27 + y_parity,))


def typed_data_digest(typed_data: Any) -> Hash32:
    """What is signed of typed data, given as an object or as its JSON text. Raises InvalidTypedData."""
    # Imported on first use: it takes half a second, and few chains ever sign typed data in the node.
    from eth_account.messages import encode_typed_data

    try:
        message = _parsed(typed_data) if isinstance(typed_data, str) else typed_data
        signable = encode_typed_data(full_message=message)
    except Exception as error:  # eth_account, eth_abi, json and orjson each raise their own kinds for malformed input
        raise InvalidTypedData(str(error) or type(error).__name__) from error
    return keccak256(b"\x19" + signable.version + signable.header + signable.body)


def _parsed(text: str) -> Any:
    """JSON with whole numbers of any size, which orjson would make floats of.

    Its depth is orjson's to judge: json's parser overflows the stack, since py_ecc lifts Python's recursion limit.
    """
    orjson.loads(text)
    return json.loads(text)
