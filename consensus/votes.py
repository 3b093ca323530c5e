"""Turns votes into certificates, and timeouts into timeout certificates. Each validator counts once a round."""

from chain.proposals import Certificate, SignedTimeout, SignedVote, TimeoutCertificate
from chain.types import Round, ValidatorIndex
from consensus.errors import Equivocation
from consensus.validators import ValidatorSet
from consensus.wire import Vote


class VoteCollector:
    """Votes whose signatures verified, by round. Whoever adds decides which rounds are near enough to keep."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._rounds: dict[Round, dict[ValidatorIndex, Vote]] = {}
        self._late: dict[Round, set[ValidatorIndex]] = {}

    def has(self, vote: Vote) -> bool:
        """Whether this very vote was counted."""
        return self._rounds.get(vote.round, {}).get(vote.validator) == vote

    def late_again(self, vote: Vote) -> bool:
        """Notes a vote that is too late to count: whether its signer sent one for that round before."""
        signers = self._late.setdefault(vote.round, set())
        again = vote.validator in signers
        signers.add(vote.validator)
        return again

    def add(self, vote: Vote) -> Certificate | None:
        """The certificate that this vote completes, once. Raises Equivocation for a second, different vote."""
        votes = self._rounds.setdefault(vote.round, {})
        earlier = votes.get(vote.validator)
        if earlier is not None:
            if earlier.proposal != vote.proposal:
                raise Equivocation("vote", vote.validator, vote.round)
            return None
        before = [v for v, other in votes.items() if other.proposal == vote.proposal]
        votes[vote.validator] = vote
        if self._validators.is_quorum(before) or not self._validators.is_quorum([*before, vote.validator]):
            return None
        signers = sorted([*before, vote.validator])
        return Certificate(vote.proposal, vote.round, tuple(SignedVote(v, votes[v].signature) for v in signers))

    def forget_up_to(self, round: Round) -> None:
        for rounds in (self._rounds, self._late):
            for old in [r for r in rounds if r <= round]:
                del rounds[old]


class TimeoutCollector:
    """Timeouts whose signatures verified, by round. A validator that learnt a higher certificate may sign again."""

    def __init__(self, validators: ValidatorSet) -> None:
        self._validators = validators
        self._rounds: dict[Round, dict[ValidatorIndex, SignedTimeout]] = {}

    def add(self, round: Round, timeout: SignedTimeout) -> bool:
        """False if it says nothing new."""
        timeouts = self._rounds.setdefault(round, {})
        earlier = timeouts.get(timeout.validator)
        if earlier is not None and earlier.highest_certificate_round >= timeout.highest_certificate_round:
            return False
        timeouts[timeout.validator] = timeout
        return True

    def any_in(self, round: Round) -> bool:
        return bool(self._rounds.get(round))

    def exceeds_a_third(self, round: Round) -> bool:
        return self._validators.exceeds_a_third(self._rounds.get(round, {}))

    def certificate(self, round: Round) -> TimeoutCertificate | None:
        """The timeout certificate of `round`, if a quorum gave it up."""
        timeouts = self._rounds.get(round, {})
        if not self._validators.is_quorum(timeouts):
            return None
        return TimeoutCertificate(round, tuple(timeouts[v] for v in sorted(timeouts)))

    def forget_up_to(self, round: Round) -> None:
        for old in [r for r in self._rounds if r <= round]:
            del self._rounds[old]
