"""The predicates alone, under an adversary that owns the network, all leaders and one of four votes.

Independent of the core: a replica here is three values. The adversary draws what is proposed on which certificate, who
hears of it, and whose timeouts make a timeout certificate; the oracle is the definition of agreement itself, that all
that is committed lies on one branch.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from chain.proposals import Certificate, Proposal, SignedTimeout, SignedVote, TimeoutCertificate
from chain.types import Hash32, Round, ValidatorIndex
from consensus.hotstuff import ChainedHotStuff
from consensus.hotstuff2 import HotStuff2
from consensus.hotstuff3 import HotStuff3
from consensus.safety import Ancestor
from consensus.tree import GENESIS_EXECUTED
from tests.consensus.lone_core import LoneCore

HONEST = (0, 1, 2)
ROUNDS = 9
WORLDS = 400
GENESIS = LoneCore().genesis_certificate()


@dataclass(slots=True)
class Voter:
    last_voted_round: Round = Round(0)
    lock: Certificate = GENESIS
    highest: Certificate = GENESIS

    def learn(self, certificate: Certificate) -> None:
        if certificate.round > self.highest.round:
            self.highest = certificate


class Disagreement(Exception):
    """Two committed proposals on different branches."""


@dataclass(slots=True)
class Adversary:
    rules: ChainedHotStuff
    random: random.Random
    voters: list[Voter] = field(default_factory=lambda: [Voter() for _ in HONEST])
    proposals: dict[Hash32, Proposal] = field(default_factory=dict)
    certificates: list[Certificate] = field(default_factory=lambda: [GENESIS])
    committed: list[Hash32] = field(default_factory=list)

    def play(self) -> int:
        """Returns how many proposals were committed. Raises Disagreement."""
        for round in range(1, ROUNDS + 1):
            timeouts = self._timeouts(Round(round - 1))
            for tag in range(self.random.choice((1, 1, 2))):
                self._propose(Round(round), timeouts, bytes((tag,)))
        return len(set(self.committed))

    def _propose(self, round: Round, timeouts: TimeoutCertificate | None, tag: bytes) -> None:
        certificate = self.random.choice(self.certificates[-4:])
        proposal = Proposal(
            certificate.proposal,
            round,
            ValidatorIndex(0),
            certificate,
            timeouts,
            GENESIS_EXECUTED.height,
            None,
            GENESIS_EXECUTED,
            (tag,),
        )
        self.proposals[proposal.id] = proposal
        hearers = [i for i in HONEST if self.random.random() < 0.8]
        voted = [i for i in hearers if self._vote(self.voters[i], proposal)]
        if len(voted) >= 2:  # the fourth, which is the adversary's, votes for everything
            self._certify(proposal)

    def _vote(self, voter: Voter, proposal: Proposal) -> bool:
        if not self.rules.may_vote(proposal, voter.last_voted_round, voter.lock):
            return False
        voter.lock = self.rules.lock_after_vote(proposal, voter.lock, self.proposals.get)
        voter.learn(proposal.certificate)
        voter.last_voted_round = proposal.round
        return True

    def _certify(self, proposal: Proposal) -> None:
        certificate = Certificate(
            proposal.id, proposal.round, tuple(SignedVote(ValidatorIndex(i), b"") for i in HONEST)
        )
        self.certificates.append(certificate)
        for voter in self.voters:
            if self.random.random() < 0.3:
                voter.learn(certificate)
        committed = self.rules.committed_by(proposal, self.proposals.get)
        if committed is not None:
            self.committed.append(committed)
            self._check(committed)

    def _timeouts(self, round: Round) -> TimeoutCertificate | None:
        """Two honest replicas give the round up and say what they know; the third signer says it knows nothing."""
        if round == 0:
            return None
        signers = self.random.sample(HONEST, 2)
        for i in signers:
            self.voters[i].last_voted_round = max(self.voters[i].last_voted_round, round)
        said = [(ValidatorIndex(i), Round(min(self.voters[i].highest.round, round - 1))) for i in signers]
        said.append((ValidatorIndex(3), Round(0)))
        return TimeoutCertificate(round, tuple(SignedTimeout(i, highest, b"") for i, highest in said))

    def _check(self, newest: Hash32) -> None:
        for other in self.committed:
            if other not in self._branch(newest) and newest not in self._branch(other):
                raise Disagreement

    def _branch(self, id: Hash32) -> set[Hash32]:
        branch = set()
        while id in self.proposals:
            branch.add(id)
            id = self.proposals[id].parent
        return branch


def outcomes(rules: ChainedHotStuff) -> tuple[int, int | None]:
    """Over all seeds: how many proposals were committed, and the first seed that ended in disagreement."""
    commits = 0
    for seed in range(WORLDS):
        try:
            commits += Adversary(rules, random.Random(seed)).play()
        except Disagreement:
            return commits, seed
    return commits, None


@pytest.mark.parametrize("rules", [HotStuff2(), HotStuff3()], ids=lambda rules: rules.name)
def test_whatever_the_adversary_does_all_commits_lie_on_one_branch(rules: ChainedHotStuff) -> None:
    commits, disagreed = outcomes(rules)
    assert disagreed is None, f"seed {disagreed}"
    assert commits > 20, "the adversary let nothing through, so nothing was tested"


class NoTimeoutCheck(HotStuff2):
    """Takes any timeout certificate of the round before, whatever its signers knew."""

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        return proposal.round > last_voted_round and proposal.parent == proposal.certificate.proposal


class CommitOneCertificateEarly2(HotStuff2):
    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        return certified.id


class CommitAcrossGaps2(HotStuff2):
    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        parent = ancestor(certified.parent)
        return None if parent is None else parent.id


class NoLockCheck(HotStuff3):
    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        return proposal.round > last_voted_round


class LockTooLate(HotStuff3):
    """Locks on the certificate three links back."""

    def lock_after_vote(self, proposal: Proposal, lock: Certificate, ancestor: Ancestor) -> Certificate:
        parent = ancestor(proposal.parent)
        grandparent = None if parent is None else ancestor(parent.parent)
        if grandparent is None or grandparent.certificate.round <= lock.round:
            return lock
        return grandparent.certificate


class CommitOneCertificateEarly3(HotStuff3):
    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        parent = ancestor(certified.parent)
        return parent.id if parent is not None and certified.round == parent.round + 1 else None


class CommitAcrossGaps3(HotStuff3):
    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        child = ancestor(certified.parent)
        first = None if child is None else ancestor(child.parent)
        return None if first is None else first.id


BROKEN: Sequence[ChainedHotStuff] = (
    NoTimeoutCheck(),
    CommitOneCertificateEarly2(),
    CommitAcrossGaps2(),
    NoLockCheck(),
    LockTooLate(),
    CommitOneCertificateEarly3(),
    CommitAcrossGaps3(),
)


@pytest.mark.parametrize("rules", BROKEN, ids=lambda rules: type(rules).__name__)
def test_every_broken_rule_ends_in_disagreement(rules: ChainedHotStuff) -> None:
    assert outcomes(rules)[1] is not None
