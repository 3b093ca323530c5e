"""Who follows a validator hears of what its mempool gave up, also of what it gave up before,
and of blocks once it has them."""

import asyncio

from chain.messages import Message
from chain.messages.mempool import CatchingUp, Committed, ConsensusNews, Evicted, ExecutorsNews
from chain.proposals import Proposal
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.followers import CommitFollowers, ConsensusFollowers
from consensus.store import ValidatorStore
from tests.consensus.builders import CrashableDatabase
from tests.consensus.lone_core import LoneCore, persisted

ONE, TWO = Hash32(b"1" * 32), Hash32(b"2" * 32)


class Peer:
    name, open = "rpc", True

    def __init__(self) -> None:
        self.pushed: list[Message] = []

    def push(self, message: Message) -> bool:
        self.pushed.append(message)
        return True

    async def drained(self) -> None: ...


class FullPeer(Peer):
    def __init__(self) -> None:
        super().__init__()
        self.room = asyncio.Event()

    async def drained(self) -> None:
        await self.room.wait()


def three_blocks(world: LoneCore) -> list[Proposal]:
    """A chain of them, and two proposals behind that commit the last."""
    proposals, certificate = [], None
    for round in range(1, 6):
        proposals.append(world.proposal(round, certificate, height=min(round, 3), takes_height=round <= 3))
        certificate = world.certificate(proposals[-1])
    return proposals


def look() -> ConsensusNews:
    zero, none = Height(0), ExecutorsNews(1, Height(0), ())
    return ConsensusNews(
        validator=ValidatorIndex(0),
        round=Round(1),
        leader=ValidatorIndex(1),
        proposed=zero,
        certified=zero,
        committed=zero,
        committed_depth=0,
        committed_proposal=ONE,
        executed=zero,
        executed_hash=ONE,
        verified=zero,
        verified_hash=ONE,
        executors=none,
        timeouts=0,
        mempool_transactions=0,
        mempool_bytes=0,
        connected_peers=0,
        queued_bytes=0,
        dropped_frames=0,
        rejections=(),
        late=(),
        equivocating_turns=0,
    )


THREE = Hash32(b"3" * 32)


def test_evictions_reach_those_who_follow_and_those_who_come_later() -> None:
    held: set[Hash32] = set()
    kept = [Evicted(ONE, "nonce too low")]
    followers, early, late = ConsensusFollowers(look, held.__contains__, lambda: kept), Peer(), Peer()
    followers.follow(early)
    kept.append(Evicted(TWO, "replaced"))
    followers.evicted([(TWO, "replaced")])
    followers.follow(late)
    expected = [look(), Evicted(ONE, "nonce too low"), Evicted(TWO, "replaced")]
    assert early.pushed == expected
    assert late.pushed == expected


def test_what_was_given_up_and_taken_again_is_not_told_to_those_who_come_later() -> None:
    kept = [Evicted(ONE, "unaffordable"), Evicted(THREE, "nonce too low")]
    followers, peer = ConsensusFollowers(look, {ONE}.__contains__, lambda: kept), Peer()
    followers.follow(peer)
    assert peer.pushed == [look(), Evicted(THREE, "nonce too low")]


async def test_who_has_everything_else_gets_a_block_within_the_turn_that_commits_it() -> None:
    world = LoneCore()
    store = ValidatorStore(CrashableDatabase(), world.genesis)
    followers, peer, full = CommitFollowers(store), Peer(), FullPeer()
    proposals = three_blocks(world)
    for one in (peer, full):
        followers.follow(one, world.genesis.id())
    await asyncio.sleep(0)
    for proposal in proposals:
        before = len(peer.pushed)
        store.apply(persisted(world.propose(proposal)))
        if proposal.round < 3:
            continue
        followers.blocks_committed(None)
        assert len(peer.pushed) == before + 1
        for _ in range(2):
            await asyncio.sleep(0)
    assert [block.height for block in peer.pushed if isinstance(block, Committed)] == [1, 2, 3]
    assert len(full.pushed) == 1, "what is not taken holds the next one back"
    full.room.set()
    for _ in range(4):
        await asyncio.sleep(0)
    assert full.pushed == peer.pushed
    await followers.close()


async def test_who_has_executed_a_block_already_is_not_sent_it() -> None:
    world = LoneCore()
    store = ValidatorStore(CrashableDatabase(), world.genesis)
    followers, peer = CommitFollowers(store), Peer()
    proposals = three_blocks(world)
    followers.follow(peer, world.genesis.id())
    await asyncio.sleep(0)
    followers.executed(peer, Height(2))
    for proposal in proposals:
        store.apply(persisted(world.propose(proposal)))
        followers.blocks_committed(None)
        await asyncio.sleep(0)
    (committed,) = [message for message in peer.pushed if isinstance(message, Committed)]
    assert (committed.height, committed.after) == (3, proposals[1].id)
    followers.follow(peer, world.genesis.id())
    await asyncio.sleep(0)
    assert [block.height for block in peer.pushed[1:] if isinstance(block, Committed)] == [1, 2, 3], "it follows anew"
    await followers.close()


async def test_who_is_ahead_of_the_validator_hears_how_far_it_is_and_when_it_has_caught_up() -> None:
    world = LoneCore()
    store = ValidatorStore(CrashableDatabase(), world.genesis)
    followers, peer = CommitFollowers(store), Peer()
    proposals = three_blocks(world)
    followers.follow(peer, proposals[1].id)
    for proposal in proposals:
        await asyncio.sleep(0)
        store.apply(persisted(world.propose(proposal)))
        followers.blocks_committed(None)
        await asyncio.sleep(0)
    told = [message for message in peer.pushed if isinstance(message, CatchingUp)]
    assert [catching_up.committed for catching_up in told] == sorted(catching_up.committed for catching_up in told)
    assert (told[0], told[-1]) == (CatchingUp(Height(0), done=False), CatchingUp(Height(2), done=True))
    assert all(not catching_up.done for catching_up in told[:-1])
    (committed,) = [message for message in peer.pushed if isinstance(message, Committed)]
    assert (committed.height, committed.after) == (3, proposals[1].id)
    await followers.close()
