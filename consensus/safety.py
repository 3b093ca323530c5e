"""What a replica of the HotStuff family must never forget, and the rules that say what may be done on top of it.

The rules keep no state of their own, so that what must survive a restart is all in `SafetyData`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chain.proposals import Certificate, Proposal, TimeoutCertificate
from chain.types import Hash32, Round
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


Ancestor = Callable[[Hash32], Proposal | None]
"""Looks up a proposal by id: None for genesis and below the last committed one, which need no decision any more."""


class SafetyRules(Protocol):
    """Whom to vote for, what to lock on, when a proposal is committed."""

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        """Whether a vote for this well-formed, properly signed proposal is safe."""
        ...

    def lock_after_vote(self, proposal: Proposal, lock: Certificate, ancestor: Ancestor) -> Certificate:
        """The lock once `proposal` was voted for."""
        ...

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        """The newest proposal that a certificate for `certified` commits, if it commits any."""
        ...
