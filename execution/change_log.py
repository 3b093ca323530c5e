"""Which keys changed when, so that a worker is told only what is new to it.

The log counts the changes of the whole run of the process; a *position* is such a count. It reaches back at least to
what storage has applied, because a worker that knows nothing needs all from there.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from chain.accounts import Account
from chain.types import Address
from execution.merged import MergedState
from execution.outcome import Slot, Writes

KEPT_CHANGES = 4096


@dataclass(slots=True)
class NewValues:
    """The values, now, of the keys that changed after some position.

    `counted` are the positions of the worker's own runs that were merged as they were: it has their values, which are
    not told again.
    """

    accounts: dict[Address, Account]
    slots: dict[Slot, int]
    cleared: tuple[Address, ...] = ()
    codes: tuple[bytes, ...] = ()
    counted: tuple[int, ...] = ()


class _Change(NamedTuple):
    """What was merged, whom its fee went to if there was one, and which worker ran it, where in its block."""

    writes: Writes
    beneficiary: Address | None
    worker: str
    place: int


class ChangeLog:
    """The writes since the oldest position that a worker may still stand at, in order."""

    def __init__(self, kept_changes: int = KEPT_CHANGES) -> None:
        self._kept_changes = kept_changes
        self._entries: deque[_Change] = deque()
        self._first = 0
        self.settled = 0

    @property
    def position(self) -> int:
        """The count of all changes so far."""
        return self._first + len(self._entries)

    def append(self, writes: Writes, beneficiary: Address | None, worker: str = "", index: int = -1) -> None:
        """A change was merged, its fee going to `beneficiary` unless that is None. If it is a run of a worker's: whose,
        and its position in the block.
        """
        self._entries.append(_Change(writes, beneficiary, worker, index))

    def settle(self, position: int) -> None:
        """Storage's base version contains the changes up to `position`; old entries may go."""
        self.settled = position
        while len(self._entries) > self._kept_changes and self._first < self.settled:
            self._entries.popleft()
            self._first += 1

    def reaches(self, position: int) -> bool:
        """Whether all changes after `position` are still here."""
        return position >= self._first

    def since(self, position: int, merged: MergedState, worker: str = "") -> NewValues:
        """The newest values of everything that changed after `position`, but for what the worker itself ran."""
        addresses: set[Address] = set()
        slots: dict[Slot, int] = {}
        cleared: dict[Address, int] = {}
        codes: dict[bytes, None] = {}
        counted: list[int] = []
        for at in range(position - self._first, len(self._entries)):
            writes, beneficiary, ran_by, index = self._entries[at]
            if beneficiary is not None:
                addresses.add(beneficiary)
            if ran_by and ran_by == worker:
                counted.append(index)
                continue
            addresses.update(writes.nonces, writes.balances, writes.codes, writes.touched)
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
            tuple(counted),
        )
