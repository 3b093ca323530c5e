"""Which keys changed when, so that a worker is told only what is new to it.

The log counts the changes of the whole run of the process; a *position* is such a count. It reaches back at least to
what storage has applied, because a worker that knows nothing needs all from there.
"""

from collections import deque
from dataclasses import dataclass

from chain.accounts import Account
from chain.types import Address
from execution.merged import MergedState
from execution.outcome import Slot, Writes

KEPT_CHANGES = 4096


@dataclass(slots=True)
class NewValues:
    """The values, now, of all keys that changed after some position."""

    accounts: dict[Address, Account]
    slots: dict[Slot, int]
    cleared: tuple[Address, ...] = ()
    codes: tuple[bytes, ...] = ()


class ChangeLog:
    """The writes since the oldest position that a worker may still stand at, in order."""

    def __init__(self, kept_changes: int = KEPT_CHANGES) -> None:
        self._kept_changes = kept_changes
        self._entries: deque[tuple[Writes, Address | None]] = deque()
        self._first = 0
        self.settled = 0

    @property
    def position(self) -> int:
        """The count of all changes so far."""
        return self._first + len(self._entries)

    def append(self, writes: Writes, beneficiary: Address | None) -> None:
        """A change was merged, its fee going to `beneficiary` unless that is None."""
        self._entries.append((writes, beneficiary))

    def settle(self, position: int) -> None:
        """Storage's base version contains the changes up to `position`; old entries may go."""
        self.settled = position
        while len(self._entries) > self._kept_changes and self._first < self.settled:
            self._entries.popleft()
            self._first += 1

    def reaches(self, position: int) -> bool:
        """Whether all changes after `position` are still here."""
        return position >= self._first

    def since(self, position: int, merged: MergedState) -> NewValues:
        """The newest values of everything that changed after `position`."""
        addresses: set[Address] = set()
        slots: dict[Slot, int] = {}
        cleared: dict[Address, int] = {}
        codes: dict[bytes, None] = {}
        for at in range(position - self._first, len(self._entries)):
            writes, beneficiary = self._entries[at]
            addresses.update(writes.nonces, writes.balances, writes.codes, writes.touched)
            if beneficiary is not None:
                addresses.add(beneficiary)
            slots.update(dict.fromkeys(writes.slots, at))
            if writes.cleared:
                cleared.update(dict.fromkeys(writes.cleared, at))
            if writes.codes:
                codes.update(dict.fromkeys(writes.codes.values()))
        return NewValues(
            {address: merged.account(address) for address in addresses},
            {key: merged.slot(*key) for key, at in slots.items() if at >= cleared.get(key[0], 0)},
            tuple(cleared),
            tuple(codes),
        )
