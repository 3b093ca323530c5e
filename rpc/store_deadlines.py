"""How long clients wait for a validator to store what they sent, by one timer for all of them."""

import asyncio
from collections.abc import Callable

from rpc.transaction_errors import NoRoomLeft, NoValidatorAnswered

STORE_TIMEOUT_S = 10.0
"""How long a client waits for a validator when none is there."""
FULL_DISK_TIMEOUT_S = 1.0
"""The same where they have no room to store anything: none will be back before somebody has made some."""


class StoreDeadlines:
    """Looks as often as `FULL_DISK_TIMEOUT_S` at those that wait, as long as there are any."""

    def __init__(self, lacks_room: Callable[[], bool]) -> None:
        self._lacks_room = lacks_room
        self._since: dict[asyncio.Future[None], float] = {}
        self._look: asyncio.TimerHandle | None = None

    async def wait(self, stored: "asyncio.Future[None]") -> None:
        """Wait for that future. Raises what it has, NoRoomLeft or NoValidatorAnswered."""
        if not stored.done():
            loop = asyncio.get_running_loop()
            self._since[stored] = loop.time()
            if self._look is None:
                self._look = loop.call_later(FULL_DISK_TIMEOUT_S, self._look_at_all)
        try:
            await stored
        finally:
            self._since.pop(stored, None)

    def _look_at_all(self) -> None:
        loop = asyncio.get_running_loop()
        now, lacks_room = loop.time(), self._lacks_room()
        for stored, since in self._since.items():
            if stored.done():
                continue
            if now - since >= STORE_TIMEOUT_S:
                stored.set_exception(NoValidatorAnswered(STORE_TIMEOUT_S))
            elif lacks_room and now - since >= FULL_DISK_TIMEOUT_S:
                stored.set_exception(NoRoomLeft())
        waiting = any(not stored.done() for stored in self._since)
        self._look = loop.call_later(FULL_DISK_TIMEOUT_S, self._look_at_all) if waiting else None
