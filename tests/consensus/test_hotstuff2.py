"""The rules themselves."""

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.hotstuff2 import HotStuff2
from tests.consensus.lone_core import LoneCore

world = LoneCore()
rules = HotStuff2()
GENESIS = world.genesis_certificate()


def no_ancestor(_: Hash32) -> Proposal | None:
    return None


def certified(round: int) -> tuple[Proposal, Certificate]:
    proposal = world.proposal(round)
    return proposal, world.certificate(proposal)


def test_a_proposal_on_the_certificate_of_the_round_before_gets_a_vote() -> None:
    _, certificate = certified(1)
    assert rules.may_vote(world.proposal(2, certificate), Round(1), GENESIS)


def test_no_vote_in_a_round_voted_in_already() -> None:
    _, certificate = certified(1)
    assert not rules.may_vote(world.proposal(2, certificate), Round(2), GENESIS)


def test_no_vote_when_a_round_was_skipped_without_a_timeout_certificate() -> None:
    _, certificate = certified(1)
    assert not rules.may_vote(world.proposal(3, certificate), Round(1), GENESIS)


def test_a_timeout_certificate_of_the_round_before_justifies_an_older_certificate() -> None:
    _, certificate = certified(1)
    assert rules.may_vote(world.proposal(3, certificate, world.timeout_certificate(2, (1, 0, 1))), Round(2), GENESIS)


def test_no_vote_when_a_timeout_certificate_knows_a_higher_certificate() -> None:
    _, certificate = certified(1)
    assert not rules.may_vote(
        world.proposal(4, certificate, world.timeout_certificate(3, (0, 2, 1))), Round(3), GENESIS
    )


def test_no_vote_when_the_timeout_certificate_is_of_another_round() -> None:
    _, certificate = certified(1)
    assert not rules.may_vote(world.proposal(4, certificate, world.timeout_certificate(2)), Round(1), GENESIS)


def test_the_lock_is_the_highest_certificate_voted_on() -> None:
    _, low = certified(1)
    _, high = certified(2)
    assert rules.lock_after_vote(world.proposal(3, high), low, no_ancestor) == high
    assert rules.lock_after_vote(world.proposal(4, low), high, no_ancestor) == high


def test_a_certified_child_of_the_next_round_commits_its_parent_and_no_other_does() -> None:
    parent, certificate = certified(1)
    tree = {parent.id: parent}
    assert rules.committed_by(world.proposal(2, certificate), tree.get) == parent.id
    assert rules.committed_by(world.proposal(3, certificate), tree.get) is None
