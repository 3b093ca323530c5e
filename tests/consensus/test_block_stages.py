"""What a validator says of its blocks' stages: each once, in order, and again from a cursor after a restart."""

from chain.messages.mempool import BlockResult
from chain.messages.watching import BlockStage, StageReached
from chain.proposals import ExecutedBlock, Proposal
from chain.types import Hash32, Height, ValidatorIndex, Wei
from consensus.events import MessageReceived, Started
from consensus.replica import BlockResultReceived, Replica
from consensus.wire import SyncInfo
from tests.consensus.builders import GAS_LIMIT, START_MS, CheapSigner, CheapVerifier, make_genesis, transfer
from tests.consensus.lone_core import LoneCore
from tests.consensus.test_replica import Recorder

P, C, K, V, A = BlockStage
RESULT = Hash32(b"r" * 32)


class Watched:
    """Validator 0 of four, whose rounds the test plays, and what it says of its blocks."""

    def __init__(self) -> None:
        self.world = LoneCore()
        self.recorder = Recorder()
        self.start()

    def start(self) -> None:
        me = ValidatorIndex(0)
        self.replica = Replica(me, make_genesis(), CheapSigner(0), CheapVerifier(), self.recorder, self.recorder)
        self.replica.handle([Started()], START_MS)

    def block(self, round: int, height: int, parent: Proposal | None = None) -> Proposal:
        """One that holds a transfer; without a parent it follows genesis."""
        certificate = None if parent is None else self.world.certificate(parent)
        timeouts = self.world.timeout_certificate(round - 1) if parent is None and round > 1 else None
        raw = transfer(0, height - 1).raw
        return self.world.proposal(round, certificate, timeouts, height=height, transactions=(raw,))

    def propose(self, *proposals: Proposal, now_ms: int = START_MS) -> list[tuple[int, BlockStage]]:
        self.replica.handle([MessageReceived(p.proposer, self.world.signed(p)) for p in proposals], now_ms)
        return self.changes()

    def certify(self, proposal: Proposal) -> list[tuple[int, BlockStage]]:
        info = SyncInfo(self.world.certificate(proposal), None)
        self.replica.handle([MessageReceived(ValidatorIndex(1), info)], START_MS)
        return self.changes()

    def execute(self, proposal: Proposal) -> None:
        result = BlockResult(proposal.height, proposal.id, RESULT, GAS_LIMIT, Wei(1), (), (), ())
        self.replica.handle([BlockResultReceived(result)], START_MS)

    def changes(self) -> list[tuple[int, BlockStage]]:
        return said(self.replica.stages.take_changes())

    def after(self, height: int) -> list[tuple[int, BlockStage]]:
        return said(self.replica.stages.after(Height(height)))


def said(reached: tuple[StageReached, ...]) -> list[tuple[int, BlockStage]]:
    return [(one.height, one.stage) for one in reached]


def test_a_block_is_proposed_certified_committed_and_verified_once_each() -> None:
    watched = Watched()
    world = watched.world
    first = watched.block(1, 1)
    second = world.proposal(2, world.certificate(first), takes_height=False)
    assert watched.propose(first) == [(1, P)]
    assert watched.certify(first) == [(1, C)]
    assert watched.propose(second) == []
    assert watched.certify(second) == [(1, K)]
    watched.execute(first)
    carried = ExecutedBlock(Height(1), RESULT)
    third = world.proposal(3, world.certificate(second), takes_height=False, executed=carried)
    fourth = world.proposal(4, world.certificate(third), takes_height=False, executed=carried)
    watched.propose(third, fourth)
    assert watched.certify(fourth) == [(1, V)]
    assert watched.after(1) == []
    assert watched.after(0) == [(1, V)]


def test_what_came_in_one_group_is_said_in_the_order_of_its_life() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    second = watched.block(2, 2, first)
    third = watched.world.proposal(3, watched.world.certificate(second), height=2, takes_height=False)
    assert watched.propose(first, second, third) == [(1, P), (1, C), (2, P), (2, C), (1, K)]


def test_a_proposal_on_another_branch_than_the_committed_one_is_abandoned() -> None:
    watched = Watched()
    world = watched.world
    lost = watched.block(1, 1)
    first = watched.block(2, 1)
    second = world.proposal(3, world.certificate(first), takes_height=False)
    watched.propose(lost, first, second)
    reached = watched.certify(second)
    assert reached == [(1, A), (1, K)]


def test_a_block_whose_certificate_came_before_it_is_certified_as_soon_as_it_is_there() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    assert watched.certify(first) == []
    assert watched.propose(first) == [(1, P), (1, C)]


def test_a_watcher_that_comes_later_hears_what_is_in_flight_with_the_times_it_happened() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    second = watched.block(2, 2, first)
    watched.propose(first, now_ms=START_MS + 5)
    watched.propose(second, now_ms=START_MS + 9)
    reached = watched.replica.stages.after(Height(0))
    assert [(one.height, one.stage, one.at_ms - START_MS) for one in reached] == [(1, P, 5), (1, C, 9), (2, P, 9)]
    assert (reached[0].proposal, reached[0].round, reached[0].proposer) == (first.id, 1, first.proposer)


def test_after_a_restart_blocks_that_are_not_verified_are_known_again() -> None:
    watched = Watched()
    first = watched.block(1, 1)
    second = watched.block(2, 2, first)
    third = watched.block(3, 3, second)
    watched.propose(first, second, third)
    assert (1, K) in watched.after(0)
    watched.start()
    assert watched.after(0) == [(1, K), (2, P), (2, C), (3, P)]
    assert watched.changes() == [], "nothing happened in this life"
