"""Each oracle, shown what it must not let pass."""

from functools import partial

import pytest

from chain.keccak import keccak256
from chain.proposals import Certificate, ExecutedBlock, Proposal, SignedVote
from chain.types import Hash32, Height, Round, ValidatorIndex
from consensus.errors import InvalidCertificate, OutOfWindow
from consensus.safety import initial_safety
from consensus.signatures import SigningDomain
from tests.consensus.lone_core import LoneCore
from tests.simulation.oracles import Oracles, Violation

ME = ValidatorIndex(2)
DOMAIN = SigningDomain(Hash32(bytes(32)), "hotstuff-2")
ONE, OTHER = Hash32(keccak256(b"one")), Hash32(keccak256(b"other"))
TRUTH = ExecutedBlock(Height(1), keccak256(b"header 1"))


def oracles() -> Oracles:
    return Oracles((1, 1, 1, 1), lambda height: TRUTH if height == 1 else None)


def chain(*executed: ExecutedBlock) -> list[Proposal]:
    """Proposals on each other, carrying these results. The first makes block 1."""
    world, certificate, made = LoneCore(), None, []
    for round, result in enumerate(executed, start=1):
        proposal = world.proposal(round, certificate, takes_height=round == 1, executed=result)
        certificate = world.certificate(proposal)
        made.append(proposal)
    return made


NOTHING = ExecutedBlock(Height(0), Hash32(bytes(32)))


def _same(proposal: Proposal) -> Proposal:
    return proposal


def commit(seen: Oracles, *proposals: Proposal) -> None:
    for depth, proposal in enumerate(proposals, start=1):
        seen.committed(depth, proposal.id, partial(_same, proposal))


def test_two_votes_in_a_round() -> None:
    seen = oracles()
    seen.signed(ME, DOMAIN.vote(Round(3), ONE))
    seen.signed(ME, DOMAIN.vote(Round(3), ONE))
    seen.signed(ME, DOMAIN.vote(Round(4), OTHER))
    with pytest.raises(Violation, match="validator 2 voted twice in round 3"):
        seen.signed(ME, DOMAIN.vote(Round(3), OTHER))


def test_two_proposals_in_a_round() -> None:
    seen = oracles()
    seen.signed(ME, DOMAIN.proposal(Round(3), ONE))
    with pytest.raises(Violation, match="proposed twice in round 3"):
        seen.signed(ME, DOMAIN.proposal(Round(3), OTHER))


def test_a_vote_in_a_round_that_was_given_up() -> None:
    seen = oracles()
    seen.signed(ME, DOMAIN.timeout(Round(3), Round(0)))
    with pytest.raises(Violation, match="voted in round 3, which it had given up"):
        seen.signed(ME, DOMAIN.vote(Round(3), ONE))


def test_a_timeout_that_claims_to_know_less_than_its_signer_voted_on() -> None:
    seen = oracles()
    _, second, third = chain(NOTHING, NOTHING, NOTHING)
    seen.proposed(second)
    seen.proposed(third)
    seen.signed(ME, DOMAIN.vote(Round(3), third.id))
    seen.signed(ME, DOMAIN.timeout(Round(4), Round(2)))
    with pytest.raises(Violation, match="knowing a certificate of round 1, though it had voted on one of round 2"):
        seen.signed(ME, DOMAIN.timeout(Round(5), Round(1)))


@pytest.mark.parametrize("signers", [(0, 1), (0, 1, 1), (2, 2, 2)])
def test_a_certificate_without_a_quorum_of_different_signers(signers: tuple[int, ...]) -> None:
    votes = tuple(SignedVote(ValidatorIndex(signer), bytes(64)) for signer in signers)
    with pytest.raises(Violation, match="for a quorum"):
        oracles().holds(ME, Certificate(ONE, Round(1), votes))


def test_a_highest_certificate_below_the_lock() -> None:
    genesis = Certificate(ONE, Round(0), ())
    lock = Certificate(OTHER, Round(1), tuple(SignedVote(ValidatorIndex(i), bytes(64)) for i in range(3)))
    sound = initial_safety(genesis)
    seen = oracles()
    seen.remembers(ME, sound)
    with pytest.raises(Violation, match="locked on round 1, but its highest certificate is of round 0"):
        seen.remembers(ME, type(sound)(sound.last_voted_round, None, lock, genesis, None))


def test_two_proposals_at_a_depth() -> None:
    seen = oracles()
    (first,) = chain(NOTHING)
    assert seen.committed(1, first.id, lambda: first)
    assert not seen.committed(1, first.id, lambda: first), "another replica commits the same"
    with pytest.raises(Violation, match="two proposals are committed at depth 1"):
        seen.committed(1, OTHER, lambda: first)


def test_a_replica_that_comes_back_with_another_chain() -> None:
    seen = oracles()
    (first,) = chain(NOTHING)
    commit(seen, first)
    seen.kept(ME, 1, lambda depth: first.id)
    with pytest.raises(Violation, match="came back with another proposal at depth 1"):
        seen.kept(ME, 1, lambda depth: OTHER)


def test_a_result_that_goes_back() -> None:
    with pytest.raises(Violation, match="carries result 0 after 1"):
        commit(oracles(), *chain(NOTHING, TRUTH, NOTHING))


def test_a_wrong_result_that_is_committed() -> None:
    with pytest.raises(Violation, match="a wrong result of block 1 is committed"):
        commit(oracles(), *chain(NOTHING, ExecutedBlock(Height(1), OTHER)))


def test_a_committed_proposal_that_does_not_follow_the_one_before() -> None:
    first, _, third = chain(NOTHING, NOTHING, NOTHING)
    with pytest.raises(Violation, match="does not follow"):
        commit(oracles(), first, third)


def test_an_honest_message_that_another_honest_replica_refuses() -> None:
    seen = oracles()
    seen.rejected(ME, ValidatorIndex(0), OutOfWindow(Round(50), Round(1)))
    with pytest.raises(Violation, match="both are honest"):
        seen.rejected(ME, ValidatorIndex(0), InvalidCertificate("too few"))
