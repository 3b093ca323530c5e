"""What storage is asked to prove, and answers."""

from dataclasses import dataclass

from chain.accounts import Account, AccountChange
from chain.codec import message
from chain.types import Address, Hash32, Version


@message(70)
@dataclass(frozen=True, slots=True)
class ReadProof:
    """An account and some of its slots, with the trie nodes that prove them. Answer: Proof, slots in the same order.

    `changes` are worked into the state first, and written nowhere.
    """

    version: Version | None
    address: Address
    slots: tuple[int, ...]
    changes: tuple[AccountChange, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotProof:
    """A slot's value, and the nodes from the account's storage root that prove it (or that it is zero)."""

    number: int
    value: int
    nodes: tuple[bytes, ...]


@message(71)
@dataclass(frozen=True, slots=True)
class Proof:
    """An account, and the nodes from the state root that prove it (or that there is none)."""

    account: Account
    storage_root: Hash32
    nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]
