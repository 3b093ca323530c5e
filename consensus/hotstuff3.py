"""Three-phase chained HotStuff (Yin et al., PODC 2019, section 5 and algorithm 4), in the form of DiemBFT v1 to v3.

Three certificates in consecutive rounds commit. The lock is one step older than in two phases, and a vote asks only
that the certificate built on is not below it, so a leader needs no proof of what others know. Why that is safe: a
quorum voted for the committed proposal's grandchild and is locked on the proposal's certificate since; a later
certificate needs one of their votes, which goes only to what builds on that certificate or a newer one.

The third phase is what makes the lock older than what others know: whoever is locked, more than a third of the stake
holds the next certificate, and every quorum tells the leader of one at least as new as any lock.
"""

from chain.proposals import Certificate, Proposal
from chain.types import Hash32, Round
from consensus.hotstuff import ChainedHotStuff
from consensus.safety import Ancestor


class HotStuff3(ChainedHotStuff):
    name = "hotstuff-3"

    def may_vote(self, proposal: Proposal, last_voted_round: Round, lock: Certificate) -> bool:
        """One vote a round, in growing rounds, and only on a certificate not below the lock: DiemBFT's "last voted" and
        "preferred" rounds. At the lock's own round it is the lock itself, since a round has one certificate, so this
        is the paper's "extends the locked node, or is justified by a newer one" (algorithm 4).
        """
        follows = proposal.parent == proposal.certificate.proposal and proposal.round > last_voted_round
        return follows and proposal.certificate.round >= lock.round

    def lock_after_vote(self, proposal: Proposal, lock: Certificate, ancestor: Ancestor) -> Certificate:
        """The certificate two links back, which the parent carries: a two-chain locks (algorithm 4, update)."""
        parent = ancestor(proposal.parent)
        if parent is None or parent.certificate.round <= lock.round:
            return lock
        return parent.certificate

    def committed_by(self, certified: Proposal, ancestor: Ancestor) -> Hash32 | None:
        """The first of three proposals of consecutive rounds, each the parent of the next and all certified
        (algorithm 4, update; DiemBFT's "contiguous rounds" stand for the paper's direct parents).
        """
        child = ancestor(certified.parent)
        first = None if child is None else ancestor(child.parent)
        if child is None or first is None:
            return None
        return first.id if certified.round == child.round + 1 == first.round + 2 else None
