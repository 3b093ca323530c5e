"""Two-phase chained HotStuff, as in Jolteon (Gelashvili et al., 2021, figure 2) and DiemBFT v4.

Two certificates in consecutive rounds commit. A leader that goes on from an older certificate must show, by a timeout
certificate, that a quorum knows of no newer one. Why that is safe: a quorum voted for the committed proposal's child
and is locked on the proposal's certificate since; every timeout certificate of a later round has one of them among its
signers, who signed a round at least that high; so no later proposal can build on anything older.
"""

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.hotstuff import ChainedHotStuff
from consensus.safety import Ancestor


class HotStuff2(ChainedHotStuff):
    name = "hotstuff-2"

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        """One vote a round, in growing rounds; and the certificate built on is of the round before, or at least as new
        as any that the signers of the round before's timeout certificate knew (Jolteon, figure 2, "safe to vote").

        The lock needs no look here: a timeout is signed with a certificate never below it, which binds as strongly.
        """
        if proposal.parent != proposal.certificate.proposal or proposal.round <= last_voted_round:
            return False
        if proposal.round == proposal.certificate.round + 1:
            return True
        timeouts = proposal.timeout_certificate
        return (
            timeouts is not None
            and proposal.round == timeouts.round + 1
            and proposal.certificate.round >= timeouts.highest_certificate_round
        )

    def lock_after_vote(self, proposal: Proposal, lock: Certificate, ancestor: Ancestor) -> Certificate:
        """The highest certificate seen in a proposal voted for: a one-chain locks (Jolteon, figure 2, "lock")."""
        return proposal.certificate if proposal.certificate.round > lock.round else lock

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        """A certified proposal whose child of the very next round is certified: a two-chain (Jolteon, figure 2)."""
        parent = ancestor(certified.parent)
        if parent is not None and certified.round == parent.round + 1:
            return parent.id
        return None
