"""How long clients wait for a validator to store what they sent, by one timer for all of them."""

import asyncio
from collections.abc import Callable, Sequence

from rpc.errors import RpcError
from rpc.transaction_errors import NoRoomLeft, NoValidatorAnswered

STORE_TIMEOUT_S = 10.0
"""How long a client waits for a validator when none is there."""
FULL_DISK_TIMEOUT_S = 1.0
"""The same where they have no room to store anything: none will be back before somebody has made some."""
TIMER_STEP_S = 0.002
"""Timers may be early by so much: uvloop's go by the millisecond."""

Since = dict["asyncio.Future[None]", float]
"""Since when somebody waits for each, the oldest first."""


class StoreDeadlines:
    """Wakes when the oldest has waited as long as it may, and looks for room as often as `FULL_DISK_TIMEOUT_S` while
    anybody has waited that long.
    """

    def __init__(self, lacks_room: Callable[[], bool]) -> None:
        self._lacks_room = lacks_room
        self._new: Since = {}
        self._old: Since = {}
        """Those that have waited for `FULL_DISK_TIMEOUT_S`."""
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, stored: "asyncio.Future[None]") -> None:
        """Wait for that future. Raises what it has, NoRoomLeft or NoValidatorAnswered."""
        self._begin(stored)
        try:
            await stored
        finally:
            self._end(stored)

    async def wait_for_all(self, every: "Sequence[asyncio.Future[None]]") -> list[RpcError | None]:
        """Wait for all of them, whose times begin now. What `wait` would raise for each."""
        for stored in every:
            self._begin(stored)
        failures: list[RpcError | None] = []
        try:
            for stored in every:
                try:
                    await stored
                except RpcError as failure:
                    failures.append(failure)
                else:
                    failures.append(None)
        finally:
            for stored in every:
                self._end(stored)
        return failures

    def _begin(self, stored: "asyncio.Future[None]") -> None:
        if stored.done():
            return
        loop = asyncio.get_running_loop()
        self._new[stored] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(FULL_DISK_TIMEOUT_S, self._expire)

    def _end(self, stored: "asyncio.Future[None]") -> None:
        self._new.pop(stored, None)
        self._old.pop(stored, None)

    def _expire(self) -> None:
        """Give up those whose time has passed, and set the timer for the next."""
        loop = asyncio.get_running_loop()
        passed = loop.time() + TIMER_STEP_S
        self._old.update(_taken(self._new, passed - FULL_DISK_TIMEOUT_S))
        if self._lacks_room():
            _fail(self._old, NoRoomLeft)
            self._old.clear()
        else:
            _fail(_taken(self._old, passed - STORE_TIMEOUT_S), lambda: NoValidatorAnswered(STORE_TIMEOUT_S))
        wakes = [since + FULL_DISK_TIMEOUT_S for since in _first(self._new)]
        wakes += [min(since + STORE_TIMEOUT_S, passed + FULL_DISK_TIMEOUT_S) for since in _first(self._old)]
        self._timer = loop.call_at(min(wakes), self._expire) if wakes else None


def _first(since: Since) -> list[float]:
    """The oldest one's, if there is any."""
    return [next(iter(since.values()))] if since else []


def _taken(since: Since, until: float) -> Since:
    """Take out those that wait since then or longer."""
    taken: Since = {}
    for stored, begun in since.items():
        if begun > until:
            break
        taken[stored] = begun
    for stored in taken:
        del since[stored]
    return taken


def _fail(waiting: Since, error: Callable[[], Exception]) -> None:
    for stored in waiting:
        if not stored.done():
            stored.set_exception(error())
