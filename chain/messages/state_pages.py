"""The whole state, asked of storage a page at a time."""

from dataclasses import dataclass

from chain.accounts import Account
from chain.codec import message
from chain.types import Address, Hash32, Version


@message(72)
@dataclass(frozen=True, slots=True)
class ReadStatePage:
    """The next accounts of the whole state, by address, with their slots and codes. Answer: StatePage.

    `after` is where the page before ended, empty for the first one; a page has about `max_bytes`. Nobody has the whole
    state of a fork: there `of_what_is_here` asks for what was read or changed. `alone` leaves slots and codes out, `of`
    all accounts but one, and its code.
    """

    version: Version
    after: bytes
    max_bytes: int
    of_what_is_here: bool = False
    alone: bool = False
    of: Address | None = None


@dataclass(frozen=True, slots=True)
class AccountPart:
    """An account with some of its slots, or all of them. What has many slots comes in several such parts."""

    address: Address
    account: Account
    slots: tuple[tuple[int, int], ...]


@message(73)
@dataclass(frozen=True, slots=True)
class StatePage:
    """`codes` are those of its accounts, each once. `after` is where the next page goes on, empty at the end.

    `root` is that of the whole state. It is not the header's where operations have changed the state after the block.
    """

    root: Hash32
    accounts: tuple[AccountPart, ...]
    codes: tuple[bytes, ...]
    after: bytes
