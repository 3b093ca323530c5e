"""Reads from the remote chain into the store: each value once, those wanted in one turn of the event loop together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from chain.types import Address, Version
from storage.forked_state import ForkedState, base_records
from storage.remote import RemoteChain, Slot

MAX_TOGETHER = 2_048
"""Values asked for at once; the client cuts that into batches."""

Name = Address | Slot


@dataclass(eq=False)
class _Reading:
    accounts: dict[Address, None] = field(default_factory=dict)
    slots: dict[Slot, None] = field(default_factory=dict)
    task: "asyncio.Task[None] | None" = None

    @property
    def size(self) -> int:
        return len(self.accounts) + len(self.slots)


class RemoteReads:
    """Fills `state` from the remote. `keep` writes records to the store at once."""

    def __init__(
        self, remote: RemoteChain, state: ForkedState, keep: Callable[[dict[bytes, bytes | None]], None]
    ) -> None:
        self._remote = remote
        self._state = state
        self._keep = keep
        self._under_way: dict[Name, _Reading] = {}
        self._gathering: _Reading | None = None

    async def ensure(self, accounts: tuple[Address, ...], slots: tuple[Slot, ...], version: Version) -> None:
        """Return when all of these can be read at `version`. Raises RemoteError, DiskFull."""
        unread_accounts, unread_slots = self._state.unread(accounts, slots, version)
        if not unread_accounts and not unread_slots:
            return
        readings = dict.fromkeys(
            [
                *(self._reading_of(address) for address in unread_accounts),
                *(self._reading_of(slot) for slot in unread_slots),
            ]
        )
        for reading in readings:
            assert reading.task is not None
            await asyncio.shield(reading.task)

    async def close(self) -> None:
        """End what is under way; whoever waits for it is cancelled."""
        tasks = {reading.task for reading in self._under_way.values() if reading.task is not None}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reading_of(self, name: Name) -> _Reading:
        reading = self._under_way.get(name)
        if reading is not None:
            return reading
        reading = self._gathering
        if reading is None or reading.size >= MAX_TOGETHER:
            reading = self._gathering = _Reading()
            reading.task = asyncio.create_task(self._read(reading))
            reading.task.add_done_callback(_heard)
        if isinstance(name, bytes):
            reading.accounts[name] = None
        else:
            reading.slots[name] = None
        self._under_way[name] = reading
        return reading

    async def _read(self, reading: _Reading) -> None:
        """Begins in the next turn of the loop, with all that was asked for until then."""
        if self._gathering is reading:
            self._gathering = None
        accounts, slots = tuple(reading.accounts), tuple(reading.slots)
        try:
            values = await self._remote.state(accounts, slots)
            self._keep(base_records(accounts, slots, values))
        finally:
            for address in accounts:
                del self._under_way[address]
            for slot in slots:
                del self._under_way[slot]


def _heard(task: "asyncio.Task[None]") -> None:
    """Those who waited were told of a failure; if none waits any more, nobody needs to be."""
    if not task.cancelled():
        task.exception()
