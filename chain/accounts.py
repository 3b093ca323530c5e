"""An account of the state, and the state keys that transactions read and write."""

from dataclasses import dataclass

from chain import rlp
from chain.keccak import EMPTY_HASH
from chain.merkle import EMPTY_ROOT
from chain.types import Address, Hash32, Wei


@dataclass(frozen=True, slots=True)
class Account:
    """Nonce, balance and code of an account. Its storage lives under keys of its own, its storage root in the trie."""

    nonce: int = 0
    balance: Wei = Wei(0)
    code_hash: Hash32 = EMPTY_HASH

    @property
    def is_empty(self) -> bool:
        """No nonce, no balance, no code: such an account does not exist (EIP-161)."""
        return self.nonce == 0 and self.balance == 0 and self.code_hash == EMPTY_HASH

    def trie_value(self, storage_root: Hash32 = EMPTY_ROOT) -> bytes:
        """The account as the state trie holds it."""
        return rlp.encode_list(
            [
                rlp.encode_int(self.nonce),
                rlp.encode_int(self.balance),
                b"\xa0" + storage_root,
                b"\xa0" + (EMPTY_HASH if self.code_hash == THERE_WITHOUT_CODE else self.code_hash),
            ]
        )


EMPTY_ACCOUNT = Account()

THERE_WITHOUT_CODE = Hash32(bytes(32))
"""The code hash of an account that is there although it is empty, which no rules since EIP-161 make: so it differs from
one that is not there, and counts as not empty. In a trie it stands as the hash of no code."""

WITHOUT_CODE = frozenset((EMPTY_HASH, THERE_WITHOUT_CODE))
"""The code hashes of accounts that have no code."""


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What a block (or genesis) does to one account.

    `account` is the state after it; an empty one removes the account (EIP-161). `slots` maps each changed slot to its
    new value, 0 for cleared. `clears_storage` says that everything stored before is gone first (a self-destruct or a
    creation over old storage), and the slots given are all there is. `code` is given when it changed.
    """

    address: Address
    account: Account
    slots: dict[int, int]
    clears_storage: bool = False
    code: bytes | None = None
