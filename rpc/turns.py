"""Work that takes much memory or time while it lasts: one at a time, and only so many wait for their turn."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rpc.errors import LimitExceeded


class Turns:
    """Hands out turns in the order in which they were asked for."""

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Lasts as long as the turn. Raises LimitExceeded, at once, where too many wait."""
        if self._waiting >= self._most_waiting:
            raise LimitExceeded(f"server busy: {self._most_waiting} requests like this one wait, try again")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
