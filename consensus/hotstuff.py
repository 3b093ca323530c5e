"""The chained HotStuff family: one core, one set of messages, one safety record, and three predicates that differ.

A member says when a vote is safe, what a vote locks on and what a certificate commits. Rounds, timeouts, certificates
and catching up are the same for all of them, in `core.py` and the files it is built from.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.core import Core
from consensus.rules import ConsensusCore, Seat
from consensus.safety import Ancestor, SafetyData
from consensus.wire import FetchProposals, ProposalMessage, Proposals, SyncInfo, Timeout, Vote


class ChainedHotStuff(ABC):
    """Implements `consensus.rules.RuleSet` and, by its members, `consensus.safety.SafetyRules`."""

    name: ClassVar[str]
    messages: ClassVar[tuple[type[Any], ...]] = (ProposalMessage, Vote, Timeout, SyncInfo, FetchProposals, Proposals)
    safety: ClassVar[type[Any]] = SafetyData

    def core(self, seat: Seat) -> ConsensusCore:
        return Core(seat, self)

    def commits(self, proposal: Proposal, following: Sequence[Proposal]) -> bool:
        """An honest validator among the signers has checked that each proposal carries its parent's certificate."""
        chain = {one.id: one for one in (proposal, *following)}
        return bool(following) and self.committed_by(following[-1], chain.get) is not None

    @abstractmethod
    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool: ...

    @abstractmethod
    def lock_after_vote(self, proposal: Proposal, lock: Certificate, ancestor: Ancestor) -> Certificate: ...

    @abstractmethod
    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None: ...
