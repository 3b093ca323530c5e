"""What a rule set decides: whom to vote for, what to lock on, when a proposal is committed.

Everything else (rounds, signatures, certificates, catching up) is the same for every rule set. A rule set keeps no
state of its own, so that what must survive a restart is all in `SafetyData`.
"""

from collections.abc import Callable
from typing import Protocol

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round

Ancestor = Callable[[Hash32], Proposal | None]
"""Looks up a proposal by id: None below the last committed one, which needs no decision any more."""


class RuleSet(Protocol):
    name: str

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        """Whether a vote for this well-formed, properly signed proposal is safe."""
        ...

    def lock_after_vote(self, proposal: Proposal, lock: Certificate) -> Certificate:
        """The lock once `proposal` was voted for."""
        ...

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        """The newest proposal that a certificate for `certified` commits, if it commits any."""
        ...
