"""What a replica must never forget, or it could contradict itself after a restart."""

from dataclasses import dataclass

from chain.proposals import Certificate, TimeoutCertificate
from chain.types import Round
from consensus.wire import Vote


@dataclass(frozen=True, slots=True)
class SafetyData:
    """Durable before any signature made from it leaves.

    `last_voted_round` is the newest round voted or timed out in; `vote` the newest vote itself, given again to whoever
    asks again. `highest` is the highest certificate known, never below `lock`. `timeout_certificate` is the newest
    known, which a leader may need to justify its proposal.
    """

    last_voted_round: Round
    vote: Vote | None
    lock: Certificate
    highest: Certificate
    timeout_certificate: TimeoutCertificate | None

    @property
    def next_round(self) -> Round:
        """The round that the certificates known put a replica in."""
        timed_out = Round(0) if self.timeout_certificate is None else self.timeout_certificate.round
        return Round(max(self.highest.round, timed_out) + 1)


def initial_safety(genesis: Certificate) -> SafetyData:
    return SafetyData(Round(0), None, genesis, genesis, None)
