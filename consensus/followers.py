"""Those who follow a validator: execution its commits, rpc its progress."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from chain.links import LinkClosed, Peer
from chain.messages.mempool import CatchingUp, Committed, ConsensusNews, Evicted
from chain.messages.watching import BlockStages, StageReached
from chain.proposals import CommitProof
from chain.types import Hash32, Height
from consensus.store import ValidatorStore

NEWS_INTERVAL_S = 0.05
"""The least time between two ConsensusNews; what changes meanwhile is in the second."""

MAX_STAGES_AT_ONCE = 1024


@dataclass(slots=True, eq=False)
class _Cursor:
    """How far a follower is: the last committed block that it was pushed, or has `executed` because another validator
    was first. `open` until it takes no more.
    """

    peer: Peer
    height: Height
    after: Hash32
    executed: Height = Height(0)
    open: bool = True

    def push_next(self, store: ValidatorStore, proof: CommitProof | None = None) -> bool:
        """Push the next block, with the `proof` that the newest is final; False if there is none yet."""
        id = store.id_of_block(Height(self.height + 1))
        if id is None:
            return False
        self.height = Height(self.height + 1)
        if self.height > self.executed:
            proves = proof if self.height == store.committed_block else None
            self.open = self.peer.push(Committed(self.height, id, self.after, store.encoded_proposal(id), proves))
        self.after = id
        return True


class CommitFollowers:
    """Pushes committed blocks from the store to each follower at its own pace, from its own cursor.

    Those who have everything else get a block within the call that tells of it: execution waits for it, while what the
    validator still has to say in that turn is not urgent.
    """

    def __init__(self, store: ValidatorStore) -> None:
        self._store = store
        self._more = asyncio.Event()
        self._tasks: dict[Peer, asyncio.Task[None]] = {}
        self._caught_up: set[_Cursor] = set()
        self._cursors: dict[Peer, _Cursor] = {}

    def follow(self, peer: Peer, after: Hash32) -> None:
        """From now on `peer` gets every block after that one; an earlier wish of the same peer is void."""
        self.forget(peer)
        task = self._tasks[peer] = asyncio.create_task(self._push_all(peer, after))
        task.add_done_callback(_raise_failure)

    def forget(self, peer: Peer) -> None:
        self._cursors.pop(peer, None)
        task = self._tasks.pop(peer, None)
        if task is not None:
            task.cancel()

    def executed(self, peer: Peer, height: Height) -> None:
        """A follower has executed the blocks up to that height: it need not be told of them."""
        cursor = self._cursors.get(peer)
        if cursor is not None:
            cursor.executed = height

    def blocks_committed(self, proof: CommitProof | None) -> None:
        for cursor in self._caught_up:
            cursor.push_next(self._store, proof)
        self._caught_up.clear()
        self._more.set()
        self._more = asyncio.Event()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for peer in list(self._tasks):
            self.forget(peer)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _push_all(self, peer: Peer, after: Hash32) -> None:
        cursor = self._cursors[peer] = _Cursor(peer, await self._height_of(after, peer), after)
        try:
            while peer.open and cursor.open:
                if not cursor.push_next(self._store):
                    self._caught_up.add(cursor)
                    await self._more.wait()
                await peer.drained()
        except LinkClosed:
            return
        finally:
            self._caught_up.discard(cursor)

    async def _height_of(self, after: Hash32, peer: Peer) -> Height:
        """The height of `after`, once this validator has caught up with `peer`, which it tells."""
        caught_up = self._store.height_of(after)
        if caught_up is not None:
            return caught_up
        while (height := self._store.height_of(after)) is None:
            peer.push(CatchingUp(self._store.committed_block, done=False))
            await self._more.wait()
        peer.push(CatchingUp(height, done=True))
        return height


class ConsensusFollowers:
    """Pushes this validator's view when it changed, at most so often, and what its mempool gave up at once.

    Who begins to follow is told also what was given up lately (`evictions`) and not taken again: it may have forgotten,
    or never heard.
    """

    def __init__(
        self,
        look: Callable[[], ConsensusNews],
        holds: Callable[[Hash32], bool],
        evictions: Callable[[], Iterable[Evicted]],
    ) -> None:
        self._look = look
        self._holds = holds
        self._evictions = evictions
        self._peers: dict[Peer, ConsensusNews] = {}
        self._watchers: set[Peer] = set()
        self._due: asyncio.TimerHandle | None = None
        self._next_at = 0.0

    def follow(self, peer: Peer) -> None:
        news = self._look()
        if peer.push(news):
            self._peers[peer] = news
            for evicted in self._evictions():
                if not self._holds(evicted.hash):
                    peer.push(evicted)

    def forget(self, peer: Peer) -> None:
        self._peers.pop(peer, None)
        self._watchers.discard(peer)

    def watch(self, peer: Peer, so_far: tuple[StageReached, ...]) -> None:
        """From now on a peer that follows is told of every change of a block's stage too."""
        if peer in self._peers:
            self._watchers.add(peer)
            for start in range(0, len(so_far), MAX_STAGES_AT_ONCE):
                peer.push(BlockStages(so_far[start : start + MAX_STAGES_AT_ONCE]))

    def unwatch(self, peer: Peer) -> None:
        self._watchers.discard(peer)

    def stages_reached(self, reached: tuple[StageReached, ...]) -> None:
        if reached:
            for peer in self._watchers:
                peer.push(BlockStages(reached))

    def changed(self) -> None:
        """Something may be different; tells it when the interval has passed."""
        if self._peers and self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(self._next_at, loop.time()), self._tell)

    def evicted(self, transactions: Sequence[tuple[Hash32, str]]) -> None:
        for hash, reason in transactions:
            for peer in list(self._peers):
                peer.push(Evicted(hash, reason))

    def close(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._peers.clear()
        self._watchers.clear()

    def _tell(self) -> None:
        self._due = None
        self._next_at = asyncio.get_running_loop().time() + NEWS_INTERVAL_S
        news = self._look()
        for peer, told in list(self._peers.items()):
            if told != news and peer.push(news):
                self._peers[peer] = news


def _raise_failure(task: "asyncio.Task[None]") -> None:
    """A follower's error is the process's error: the loop's exception handler decides."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": "pushing commits failed", "exception": error, "task": task})
