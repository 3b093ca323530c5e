"""Two-phase chained HotStuff, as in Jolteon (Gelashvili et al., 2021, figure 2) and DiemBFT v4.

A proposal is committed when it is certified and its child of the very next round is too. Safety rests on quorum
intersection: whoever voted for that child was locked on the parent's certificate, and every timeout certificate of a
later round has a signer among them, so its highest certificate is at least as new.
"""

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.hotstuff import ChainedHotStuff
from consensus.safety import Ancestor


class HotStuff2(ChainedHotStuff):
    name = "hotstuff-2"

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
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
        return proposal.certificate if proposal.certificate.round > lock.round else lock

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        parent = ancestor(certified.parent)
        if parent is not None and certified.round == parent.round + 1:
            return parent.id
        return None
