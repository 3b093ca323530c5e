"""What a peer may say that nobody acts on: each kind is refused by name, and none of it is kept."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import pytest

from chain.proposals import Proposal
from chain.types import Hash32, Round, ValidatorIndex
from consensus.chain_state import ROUND_WINDOW
from consensus.commands import Report
from consensus.errors import Late
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
    "a vote of nobody": ("SecondHand", lambda w: vote(w, validator=STRANGER)),
    "a vote of a negative validator": ("SecondHand", lambda w: vote(w, validator=ValidatorIndex(-1))),
    "a vote of a future round": ("OutOfWindow", lambda w: w.vote(w.proposal(2 + ROUND_WINDOW), 2)),
    "a vote without a signature": ("WrongSignature", lambda w: vote(w, signature=b"")),
    "an unsigned timeout": ("WrongSignature", lambda w: timeout(w, signature=UNSIGNED)),
    "a timeout signed by another": ("WrongSignature", lambda w: timeout(w, validator=ValidatorIndex(3))),
    "a timeout of another chain": ("WrongSignature", lambda w: of_another_chain(w).timeout(1, by=2)),
    "a timeout of nobody": ("SecondHand", lambda w: timeout(w, validator=STRANGER)),
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
        lambda w: w.signed(replace(w.proposal(1), proposer=ValidatorIndex(2))),
    ),
    "a certificate of too few": (
        "InvalidCertificate",
        lambda w: SyncInfo(w.certificate(w.proposal(1), voters=(1, 2)), None),
    ),
    "a certificate that nobody signed": (
        "UnknownValidator",
        lambda w: SyncInfo(w.certificate(w.proposal(1), voters=(1, 2, STRANGER)), None),
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
    commands = world.receive(made(world))
    assert reasons(commands) == [reason]
    assert not persisted(commands)
    assert not sent(commands, Vote)
    assert world.core.status().round == 1


def kept(world: LoneCore) -> int:
    """How many messages of others are in memory."""
    core = world.core
    votes, timeouts = core._voting._votes, core._synchronizer._timeouts
    collectors: tuple[Mapping[Round, Collection[object]], ...] = (votes._rounds, votes._late, timeouts._rounds)
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
    second = world.proposal(2, world.certificate(first), takes_height=False)
    third = world.proposal(3, world.certificate(second), takes_height=False)
    for each in (first, second, third):
        world.propose(each)

    def replay() -> None:
        for each in (first, second):
            assert not persisted(world.propose(each))
            assert not persisted(world.receive(world.vote(each, 2)))
        assert not persisted(world.receive(world.timeout(1, by=2)))

    before = world.core.status()
    replay()
    memory = kept(world)
    for _ in range(50):
        replay()
    assert world.core.status() == before
    assert kept(world) == memory


def advanced() -> tuple[LoneCore, list[Proposal]]:
    """A validator in round 4, where round 1 is committed and the others are certified."""
    world = LoneCore()
    proposals = [world.proposal(1)]
    for round in (2, 3):
        proposals.append(world.proposal(round, world.certificate(proposals[-1]), takes_height=False))
    for proposal in proposals:
        world.propose(proposal)
    world.receive(SyncInfo(world.certificate(proposals[-1]), None))
    return world, proposals


USUAL: dict[str, tuple[str, Callable[[LoneCore, list[Proposal]], PeerMessage]]] = {
    "a vote for what has its certificate": ("LateVote", lambda w, p: w.vote(p[2], 2)),
    "a timeout of an earlier round": ("LateTimeout", lambda w, p: w.timeout(2, by=2, certificate=w.certificate(p[0]))),
    "a committed proposal": ("LateProposal", lambda w, p: w.signed(p[0])),
    "a known proposal": ("KnownProposal", lambda w, p: w.signed(p[2])),
    "a certificate that is known": ("OldNews", lambda w, p: SyncInfo(w.certificate(p[2]), None)),
    "a certificate older than what is known": ("OldNews", lambda w, p: SyncInfo(w.certificate(p[0]), None)),
}


@pytest.mark.parametrize("name", USUAL)
def test_what_honest_peers_say_late_too_is_dropped_under_a_name_that_tells_so(name: str) -> None:
    reason, made = USUAL[name]
    world, proposals = advanced()
    commands = world.receive(made(world, proposals))
    assert reasons(commands) == [reason]
    assert all(isinstance(c.error, Late) for c in commands if isinstance(c, Report))
    assert not sent(commands, Vote)
    assert world.core.status().round == 4


def test_a_timeout_said_again_is_known_and_one_with_a_newer_certificate_is_not() -> None:
    world, proposals = advanced()
    older = world.timeout(4, by=2, certificate=world.certificate(proposals[1]))
    assert reasons(world.receive(older)) == []
    assert reasons(world.receive(older)) == ["RepeatedTimeout"]
    newer = world.timeout(4, by=2, certificate=world.certificate(proposals[2]))
    assert reasons(world.receive(newer)) == []
    assert reasons(world.receive(older)) == ["RepeatedTimeout"]


def test_a_vote_may_come_late_once_and_after_that_it_is_replayed() -> None:
    world, proposals = advanced()
    said = [reason for _ in range(3) for reason in reasons(world.receive(world.vote(proposals[2], 2)))]
    assert said == ["LateVote", "RepeatedVote", "RepeatedVote"]


def test_what_someone_who_was_away_for_long_said_last_is_late_however_often_it_comes() -> None:
    world, proposals = advanced()
    world.receive(SyncInfo(world.certificate(world.proposal(4 + ROUND_WINDOW)), None))
    for old, reason in ((world.vote(proposals[0], 2), "OldVote"), (world.signed(proposals[0]), "LateProposal")):
        for _ in range(2):
            said = world.receive(old)
            assert reasons(said) == [reason]
            assert all(isinstance(c.error, Late) for c in said if isinstance(c, Report))


def test_a_vote_that_was_counted_is_known_also_when_its_round_is_over() -> None:
    world = LoneCore(me=2)
    first = world.proposal(1)
    world.propose(first)
    vote = world.vote(first, 1)
    assert reasons(world.receive(vote)) == []
    world.receive(SyncInfo(world.certificate(first), None))
    again = world.receive(vote)
    assert reasons(again) == ["RepeatedVote"]
    assert all(isinstance(c.error, Late) for c in again if isinstance(c, Report)), "as a restart makes an honest one do"


@pytest.mark.parametrize("name", ["proposal", "vote", "timeout"])
def test_nobody_says_what_another_signed(name: str) -> None:
    """Valid, and a replay all the same: validators pass on nothing of each other but certificates."""
    world = LoneCore()
    first = world.proposal(1)
    said: dict[str, PeerMessage] = {
        "proposal": world.signed(first),
        "vote": world.vote(first, 2),
        "timeout": world.timeout(1, by=2),
    }
    before = kept(world)
    commands = world.receive(said[name], sender=3)
    assert reasons(commands) == ["SecondHand"]
    assert [c.peer for c in commands if isinstance(c, Report)] == [3]
    assert kept(world) == before


def test_late_votes_of_all_rounds_fill_a_bounded_memory() -> None:
    world = LoneCore()
    parent = world.proposal(1)
    world.propose(parent)
    for round in range(2, 200):
        parent = world.proposal(round, world.certificate(parent), takes_height=False)
        world.propose(parent)
        world.receive(SyncInfo(world.certificate(parent), None))
        for voter in (1, 2, 3):
            world.receive(world.vote(parent, voter))
    assert kept(world) <= (3 + 4) * (ROUND_WINDOW + 2)


def test_a_timeout_certificate_counts_no_signer_twice() -> None:
    world = LoneCore()
    good = world.timeout_certificate(1)
    twice = replace(good, timeouts=(good.timeouts[0], *good.timeouts[:2]))
    assert reasons(world.receive(SyncInfo(world.genesis_certificate(), twice))) == ["InvalidCertificate"]
