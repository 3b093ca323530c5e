"""Telling others of executed blocks: each validator by requests that it acknowledges, each follower by news.

Everybody goes at their own pace, from a cursor that is theirs: a validator answers each result with the newest that its
store holds, a follower names its newest block when it begins to follow.
"""

import asyncio
import logging
from collections.abc import Callable

from chain.links import Link, LinkClosed, Peer, RequestFailed
from chain.messages.mempool import ResultsTaken
from chain.types import Height, ValidatorIndex
from execution.history import BlockNotStored, History
from execution.reader import UnexpectedAnswer

log = logging.getLogger("tandem.execution")

RETRY_AFTER_S = 0.5


class Progress:
    """Wakes those who wait for something to have happened, such as a block newer than the one they know."""

    def __init__(self) -> None:
        self._moved = asyncio.Event()

    def moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self) -> None:
        await self._moved.wait()


class ResultSender:
    """Sends one validator every result that it lacks, in order and one at a time.

    Which those are, the validator says: at every connection it is sent the newest result, and its answer tells where to
    go on from. Nobody else waits for one that has many to catch up with.
    """

    def __init__(
        self,
        index: ValidatorIndex,
        validator: Link,
        history: History,
        newest: Progress,
        trouble: Callable[[str], None],
    ) -> None:
        self._index = index
        self._validator = validator
        self._history = history
        self._newest = newest
        self._trouble = trouble
        self._next = history.newest
        self._connections = 0

    def connected(self) -> None:
        """It may be another life of the validator, which knows less: ask it by the newest result."""
        self._next = self._history.newest
        self._connections += 1
        self._newest.moved()

    async def run(self) -> None:
        """Until cancelled, or until this side closes the link."""
        while True:
            height, connection = Height(max(self._next, 1)), self._connections
            if height > self._history.newest:
                await self._newest.wait()
                continue
            try:
                taken = await self._send(height)
            except LinkClosed:
                return
            except RequestFailed as error:
                log.warning("validator %d refused the result of height %d: %s", self._index, height, error)
                await asyncio.sleep(RETRY_AFTER_S)
            except BlockNotStored as error:
                await self._give_up(error)
            else:
                if connection == self._connections:
                    self._next = Height(min(taken, height) + 1)

    async def _send(self, height: Height) -> Height:
        """The newest result that the validator has then."""
        announcement = await self._history.get(height)
        answer = await self._validator.request(announcement.result)
        if not isinstance(answer, ResultsTaken):
            raise UnexpectedAnswer("ResultsTaken", answer)
        return answer.newest

    async def _give_up(self, error: BlockNotStored) -> None:
        """Until the validator connects again, perhaps with another store."""
        connection = self._connections
        self._trouble(
            f"validator {self._index} lacks the result of height {error.height}, which cannot be made again because "
            "storage does not hold its block: until the data folder is restored from a backup, or the chain is begun "
            "anew in an empty one, this validator cannot vote"
        )
        while connection == self._connections:
            await self._newest.wait()


class NewsFollower:
    """Pushes to one follower the news of every height after its cursor."""

    def __init__(self, peer: Peer, after: Height, history: History, newest: Progress) -> None:
        self._peer = peer
        self._after = after
        self._history = history
        self._newest = newest

    async def run(self) -> None:
        """Until the peer is gone, or must follow anew."""
        while self._peer.open:
            height = Height(self._after + 1)
            if height > self._history.newest:
                await self._newest.wait()
                continue
            try:
                announcement = await self._history.get(height)
            except BlockNotStored:
                log.warning("the news of height %d is gone and cannot be pushed again", height)
            else:
                if announcement.news is not None and not self._peer.push(announcement.news):
                    return
            self._after = height
            if not await self._taken():
                return

    async def _taken(self) -> bool:
        try:
            await self._peer.drained()
        except LinkClosed:
            return False
        return True
