"""Which committed proposals are taken, from claims in any order."""

import random
from dataclasses import replace

import pytest

from chain.messages.mempool import Committed
from chain.proposals import Certificate, CommitProof, encode_proposal
from chain.types import Hash32, Height, Round
from execution.intake import FalseProposal, Intake, ProposalsForked, Prove
from tests.execution.world import proposal

GENESIS = Hash32(b"\x01" * 32)


def chain_of(length: int, start: Hash32 = GENESIS) -> list[Committed]:
    committed, parent = [], start
    for number in range(1, length + 1):
        made = proposal(number, parent, [b"%d" % number])
        committed.append(Committed(Height(number), made.id, parent, encode_proposal(made)))
        parent = made.id
    return committed


def test_one_of_four_validators_is_not_enough_two_are() -> None:
    intake = Intake([1, 1, 1, 1], Height(0), GENESIS)
    (first,) = chain_of(1)
    assert intake.claim(0, first) == []
    assert intake.claim(0, first) == []
    assert intake.claim(3, first) == [first]
    assert intake.claim(2, first) == []
    assert (intake.height, intake.cursor) == (1, first.id)


def test_a_single_validator_is_the_whole_stake() -> None:
    (first,) = chain_of(1)
    assert Intake([1], Height(0), GENESIS).claim(0, first) == [first]


def test_stake_counts_not_heads() -> None:
    intake = Intake([5, 1, 1, 1], Height(0), GENESIS)
    (first,) = chain_of(1)
    assert intake.claim(1, first) == []
    assert intake.claim(2, first) == []
    assert intake.claim(0, first) == [first]


@pytest.mark.parametrize("seed", range(20))
def test_claims_in_any_order_give_every_proposal_once_and_in_order(seed: int) -> None:
    rng = random.Random(seed)
    chain = chain_of(12)
    claims = [(validator, committed) for validator in range(4) for committed in chain] * 2
    rng.shuffle(claims)
    intake = Intake([1] * 4, Height(0), GENESIS)
    taken = [accepted for validator, committed in claims for accepted in intake.claim(validator, committed)]
    assert taken == chain, f"seed {seed}"


def test_a_lone_liar_is_outvoted() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS)
    chain, other = chain_of(2), chain_of(2, Hash32(b"\x02" * 32))
    assert intake.claim(0, other[0]) == []
    assert intake.claim(1, chain[0]) == []
    assert intake.claim(2, chain[0]) == [chain[0]]


def test_a_body_that_is_not_what_its_id_says_is_refused() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS)
    first, second = chain_of(2)
    with pytest.raises(FalseProposal):
        intake.claim(0, Committed(first.height, first.id, first.after, second.proposal))


def test_a_chain_that_does_not_follow_what_was_executed_stops_execution() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS)
    other = chain_of(1, Hash32(b"\x02" * 32))
    intake.claim(0, other[0])
    with pytest.raises(ProposalsForked, match="different chains"):
        intake.claim(1, other[0])


PROOF = CommitProof((), Certificate(GENESIS, Round(0), ()))


def only_with(proof: CommitProof) -> Prove:
    return lambda proposal, given: given == proof


def test_one_validator_is_enough_with_a_proof() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS, only_with(PROOF))
    first, second = (replace(committed, proof=PROOF) for committed in chain_of(2))
    assert intake.claim(0, first) == [first]
    assert intake.claim(1, first) == []
    assert intake.prover == 0
    assert intake.claim(1, second) == [second]
    assert intake.prover == 1


def test_a_proof_that_is_none_is_worth_a_claim_and_no_more() -> None:
    other = CommitProof((b"other",), PROOF.certificate)
    intake = Intake([1] * 4, Height(0), GENESIS, only_with(PROOF))
    (first,) = chain_of(1)
    assert intake.claim(0, replace(first, proof=other)) == []
    assert intake.claim(0, first) == []
    assert [accepted.id for accepted in intake.claim(1, first)] == [first.id]
    assert intake.prover is None


@pytest.mark.parametrize("lie", ["height", "after"])
def test_a_proof_says_nothing_of_another_place_in_the_chain(lie: str) -> None:
    """A liar has a proof for a proposal, but puts it elsewhere, where it would stop execution or be executed twice."""
    intake = Intake([1] * 4, Height(0), GENESIS, only_with(PROOF))
    first, second = (replace(committed, proof=PROOF) for committed in chain_of(2))
    moved = replace(first, after=second.id) if lie == "after" else replace(second, height=first.height, after=GENESIS)
    assert intake.claim(0, moved) == []
    assert intake.claim(1, first) == [first]


def test_a_liar_that_says_first_what_a_proposal_comes_after_does_not_stop_execution() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS)
    first, second = chain_of(2)
    assert intake.claim(0, replace(first, after=second.id)) == []
    assert intake.claim(1, first) == []
    assert intake.claim(2, first) == [first]


def test_another_proposal_under_an_id_that_is_known_already_is_told_apart() -> None:
    intake = Intake([1] * 4, Height(0), GENESIS)
    (first,) = chain_of(1)
    intake.claim(0, first)
    with pytest.raises(FalseProposal):
        intake.claim(1, replace(first, proposal=b"another"))
    assert intake.claim(2, first) == [first]
