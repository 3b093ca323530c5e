"""Checks of raw transactions, so many in one turn of the event loop, in the order in which they came.

One right after the other they take 85 us each instead of 98 where what becomes of one comes before the next; but a
thousand at once would keep everybody else waiting. Two batches do not take turns with each other: of one sender's
transactions those in the later batches would wait behind a gap, and so many may not.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from chain.messages.mempool import PooledTransaction

MAX_IN_A_TURN = 64

Checked: TypeAlias = tuple[PooledTransaction, bool] | Exception
"""What may enter whatever the state is, and whether it is impersonated; or why it may not."""


class ChecksInTurns:
    """Whoever asks gets what `check` makes of each, in their turn."""

    def __init__(self, check: Callable[[Sequence[bytes]], list[Checked]]) -> None:
        self._check = check
        self._waiting: deque[tuple[Sequence[bytes], asyncio.Future[list[Checked]]]] = deque()
        self.are_under_way = False
        """Until whoever asked has been told, and has had a turn to go on."""

    async def checked(self, raws: Sequence[bytes]) -> list[Checked]:
        """What is found out about at most `MAX_IN_A_TURN` of them."""
        loop = asyncio.get_running_loop()
        if not self.are_under_way:
            self.are_under_way = True
            loop.call_soon(self._take_turn)
        found: asyncio.Future[list[Checked]] = loop.create_future()
        self._waiting.append((raws, found))
        return await found

    def _take_turn(self) -> None:
        self.are_under_way = bool(self._waiting)
        count = 0
        while self._waiting and (not count or count + len(self._waiting[0][0]) <= MAX_IN_A_TURN):
            raws, found = self._waiting.popleft()
            if not found.done():
                found.set_result(self._check(raws))
                count += len(raws)
        if self.are_under_way:
            asyncio.get_running_loop().call_soon(self._take_turn)
