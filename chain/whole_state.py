"""The newest state of a small chain, held whole, so that a value nobody asked for before needs no question either.

Who reads single values of storage pays for the pages of the state by and by: one page for as many reads as it costs.
Once there is no more to read, what is not here does not exist. From then on the first read at a later version is
answered together with what has changed since, so the state is followed without being read again. Pure: requests out,
answers in.
"""

from chain.accounts import EMPTY_ACCOUNT, Account
from chain.messages.state_pages import AccountPart, ReadStatePage, StatePage
from chain.messages.storage import ChangedValues
from chain.types import Address, Version

MAX_VALUES = 16_384
"""Accounts and slots; a larger state is not held. Some 4 MB."""
READS_A_PAGE = 16
PAGE_BYTES = 8_192
"""Some 80 accounts, a millisecond or two of storage."""

Slot = tuple[Address, int]


class WholeState:
    """All accounts and slots at one version, once it is complete. A state that is too large is never complete."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._accounts: dict[Address, Account] = {}
        self._slots: dict[Slot, int] = {}
        self._version: Version | None = None
        """None until the first page is asked for."""
        self._newest = Version(0)
        """The newest version that was read."""
        self._after = b""
        self._complete = False
        self._reads = 0
        self._is_reading = False
        self._is_hopeless = False

    def covers(self, version: Version) -> bool:
        """Whether every value at the version is here."""
        return self._complete and version == self._version

    def account(self, address: Address) -> Account:
        """Of a version that is covered."""
        return self._accounts.get(address, EMPTY_ACCOUNT)

    def slot(self, address: Address, number: int) -> int:
        """Of a version that is covered."""
        return self._slots.get((address, number), 0)

    def since(self, version: Version) -> Version | None:
        """What a read at the version is to bring along: the changes since the one returned, if any."""
        known = self._version
        return known if self._complete and known is not None and known < version else None

    def follow(self, since: Version, version: Version, changes: ChangedValues | None) -> None:
        """Take what a read brought along. None: there is too much of it, or nobody knows any more."""
        if not self._complete or since != self._version:  # another read was faster
            return
        if changes is None:
            self._begin_anew()
            return
        for address, account in changes.accounts:
            self._put_account(address, account)
        for address, number, value in changes.slots:
            self._put_slot((address, number), value)
        self._version = version
        self._bound()

    def next_page(self, version: Version) -> ReadStatePage | None:
        """Count a read at a version that was not covered. Gives the page to read if enough of them have paid for it.

        Reads of older versions than the newest one pay for nothing. Answer with `take` or `give_up`; until then no
        other page is asked for.
        """
        if self._complete or self._is_reading or self._is_hopeless or version < self._newest:
            return None
        self._newest = version
        self._reads += 1
        if self._reads < READS_A_PAGE:
            return None
        self._reads = 0
        self._is_reading = True
        if self._version is None:
            self._version = version
        return ReadStatePage(self._version, self._after, PAGE_BYTES)

    def take(self, page: StatePage) -> None:
        """The page that was asked for."""
        self._is_reading = False
        for part in page.accounts:
            self._take_part(part)
        self._after = page.after
        self._complete = not page.after
        self._bound()

    def give_up(self, for_good: bool) -> None:
        """The page cannot be had: at this version, or `for_good`."""
        self._begin_anew()
        self._is_hopeless = for_good

    def _take_part(self, part: AccountPart) -> None:
        self._put_account(part.address, part.account)
        for number, value in part.slots:
            self._put_slot((part.address, number), value)

    def _put_account(self, address: Address, account: Account) -> None:
        if account == EMPTY_ACCOUNT:
            self._accounts.pop(address, None)
        else:
            self._accounts[address] = account

    def _put_slot(self, slot: Slot, value: int) -> None:
        if value:
            self._slots[slot] = value
        else:
            self._slots.pop(slot, None)

    def _bound(self) -> None:
        if len(self._accounts) + len(self._slots) > self._max_values:
            self.give_up(for_good=True)

    def _begin_anew(self) -> None:
        self._accounts, self._slots = {}, {}
        self._version, self._after = None, b""
        self._complete = self._is_reading = False
        self._reads = 0
