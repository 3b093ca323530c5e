"""Turns given out in the order in which they were asked for, to those who do something else before they take theirs."""

import asyncio
import contextlib
from collections.abc import Iterator


class OrderedTurns:
    """Whoever holds a place may prepare meanwhile, and waits only for those before it when its turn comes."""

    def __init__(self) -> None:
        self._last: asyncio.Future[None] | None = None

    @contextlib.contextmanager
    def place(self) -> Iterator["Place"]:
        """The next place. It is given up at the end of the block, whether its turn came or not."""
        place = Place(self._last)
        self._last = place.over
        try:
            yield place
        finally:
            place.give_up()

    async def all_over(self, limit_s: float) -> None:
        """Wait until everybody who has a place has given it up, at most `limit_s`."""
        if self._last is not None and not self._last.done():
            await asyncio.wait((self._last,), timeout=limit_s)


class Place:
    """One place in a sequence."""

    def __init__(self, before: asyncio.Future[None] | None) -> None:
        self._before = before
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def turn(self) -> None:
        """Wait until everybody before has had its turn or has given up."""
        if self._before is not None and not self._before.done():
            await asyncio.shield(self._before)

    def give_up(self) -> None:
        if self._before is None or self._before.done():
            self.over.set_result(None)
        else:
            self._before.add_done_callback(lambda _: self.over.set_result(None))
