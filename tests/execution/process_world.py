"""One execution process and everybody around it: validators, followers, storage in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.execution import BlockNews
from chain.messages.mempool import BlockResult, Committed, FollowCommits, ResultsTaken
from chain.proposals import Proposal, encode_proposal
from chain.transactions import Transaction
from chain.types import Hash32, Height, Wei
from execution.assembly import ExecutedBlock
from execution.process import ExecutionOptions, ExecutionProcess
from tests.execution.memory_storage import MemoryStorage
from tests.execution.test_equivalence import EMPTY, world_genesis
from tests.execution.world import ENGINE, KEYS, proposal, transaction, until

OF = world_genesis()


class Validator:
    """A validator's end: it pushes what is committed, and takes the results it is sent, in order only.

    `asked` are the numbers of all results it was sent, `results` those it took.
    """

    def __init__(self) -> None:
        self.committed: list[Committed] = []
        self.results: list[BlockResult] = []
        self.asked: list[int] = []
        self.follows: list[Hash32] = []
        self.refusals = 0
        self.there = asyncio.Event()
        self.there.set()
        self._request: Callable[[], Message] | None = None
        self._take: Callable[[Message], Awaitable[None]] | None = None
        self._pushing: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    @property
    def connected(self) -> bool:
        return self.there.is_set()

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        await self.there.wait()
        if self.refusals:
            self.refusals -= 1
            raise RequestFailed("NotYet", "not committed here yet")
        assert isinstance(message, BlockResult)
        self.asked.append(message.height)
        if message.height == len(self.results) + 1:
            self.results.append(message)
        return ResultsTaken(Height(len(self.results)))

    def notify(self, message: Message) -> bool:
        raise NotImplementedError

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        self._request, self._take = request, take
        self.reconnect()

    def reconnect(self) -> None:
        assert self._request is not None
        if self._pushing is not None:
            self._pushing.cancel()
        asked = self._request()
        assert isinstance(asked, FollowCommits)
        self.follows.append(asked.after)
        self._pushing = asyncio.ensure_future(self._push(asked.after))

    def commit(self, committed: Committed) -> None:
        self.committed.append(committed)
        self._more.set()

    async def stop(self) -> None:
        if self._pushing is not None:
            self._pushing.cancel()
            await asyncio.gather(self._pushing, return_exceptions=True)

    async def _push(self, after: Hash32) -> None:
        ids = [OF.id(), *(committed.id for committed in self.committed)]
        at = ids.index(after) if after in ids else 0
        while True:
            while at < len(self.committed):
                assert self._take is not None
                await self._take(self.committed[at])
                at += 1
            self._more.clear()
            await self._more.wait()


class Rpc:
    """A follower of blocks."""

    def __init__(self, room: int = 1000) -> None:
        self.news: list[BlockNews] = []
        self.open = True
        self.room = room

    @property
    def name(self) -> str:
        return "rpc-0"

    def push(self, message: Message) -> bool:
        if len(self.news) >= self.room:
            return False
        self.news.append(message)
        return True

    async def drained(self) -> None:
        return


class World:
    """One execution process and everybody around it."""

    def __init__(self, storage: MemoryStorage | None = None, validators: int = 4, **options: Any) -> None:
        self.storage = storage or MemoryStorage(OF)
        self.validators = [Validator() for _ in range(validators)]
        self.blocks: list[BlockNews] = []
        self.troubles: list[str] = []
        options_of = ExecutionOptions(**options)
        self.process = ExecutionProcess(
            OF, self.storage, self.validators, lambda _: ENGINE, options_of, self._on_block, self.troubles.append
        )
        self.proposals: list[Proposal] = []
        self.running = asyncio.ensure_future(self.process.run())

    def commit(self, *transactions: Transaction, only: range | None = None) -> Proposal:
        parent = self.proposals[-1].id if self.proposals else OF.id()
        made = proposal(len(self.proposals) + 1, parent, [tx.raw for tx in transactions])
        self.proposals.append(made)
        committed = Committed(made.height, made.id, parent, encode_proposal(made))
        for index in only or range(len(self.validators)):
            self.validators[index].commit(committed)
        return made

    async def reach(self, number: int) -> None:
        await self.until(lambda: bool(self.blocks) and self.blocks[-1].number >= number)

    async def until(self, true: Callable[[], bool]) -> None:
        await until(lambda: true() or self.running.done())
        if self.running.done():
            self.running.result()

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        for validator in self.validators:
            await validator.stop()

    def _on_block(self, news: BlockNews, block: ExecutedBlock) -> None:
        assert block.apply.header.number == news.number
        self.blocks.append(news)


@asynccontextmanager
async def world(*given: Any, **options: Any) -> AsyncIterator[World]:
    made = World(*given, **options)
    try:
        yield made
    finally:
        await made.stop()


def transfer(nonce: int) -> Transaction:
    return transaction(KEYS[0], nonce, to=EMPTY[0], value=Wei(1))
