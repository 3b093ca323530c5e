"""Telling others of executed blocks: each validator by requests that it acknowledges, each follower by news.

Everybody has a cursor of their own here and goes at their own pace; who was away goes on where they were.
"""

import asyncio
import logging

from chain.links import Link, LinkClosed, Peer, RequestFailed
from chain.types import BlockNumber
from execution.history import BlockNotStored, History

log = logging.getLogger("tandem.execution")

REPEATED_BLOCKS = 4
"""A validator that comes back may have lost the last few results it acknowledged."""
RETRY_AFTER_S = 0.5


class NewestBlock:
    """Wakes those who wait for a block newer than the one they know."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self) -> None:
        await self._moved.wait()


class ResultSender:
    """Sends one validator every result after those it acknowledged, one at a time."""

    def __init__(self, validator: Link, history: History, newest: NewestBlock) -> None:
        self._validator = validator
        self._history = history
        self._newest = newest
        self.acknowledged = BlockNumber(max(0, history.newest - REPEATED_BLOCKS))

    def reconnected(self) -> None:
        """Start again a few blocks back."""
        self.acknowledged = BlockNumber(max(0, self.acknowledged - REPEATED_BLOCKS))
        self._newest.moved()

    async def run(self) -> None:
        """Until cancelled, or until this side closes the link."""
        while True:
            number = BlockNumber(self.acknowledged + 1)
            if number > self._history.newest:
                await self._newest.wait()
                continue
            try:
                await self._send(number)
            except LinkClosed:
                return
            except RequestFailed as error:
                log.warning("a validator refused the result of block %d: %s", number, error)
                await asyncio.sleep(RETRY_AFTER_S)

    async def _send(self, number: BlockNumber) -> None:
        try:
            announcement = await self._history.get(number)
        except BlockNotStored:
            log.warning("the result of block %d is gone and cannot be sent again", number)
        else:
            await self._validator.request(announcement.result)
        if self.acknowledged == number - 1:
            self.acknowledged = number


class NewsFollower:
    """Pushes to one follower the news of every block after its cursor."""

    def __init__(self, peer: Peer, after: BlockNumber, history: History, newest: NewestBlock) -> None:
        self._peer = peer
        self._after = after
        self._history = history
        self._newest = newest

    async def run(self) -> None:
        """Until the peer is gone, or must follow anew."""
        while self._peer.open:
            number = BlockNumber(self._after + 1)
            if number > self._history.newest:
                await self._newest.wait()
                continue
            try:
                announcement = await self._history.get(number)
            except BlockNotStored:
                log.warning("the news of block %d is gone and cannot be pushed again", number)
            else:
                if not self._peer.push(announcement.news):
                    return
            self._after = number
            if not await self._taken():
                return

    async def _taken(self) -> bool:
        try:
            await self._peer.drained()
        except LinkClosed:
            return False
        return True
