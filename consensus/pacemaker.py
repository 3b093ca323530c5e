"""Which round it is and how long to wait in it.

Rounds end by a certificate or by a timeout certificate. How long to wait for one is learnt: twice the median of what
the last rounds took, so that one slow leader does not slow the others (the idea of TCP's timeout, RFC 6298), and never
less than the base. On top of that the wait grows by half with each round that timed out since the last commit, and
falls back with the next one. Not with the next certificate: a commit takes two or three of them in a row, and where
every other round fails for want of patience there would never be one (DiemBFT counts from the last commit too).

A leader that let its last round pass without proposing is suspected: its next round, if it directly follows a
certificate, gets a short wait. That never matters for safety. For liveness, it shortens no two rounds in a row and
only while the suspects hold less than a third of the stake, so the other leaders keep the full, growing wait; and one
proposal, however late, ends the suspicion.
"""

from collections import deque
from statistics import median

from chain.types import Round, ValidatorIndex
from consensus.leaders import LeaderSchedule
from consensus.validators import ValidatorSet

BASE_TIMEOUT_MS = 200
MAX_TIMEOUT_MS = 5_000
GROWTH = 1.5
MAX_REPEAT_MS = 1_000
"""The longest pause before a timeout is said again: a peer that comes back unnoticed must not wait for long."""
MEASURED_ROUNDS = 8
UNHURRIED_DELAY_MS = 20
"""How long a leader holds back a proposal that nobody waits for (`production.Work`). Shorter than any wait for one."""
ANNOUNCE_DELAY_MS = UNHURRIED_DELAY_MS + 5
"""How long a leader keeps a certificate that it has no proposal for. Longer than a proposal waits that carries the
result, and so the certificate: nobody waits for this one, since execution has a proof of what it commits
(`commit_proofs.py`), and whoever hears of it checks it with the processors that the block is executed with."""
SECOND_COUNTER_DELAY_MS = ANNOUNCE_DELAY_MS + 15
"""When a vote goes to the leader of its own round as well. Longer than what usually becomes of a vote, or of the
silence after the last certificate."""
SUSPECTED_TIMEOUT_MS = SECOND_COUNTER_DELAY_MS + 10
"""How long a suspected leader is waited for: longer than any of these delays."""

GATHER_QUIET_MS = 3
"""A block that gathers transactions (`production.Work`) leaves when none came for so long."""
GATHER_MOST_MS = 25
"""The longest that it waits."""
MANY = 100
"""So many transactions take longer to execute than a block costs: who sends them is not kept waiting by the block."""
GATHER_QUIET_LOOKS_WITH_MANY = 3
"""With so many a block leaves when none came for that many times `GATHER_QUIET_MS`: the processors are busy, so that
who takes them in may not have had a turn."""
GATHER_MOST_MS_WITH_MANY = 60
"""The longest that it waits for still more then. A leader that may be suspected gathers nothing: nobody would wait."""


class Pacemaker:
    """`now_ms` is set by whoever handles events, before each."""

    def __init__(self, leaders: LeaderSchedule, validators: ValidatorSet, round: Round) -> None:
        self._leaders = leaders
        self._validators = validators
        self.round = round
        self.now_ms = 0
        self._since_ms: int | None = None
        self._took_ms: deque[int] = deque(maxlen=MEASURED_ROUNDS)
        self._since_certificate = 0
        self._since_commit = 0
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
        if round == self.round and self._since_ms is not None:
            self._took_ms.append(self.now_ms - self._since_ms)
        self._enter(Round(round + 1))
        self._since_certificate = 0
        return True

    def advance_by_timeout(self, round: Round, proposed: bool) -> bool:
        """A timeout certificate of `round` was seen; `proposed` says whether its leader had proposed."""
        if round < self.round:
            return False
        if not self._skips_quickly():
            self._since_commit += 1
        if not proposed:
            self._suspected.add(self.leader_of(round))
        self._enter(Round(round + 1))
        self._since_certificate += 1
        return True

    def committed(self) -> None:
        """The chain grew."""
        self._since_commit = 0

    def heard_from(self, leader: ValidatorIndex) -> None:
        """A proposal of that leader arrived, or was made here."""
        self._suspected.discard(leader)

    def suspects(self, leader: ValidatorIndex) -> bool:
        return leader in self._suspected

    @property
    def suspected(self) -> tuple[ValidatorIndex, ...]:
        """The leaders that let their last round pass without proposing."""
        return tuple(sorted(self._suspected))

    def begin_wait(self, attempt: int) -> int:
        """Milliseconds to wait from now before giving up the current round, or (attempt > 0) saying so again."""
        if attempt > 0:
            return min(_grown(BASE_TIMEOUT_MS, attempt), MAX_REPEAT_MS)
        self._since_ms = self.now_ms
        if self._skips_quickly():
            return SUSPECTED_TIMEOUT_MS
        usual = max(BASE_TIMEOUT_MS, round(2 * median(self._took_ms)) if self._took_ms else 0)
        return min(_grown(usual, self._since_commit), MAX_TIMEOUT_MS)

    def _enter(self, round: Round) -> None:
        self.round = round
        self._since_ms = None

    def _skips_quickly(self) -> bool:
        suspected = self.suspects(self.leader) and not self._validators.exceeds_a_third(self._suspected)
        return suspected and self._since_certificate == 0


def _grown(milliseconds: int, times: int) -> int:
    return int(milliseconds * GROWTH ** min(times, 16))
