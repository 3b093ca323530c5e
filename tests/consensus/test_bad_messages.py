"""What a peer may say that nobody acts on: each kind is refused by name, and none of it is kept."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chain.types import Hash32, Round, ValidatorIndex
from consensus.chain_state import ROUND_WINDOW
from consensus.events import PeerMessage
from consensus.signatures import SigningDomain
from consensus.wire import ProposalMessage, Proposals, SyncInfo, Timeout, Vote
from tests.consensus.builders import CheapSigner
from tests.consensus.lone_core import LoneCore, persisted, reasons, sent

UNSIGNED = bytes(64)
STRANGER = ValidatorIndex(9)


def of_another_chain(world: LoneCore) -> LoneCore:
    """The same validators with the same keys, on a chain of another genesis."""
    other = LoneCore(validators=world.validators)
    other.domain = SigningDomain(Hash32(b"another genesis".ljust(32)), world.genesis.rules)
    return other


def vote(world: LoneCore, **changes: object) -> Vote:
    return replace(world.vote(world.proposal(1), 2), **changes)  # type: ignore[arg-type]


def timeout(world: LoneCore, **changes: object) -> Timeout:
    good = world.timeout(1, by=2)
    return replace(good, timeout=replace(good.timeout, **changes))  # type: ignore[arg-type]


def proposal(world: LoneCore, signature: bytes) -> ProposalMessage:
    return ProposalMessage(world.proposal(1), signature)


def signed_by(world: LoneCore, signer: int) -> ProposalMessage:
    good = world.proposal(1)
    return ProposalMessage(good, CheapSigner(signer).sign(world.domain.proposal(good.round, good.id)))


BAD: dict[str, tuple[str, Callable[[LoneCore], PeerMessage]]] = {
    "an unsigned vote": ("WrongSignature", lambda w: vote(w, signature=UNSIGNED)),
    "a vote signed by another": ("WrongSignature", lambda w: vote(w, validator=ValidatorIndex(3))),
    "a vote for another proposal": ("WrongSignature", lambda w: vote(w, proposal=Hash32(b"p" * 32))),
    "a vote of another chain": ("WrongSignature", lambda w: of_another_chain(w).vote(w.proposal(1), 2)),
    "a vote of another rule set": ("WrongSignature", lambda w: LoneCore(rules="hotstuff-3").vote(w.proposal(1), 2)),
    "a vote of nobody": ("UnknownValidator", lambda w: vote(w, validator=STRANGER)),
    "a vote of a negative validator": ("UnknownValidator", lambda w: vote(w, validator=ValidatorIndex(-1))),
    "a vote of a future round": ("OutOfWindow", lambda w: w.vote(w.proposal(2 + ROUND_WINDOW), 2)),
    "a vote without a signature": ("WrongSignature", lambda w: vote(w, signature=b"")),
    "an unsigned timeout": ("WrongSignature", lambda w: timeout(w, signature=UNSIGNED)),
    "a timeout signed by another": ("WrongSignature", lambda w: timeout(w, validator=ValidatorIndex(3))),
    "a timeout of another chain": ("WrongSignature", lambda w: of_another_chain(w).timeout(1, by=2)),
    "a timeout of nobody": ("UnknownValidator", lambda w: timeout(w, validator=STRANGER)),
    "a timeout of a future round": ("OutOfWindow", lambda w: w.timeout(2 + ROUND_WINDOW, by=2)),
    "a timeout of an impossible round": ("OutOfWindow", lambda w: replace(w.timeout(1, by=2), round=Round(2**63))),
    "a timeout without its certificate": (
        "InvalidCertificate",
        lambda w: timeout(w, highest_certificate_round=Round(7)),
    ),
    "an unsigned proposal": ("WrongSignature", lambda w: proposal(w, UNSIGNED)),
    "a proposal signed by another": ("WrongSignature", lambda w: signed_by(w, 2)),
    "a proposal of another chain": ("WrongSignature", lambda w: of_another_chain(w).signed(w.proposal(1))),
    "a proposal of a future round": ("OutOfWindow", lambda w: w.signed(w.proposal(5))),
    "a proposal of the wrong leader": (
        "WrongLeader",
        lambda w: w.signed(replace(w.proposal(1), proposer=ValidatorIndex(2), id=Hash32(b""))),
    ),
    "a certificate of too few": (
        "InvalidCertificate",
        lambda w: SyncInfo(w.certificate(w.proposal(1), voters=(1, 2)), None),
    ),
    "a certificate with a forged vote": (
        "WrongSignature",
        lambda w: SyncInfo(of_another_chain(w).certificate(w.proposal(1)), None),
    ),
    "a certificate of round 0 that is not genesis": (
        "InvalidCertificate",
        lambda w: SyncInfo(replace(w.genesis_certificate(), proposal=Hash32(b"g" * 32)), None),
    ),
    "a timeout certificate of too few": (
        "InvalidCertificate",
        lambda w: SyncInfo(w.genesis_certificate(), w.timeout_certificate(1, (0, 0))),
    ),
    "proposals that nobody asked for": ("UnexpectedProposals", lambda _: Proposals((), None)),
}


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_by_name_and_nothing_follows_from_it(name: str) -> None:
    reason, made = BAD[name]
    world = LoneCore()
    commands = world.receive(made(world), sender=3)
    assert reasons(commands) == [reason]
    assert not persisted(commands)
    assert not sent(commands, Vote)
    assert world.core.status().round == 1


def kept(world: LoneCore) -> int:
    """How many messages of others are in memory."""
    core = world.core
    collectors = (core._voting._votes._rounds, core._synchronizer._timeouts._rounds)
    return sum(len(round) for rounds in collectors for round in rounds.values()) + len(core._state.tree)


def test_validly_signed_votes_and_timeouts_of_any_rounds_fill_a_bounded_memory() -> None:
    world = LoneCore()
    for round in range(1, 2_000):
        world.receive(world.vote(world.proposal(round), 2), sender=2)
        world.receive(world.timeout(round, by=2), sender=2)
    assert kept(world) <= 2 * (ROUND_WINDOW + 1) + 1
    assert len(world.core._authenticator._verified) < 4_200


def test_a_flood_of_different_proposals_by_a_leader_keeps_one() -> None:
    world = LoneCore()
    refused = [
        reason
        for tag in range(100)
        for reason in reasons(world.propose(world.proposal(1, transactions=(tag.to_bytes(2, "big"),))))
    ]
    assert refused == ["Equivocation"] * 99
    assert kept(world) <= 3


def test_replayed_messages_change_nothing() -> None:
    world = LoneCore()
    first = world.proposal(1)
    second = world.proposal(2, world.certificate(first), makes_block=False)
    third = world.proposal(3, world.certificate(second), makes_block=False)
    for each in (first, second, third):
        world.propose(each)
    before, memory = world.core.status(), kept(world)
    for _ in range(50):
        for each in (first, second):
            assert not persisted(world.propose(each))
            assert not persisted(world.receive(world.vote(each, 2), sender=2))
        assert not persisted(world.receive(world.timeout(1, by=2), sender=2))
    assert world.core.status() == before
    assert kept(world) == memory


def test_a_timeout_certificate_counts_no_signer_twice() -> None:
    world = LoneCore()
    good = world.timeout_certificate(1)
    twice = replace(good, timeouts=(good.timeouts[0], *good.timeouts[:2]))
    assert reasons(world.receive(SyncInfo(world.genesis_certificate(), twice))) == ["InvalidCertificate"]
