"""The three-phase rules themselves."""

from collections.abc import Sequence

import pytest

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.hotstuff3 import HotStuff3
from tests.consensus.lone_core import LoneCore

world = LoneCore(rules="hotstuff-3")
rules = HotStuff3()
GENESIS = world.genesis_certificate()


def branch(rounds: Sequence[int]) -> tuple[list[Proposal], list[Certificate]]:
    """Proposals of those rounds, each on the one before, and their certificates."""
    proposals: list[Proposal] = []
    certificates: list[Certificate] = []
    for round in rounds:
        proposals.append(world.proposal(round, certificates[-1] if certificates else None))
        certificates.append(world.certificate(proposals[-1]))
    return proposals, certificates


def tree(proposals: Sequence[Proposal]) -> dict[Hash32, Proposal]:
    return {proposal.id: proposal for proposal in proposals}


@pytest.mark.parametrize(
    ("certificate", "lock", "votes"),
    [(0, 0, True), (1, 2, False), (2, 2, True), (3, 2, True)],
    ids=["on genesis", "below the lock", "on the lock", "above the lock"],
)
def test_a_vote_needs_a_certificate_not_below_the_lock(certificate: int, lock: int, votes: bool) -> None:
    certificates = [GENESIS, *branch((1, 2, 3))[1]]
    proposal = world.proposal(9, certificates[certificate])
    assert rules.may_vote(proposal, Round(3), certificates[lock]) is votes


def test_a_skipped_round_needs_no_timeout_certificate() -> None:
    certificate = branch((1,))[1][0]
    assert rules.may_vote(world.proposal(5, certificate), Round(4), GENESIS)


def test_no_vote_in_a_round_voted_in_already() -> None:
    certificate = branch((1,))[1][0]
    assert not rules.may_vote(world.proposal(2, certificate), Round(2), GENESIS)
    assert rules.may_vote(world.proposal(2, certificate), Round(1), GENESIS)


def test_no_vote_for_a_proposal_with_another_proposals_certificate() -> None:
    low, high = branch((1, 2))[1]
    proposal = world.proposal(3, high)
    stolen = Proposal(
        low.proposal,
        proposal.round,
        proposal.proposer,
        high,
        None,
        proposal.height,
        proposal.inputs,
        proposal.executed,
        proposal.transactions,
    )
    assert not rules.may_vote(stolen, Round(2), GENESIS)


def test_the_lock_is_the_certificate_two_links_back() -> None:
    proposals, certificates = branch((1, 2, 3))
    ancestor = tree(proposals).get
    assert rules.lock_after_vote(proposals[0], GENESIS, ancestor) == GENESIS
    assert rules.lock_after_vote(proposals[1], GENESIS, ancestor) == GENESIS
    assert rules.lock_after_vote(proposals[2], GENESIS, ancestor) == certificates[0]


def test_the_lock_never_goes_down() -> None:
    proposals, certificates = branch((1, 2, 3))
    assert rules.lock_after_vote(proposals[2], certificates[1], tree(proposals).get) == certificates[1]


def test_a_parent_below_what_is_known_leaves_the_lock() -> None:
    proposals, certificates = branch((1, 2, 3))
    assert rules.lock_after_vote(proposals[2], certificates[0], tree(()).get) == certificates[0]


@pytest.mark.parametrize(
    ("rounds", "commits"),
    [((1, 2, 3), 0), ((2, 3, 4), 0), ((1, 2, 4), None), ((1, 3, 4), None), ((1, 3, 5), None), ((1, 2), None)],
)
def test_only_three_certified_proposals_of_consecutive_rounds_commit_their_first(
    rounds: tuple[int, ...], commits: int | None
) -> None:
    proposals, _ = branch(rounds)
    expected = None if commits is None else proposals[commits].id
    assert rules.committed_by(proposals[-1], tree(proposals).get) == expected


def test_what_lies_below_the_last_commit_is_not_committed_again() -> None:
    proposals, _ = branch((1, 2, 3))
    assert rules.committed_by(proposals[-1], tree(proposals[1:]).get) is None
