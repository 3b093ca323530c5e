"""The unlocked accounts of the devnet: their keys sign what eth_sendTransaction, eth_sign and their kin ask for.

Everybody who reaches the port can use them. They are a devnet's, their keys are printed at start, and they are no
place for anything of value.
"""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from chain.keccak import keccak256
from chain.signing import address_of_private_key, sign
from chain.transactions import Transaction
from chain.types import Address, Hash32
from rpc.errors import ServerError
from rpc.ordered_turns import OrderedTurns
from rpc.typed_data import typed_data_digest

MAX_ACCOUNTS = 1_000


class UnknownAccount(ServerError):
    """The wallet has no key for the account."""

    def __init__(self) -> None:
        super().__init__("unknown account")


class AccountLocked(ServerError):
    def __init__(self) -> None:
        super().__init__("authentication needed: password or unlock")


class WrongPassword(ServerError):
    def __init__(self) -> None:
        super().__init__("could not decrypt key with given password")


class AccountExists(ServerError):
    def __init__(self) -> None:
        super().__init__("account already exists")


class TooManyAccounts(ServerError):
    def __init__(self) -> None:
        super().__init__(f"there are {MAX_ACCOUNTS} accounts: no more are kept here")


class Wallet:
    """Private keys of 32 bytes each, by their addresses, in the order given.

    An account that is added has a password and is locked: it signs while it is unlocked. Those given have none.
    """

    def __init__(self, private_keys: Sequence[bytes], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._passwords: dict[Address, str] = {}
        self._open_until: dict[Address, float] = {}
        """Of accounts with a password, when they lock themselves again, in seconds."""
        self._keys = {address_of_private_key(key): key for key in private_keys}
        self._turns = {address: OrderedTurns() for address in self._keys}
        self.impersonating = OrderedTurns()
        """As `sending`, for all accounts that are impersonated."""

    @property
    def accounts(self) -> tuple[Address, ...]:
        return tuple(self._keys)

    def sending(self, account: Address, password: str | None = None) -> OrderedTurns:
        """The turns to take the account's next nonce and pool the transaction that has it.

        Raises as `sign_transaction`.
        """
        self._key(account, password)
        return self._turns[account]

    def add(self, private_key: bytes, password: str) -> Address:
        """Raises AccountExists, TooManyAccounts."""
        account = address_of_private_key(private_key)
        if account in self._keys:
            raise AccountExists
        if len(self._keys) >= MAX_ACCOUNTS:
            raise TooManyAccounts
        self._keys[account], self._turns[account] = private_key, OrderedTurns()
        self._passwords[account], self._open_until[account] = password, 0.0
        return account

    def lock(self, account: Address) -> bool:
        """Whether it is locked: those without a password never are. Raises UnknownAccount."""
        self._known(account)
        if account not in self._passwords:
            return False
        self._open_until[account] = 0.0
        return True

    def unlock(self, account: Address, password: str, seconds: int | None) -> None:
        """For so long, None: for good. Raises UnknownAccount, WrongPassword."""
        self.check_password(account, password)
        if account in self._passwords:
            self._open_until[account] = inf if seconds is None else self._clock() + seconds

    def check_password(self, account: Address, password: str) -> None:
        """Any is right for an account without one. Raises UnknownAccount, WrongPassword."""
        self._known(account)
        if self._passwords.get(account, password) != password:
            raise WrongPassword

    def sign_transaction(self, account: Address, transaction: Transaction, password: str | None = None) -> Transaction:
        """With its password a locked account signs too, this once.

        Raises UnknownAccount, AccountLocked, WrongPassword.
        """
        return transaction.signed_with(self._key(account, password))

    def sign_text(self, account: Address, text: bytes, password: str | None = None) -> bytes:
        """The signature of a personal message (EIP-191, version E).

        Raises UnknownAccount, AccountLocked, WrongPassword.
        """
        return self._sign(account, text_digest(text), password)

    def sign_typed_data(self, account: Address, typed_data: Any) -> bytes:
        """The signature of typed structured data (EIP-712). Raises UnknownAccount, InvalidTypedData."""
        self._key(account)
        return self._sign(account, typed_data_digest(typed_data))

    def _known(self, account: Address) -> bytes:
        key = self._keys.get(account)
        if key is None:
            raise UnknownAccount
        return key

    def _key(self, account: Address, password: str | None = None) -> bytes:
        """Of an account that is unlocked, or whose password this is."""
        key = self._known(account)
        if password is not None:
            self.check_password(account, password)
        elif self._open_until.get(account, inf) <= self._clock():
            raise AccountLocked
        return key

    def _sign(self, account: Address, digest: Hash32, password: str | None = None) -> bytes:
        """65 bytes: r, s, and 27 or 28."""
        y_parity, r, s = sign(digest, self._key(account, password))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((27 + y_parity,))


def text_digest(text: bytes) -> Hash32:
    """What is signed of a personal message (EIP-191, version E)."""
    return keccak256(b"\x19Ethereum Signed Message:\n%d%b" % (len(text), text))
