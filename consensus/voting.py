"""Votes: giving one when the rules allow it, and counting those of others."""

from dataclasses import replace

from chain.proposals import Certificate, Proposal
from chain.types import Round, ValidatorIndex
from consensus.authentication import Authenticator
from consensus.chain_state import ROUND_WINDOW, ChainState
from consensus.errors import ExecutionConflict, LateVote, OldVote, OutOfWindow, RepeatedVote
from consensus.outbox import Outbox
from consensus.results import Agreement
from consensus.safety import SafetyRules
from consensus.signatures import Signer, SigningDomain
from consensus.votes import VoteCollector
from consensus.wire import Vote


class Voting:
    def __init__(
        self,
        me: ValidatorIndex,
        state: ChainState,
        rules: SafetyRules,
        signer: Signer,
        domain: SigningDomain,
        authenticator: Authenticator,
        votes: VoteCollector,
        outbox: Outbox,
    ) -> None:
        self._me = me
        self._state = state
        self._rules = rules
        self._signer = signer
        self._domain = domain
        self._authenticator = authenticator
        self._votes = votes
        self._outbox = outbox
        self._formed: Certificate | None = None

    def vote_if_safe(self) -> None:
        """Votes for this round's proposal, unless the result it carries has yet to reach us.

        Raises ExecutionConflict, once, when the proposal carries another result than ours.
        """
        state, this_round = self._state, self._state.this_round
        proposal, safety = this_round.proposal, state.safety
        if proposal is None or this_round.refused:
            return
        if not self._rules.may_vote(proposal, safety.last_voted_round, safety.lock):
            return
        agreement = self._agreement(proposal)
        if agreement is Agreement.CONFLICT:
            this_round.refused = True
            height = proposal.executed.height
            raise ExecutionConflict(height, proposal.executed.header_hash, state.results.hash_of(height))
        if agreement is Agreement.SAME:
            self.vote(proposal)

    def vote(self, proposal: Proposal) -> None:
        """Votes without asking whether it may: for vote_if_safe, and for a leader's own proposal."""
        state = self._state
        content = self._domain.vote(proposal.round, proposal.id)
        vote = Vote(proposal.round, proposal.id, self._me, self._signer.sign(content))
        self._authenticator.trust(self._me, content, vote.signature)
        lock = self._rules.lock_after_vote(proposal, state.safety.lock, state.tree.proposal)
        state.remember(replace(state.safety, last_voted_round=proposal.round, vote=vote, lock=lock), synced=True)
        self._deliver(vote, self._first_counters(vote.round))

    def repeat(self, proposal: Proposal) -> None:
        """The same proposal came again: the same vote goes out again."""
        vote = self._state.safety.vote
        if vote is not None and vote.proposal == proposal.id and vote.round > self._state.safety.highest.round:
            self._deliver(vote, self._counters(vote.round))

    @property
    def may_be_lost(self) -> bool:
        """Whether this round's vote is with the next leader alone, and has led to nothing yet."""
        vote, this_round = self._state.safety.vote, self._state.this_round
        if vote is None or vote.round != self._state.round or this_round.told_second_counter:
            return False
        return len(self._counters(vote.round)) > 1 and self._state.pacemaker.leader != self._me

    def tell_second_counter(self) -> None:
        """Gives the vote to this round's leader too: the next one may be gone."""
        vote = self._state.safety.vote
        if vote is not None and vote.round == self._state.round:
            self._state.this_round.told_second_counter = True
            self._outbox.send((self._state.pacemaker.leader,), vote)

    def tell(self, peer: ValidatorIndex) -> None:
        """Gives a peer that connected this round's vote, if it counts them."""
        vote = self._state.safety.vote
        if vote is not None and vote.round == self._state.round and peer in self._counters(vote.round):
            self._outbox.send((peer,), vote)

    def take_vote(self, vote: Vote) -> None:
        """A peer's vote. Raises `Rejected` subclasses. What costs nothing is checked before the signature."""
        state = self._state
        if vote.round > state.round + ROUND_WINDOW:
            raise OutOfWindow(vote.round, state.round)
        if vote.round < state.round - ROUND_WINDOW:
            raise OldVote(vote.validator, vote.round, state.round)
        self._votes.forget_up_to(Round(state.round - ROUND_WINDOW - 1))
        certified = state.safety.highest.round
        if self._votes.has(vote) or (vote.round <= certified and self._votes.late_again(vote)):
            raise RepeatedVote(vote.validator, vote.round)
        if vote.round <= certified:
            raise LateVote(vote.validator, vote.round, certified)
        self._authenticator.check_vote(vote)
        self._count(vote)

    def formed(self) -> Certificate | None:
        """The certificate that was completed here since the last call, if any."""
        formed, self._formed = self._formed, None
        return formed

    def _agreement(self, proposal: Proposal) -> Agreement:
        """What an ancestor carried already was vouched for by a quorum."""
        parent = self._state.tree.get(proposal.parent)
        if parent is not None and proposal.executed == parent.executed:
            return Agreement.SAME
        return self._state.results.compare(proposal.executed)

    def _counters(self, round: Round) -> tuple[ValidatorIndex, ...]:
        """Who counts a round's votes: the next leader, which goes on from them, and this one, in case that is gone."""
        pacemaker = self._state.pacemaker
        this, following = pacemaker.leader_of(round), pacemaker.leader_of(Round(round + 1))
        return (following,) if this == following else (following, this)

    def _first_counters(self, round: Round) -> tuple[ValidatorIndex, ...]:
        """Who gets them at once: both only if the next leader seems to be gone."""
        counters = self._counters(round)
        if self._state.pacemaker.suspects(counters[0]):
            self._state.this_round.told_second_counter = True
            return counters
        return counters[:1]

    def _deliver(self, vote: Vote, to: tuple[ValidatorIndex, ...]) -> None:
        self._outbox.send(tuple(counter for counter in to if counter != self._me), vote)
        if self._me in self._counters(vote.round):
            self._count(vote)

    def _count(self, vote: Vote) -> None:
        certificate = self._votes.add(vote)
        if certificate is not None:
            self._formed = certificate
            self._state.learn_certificate(certificate, completed_here=True)
