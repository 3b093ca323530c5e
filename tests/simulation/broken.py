"""Rule sets broken on purpose: each lacks one thing that safety rests on. The simulation must catch every one.

Each class goes before a sound member of the HotStuff family and replaces the one thing.
"""

from dataclasses import replace

from chain.proposals import Certificate, Proposal, SignedVote
from chain.types import Hash32, Round
from consensus.authentication import Authenticator, genesis_certificate
from consensus.core import Core
from consensus.errors import InvalidCertificate
from consensus.hotstuff import ChainedHotStuff
from consensus.registry import rule_set
from consensus.rules import ConsensusCore, RuleSet, Seat
from consensus.safety import Ancestor, SafetyData
from consensus.validators import ValidatorSet
from consensus.votes import VoteCollector
from consensus.wire import Vote


class VotesForAnything(ChainedHotStuff):
    """Votes without the check against the lock (three phases) or of the leader's justification (two phases)."""

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        return proposal.parent == proposal.certificate.proposal and proposal.round > last_voted_round


class CommitsEarly(ChainedHotStuff):
    """Commits one certificate before the rule does."""

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        if self.name == "hotstuff-2":
            return certified.id
        parent = ancestor(certified.parent)
        return parent.id if parent is not None and certified.round == parent.round + 1 else None


class ForgetsItsVotes(ChainedHotStuff):
    """After a restart it does not know in which rounds it voted or gave up."""

    def core(self, seat: Seat) -> ConsensusCore:
        return super().core(_remembering(seat, last_voted_round=Round(0), vote=None))


class ForgetsItsLock(ChainedHotStuff):
    """The lock is in memory only, and so is the highest certificate, which is never below it."""

    def core(self, seat: Seat) -> ConsensusCore:
        genesis = genesis_certificate(seat.genesis.id())
        return super().core(_remembering(seat, lock=genesis, highest=genesis))


class CountsTwice(ChainedHotStuff):
    """A vote that arrives twice counts twice, in its own certificates and in those of others."""

    def core(self, seat: Seat) -> ConsensusCore:
        core = super().core(seat)
        assert isinstance(core, Core)
        core._voting._votes = _CarelessCollector(ValidatorSet(seat.genesis.validators))
        core._authenticator.__class__ = _CarelessAuthenticator
        return core


class _CarelessCollector(VoteCollector):
    def __init__(self, validators: ValidatorSet) -> None:
        super().__init__(validators)
        self._all: dict[tuple[Round, Hash32], list[Vote]] = {}

    def has(self, vote: Vote) -> bool:
        return False

    def add(self, vote: Vote) -> Certificate | None:
        votes = self._all.setdefault((vote.round, vote.proposal), [])
        if self._validators.is_quorum(v.validator for v in votes):
            return None
        votes.append(vote)
        if not self._validators.is_quorum(v.validator for v in votes):
            return None
        return Certificate(vote.proposal, vote.round, tuple(SignedVote(v.validator, v.signature) for v in votes))


class _CarelessAuthenticator(Authenticator):
    def _check_quorum(self, kind: str, round: Round, signers: object) -> None:
        assert isinstance(signers, list)
        for signer in signers:
            self._validators.check_index(signer)
        if not self._validators.is_quorum(signers):
            raise InvalidCertificate(f"too few {kind}s in a certificate of round {round}")


BREAKAGES: dict[str, type] = {
    "votes without the lock check": VotesForAnything,
    "commits one certificate early": CommitsEarly,
    "forgets last_voted_round on restart": ForgetsItsVotes,
    "counts a duplicate vote twice": CountsTwice,
    "keeps the lock only in memory": ForgetsItsLock,
}


def broken(breakage: str, rules: str) -> RuleSet:
    """The rule set of that name with that breakage."""
    sound = type(rule_set(rules))
    made: RuleSet = type(f"Broken{sound.__name__}", (BREAKAGES[breakage], sound), {})()
    return made


def _remembering(seat: Seat, **forgotten: object) -> Seat:
    """The same seat with a safety record that says something else, if it has one at all."""
    safety = seat.recovered.safety
    if safety is None:
        return seat
    assert isinstance(safety, SafetyData)
    changed = replace(safety, **forgotten)  # type: ignore[arg-type]
    return replace(seat, recovered=replace(seat.recovered, safety=changed))
