"""Which round it is and how long to wait in it.

Rounds end by a certificate or by a timeout certificate. The wait grows by half with each round in a row that timed
out and falls back with the next certificate. A leader that let its last round pass without proposing is suspected:
its next round, if it directly follows a certificate, gets a short wait. That never matters for safety. For liveness,
it shortens no two rounds in a row and only while the suspects hold less than a third of the stake, so the other
leaders keep the full, growing wait; and one proposal, however late, ends the suspicion.
"""

from chain.types import Round, ValidatorIndex
from consensus.leaders import LeaderSchedule
from consensus.validators import ValidatorSet

BASE_TIMEOUT_MS = 200
SUSPECTED_TIMEOUT_MS = 50
MAX_TIMEOUT_MS = 5_000
VERIFICATION_DELAY_MS = 20
"""How long a leader holds back a proposal that would only carry a result. Shorter than any wait for a proposal."""


class Pacemaker:
    def __init__(self, leaders: LeaderSchedule, validators: ValidatorSet, round: Round) -> None:
        self._leaders = leaders
        self._validators = validators
        self.round = round
        self._timed_out_rounds = 0
        self._suspected: set[ValidatorIndex] = set()

    @property
    def leader(self) -> ValidatorIndex:
        return self._leaders.leader(self.round)

    def leader_of(self, round: Round) -> ValidatorIndex:
        return self._leaders.leader(round)

    def advance_by_certificate(self, round: Round) -> bool:
        """A certificate of `round` was seen. True if that ends the current round."""
        if round < self.round:
            return False
        self.round = Round(round + 1)
        self._timed_out_rounds = 0
        return True

    def advance_by_timeout(self, round: Round, proposed: bool) -> bool:
        """A timeout certificate of `round` was seen; `proposed` says whether its leader had proposed."""
        if round < self.round:
            return False
        if not proposed:
            self._suspected.add(self.leader_of(round))
        self.round = Round(round + 1)
        self._timed_out_rounds += 1
        return True

    def heard_from(self, leader: ValidatorIndex) -> None:
        """A proposal of that leader arrived."""
        self._suspected.discard(leader)

    def suspects(self, leader: ValidatorIndex) -> bool:
        return leader in self._suspected

    @property
    def suspected(self) -> tuple[ValidatorIndex, ...]:
        """The leaders that let their last round pass without proposing."""
        return tuple(sorted(self._suspected))

    def timeout_ms(self, attempt: int) -> int:
        """How long to wait before giving up the current round, or (attempt > 0) before saying so again."""
        if attempt == 0 and self._timed_out_rounds == 0 and self._skips_quickly():
            return SUSPECTED_TIMEOUT_MS
        exponent = min(self._timed_out_rounds + attempt, 16)
        return min(int(BASE_TIMEOUT_MS * 1.5**exponent), MAX_TIMEOUT_MS)

    def _skips_quickly(self) -> bool:
        return self.suspects(self.leader) and not self._validators.exceeds_a_third(self._suspected)
