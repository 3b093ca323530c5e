"""What a validator shows to those who are none: the proof that a proposal is final."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chain.proposals import Certificate, CommitProof, Proposal, encode_proposal
from chain.types import Round
from consensus.commands import Commit
from consensus.commit_proofs import MAX_FOLLOWING_BYTES, CommitProofs, newest_proof
from consensus.wire import SyncInfo
from tests.consensus.builders import CheapVerifier
from tests.consensus.lone_core import LoneCore


def chain(world: LoneCore, *rounds: int) -> list[Proposal]:
    """A block, and empty proposals after it in these rounds."""
    proposals = [world.proposal(rounds[0])]
    for round in rounds[1:]:
        proposals.append(world.proposal(round, world.certificate(proposals[-1]), takes_height=False))
    return proposals


def proof_of(following: list[Proposal], certificate: Certificate) -> CommitProof:
    return CommitProof(tuple(map(encode_proposal, following)), certificate)


def proves(world: LoneCore, block: Proposal, proof: CommitProof) -> bool:
    return CommitProofs(world.genesis, CheapVerifier()).prove(block, proof)


@pytest.mark.parametrize(("rules", "phases"), [("hotstuff-2", 2), ("hotstuff-3", 3)])
def test_as_many_certified_proposals_of_consecutive_rounds_as_there_are_phases_prove_a_commit(
    rules: str, phases: int
) -> None:
    world = LoneCore(rules=rules)
    proposals = chain(world, *range(1, phases + 1))
    assert proves(world, proposals[0], proof_of(proposals[1:], world.certificate(proposals[-1])))
    fewer = proposals[:-1]
    assert not proves(world, proposals[0], proof_of(fewer[1:], world.certificate(fewer[-1])))


@pytest.mark.parametrize(("rules", "rounds"), [("hotstuff-2", (1, 3)), ("hotstuff-3", (1, 2, 4))])
def test_rounds_that_do_not_follow_each_other_prove_nothing(rules: str, rounds: tuple[int, ...]) -> None:
    world = LoneCore(rules=rules)
    proposals = chain(world, *rounds)
    assert not proves(world, proposals[0], proof_of(proposals[1:], world.certificate(proposals[-1])))


def test_a_commit_proves_what_it_is_built_on_too() -> None:
    world = LoneCore()
    proposals = chain(world, 1, 3, 4)
    assert proves(world, proposals[0], proof_of(proposals[1:], world.certificate(proposals[-1])))


LIES: dict[str, Callable[[LoneCore, list[Proposal]], CommitProof]] = {
    "too few votes": lambda w, p: proof_of([p[1]], w.certificate(p[1], voters=(1, 2))),
    "one vote counted three times": lambda w, p: proof_of([p[1]], w.certificate(p[1], voters=(1, 1, 1))),
    "votes of strangers": lambda w, p: proof_of([p[1]], w.certificate(p[1], voters=(1, 2, 7))),
    "votes for something else": lambda w, p: proof_of(
        [p[1]], replace(w.certificate(p[0]), proposal=p[1].id, round=p[1].round)
    ),
    "votes of another round": lambda w, p: proof_of([p[1]], replace(w.certificate(p[1]), round=Round(9))),
    "a certificate of another proposal": lambda w, p: proof_of([p[1]], w.certificate(p[0])),
    "a certificate of the block alone": lambda w, p: proof_of([], w.certificate(p[0])),
    "the genesis certificate": lambda w, p: proof_of([p[1]], w.genesis_certificate()),
    "what follows another block": lambda w, p: proof_of(
        [w.proposal(2, w.certificate(w.proposal(1, transactions=(b"other",))), takes_height=False)], w.certificate(p[1])
    ),
    "nonsense": lambda w, p: CommitProof((b"nonsense",), w.certificate(p[1])),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_proves_nothing(lie: str) -> None:
    world = LoneCore()
    proposals = chain(world, 1, 2)
    assert proves(world, proposals[0], proof_of([proposals[1]], world.certificate(proposals[1])))
    assert not proves(world, proposals[0], LIES[lie](world, proposals))


def test_a_replica_proves_the_block_whose_commit_it_is_the_first_to_see() -> None:
    world = LoneCore(me=3)
    first, second = chain(world, 1, 2)
    world.propose(first)
    world.propose(second)
    world.receive(world.vote(second, 1))
    commands = world.receive(world.vote(second, 2))
    proof = newest_proof(commands)
    assert proof == proof_of([second], world.certificate(second))
    assert proves(world, first, proof)


def test_what_a_replica_was_told_is_others_to_prove() -> None:
    world = LoneCore()
    first, second = chain(world, 1, 2)
    world.propose(first)
    world.propose(second)
    commands = world.receive(SyncInfo(world.certificate(second), None))
    assert any(isinstance(command, Commit) for command in commands)
    assert newest_proof(commands) is None


def test_what_follows_is_bounded() -> None:
    world = LoneCore(me=3)
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), height=2, transactions=(bytes(MAX_FOLLOWING_BYTES),))
    world.propose(first)
    world.propose(second)
    world.receive(world.vote(second, 1))
    commands = world.receive(world.vote(second, 2))
    assert any(isinstance(command, Commit) for command in commands)
    assert newest_proof(commands) is None
