"""Shows that a proposal is final to those who are no validators, so that they need not hear it from several."""

from collections.abc import Sequence

from chain.codec import MessageError
from chain.genesis import Genesis
from chain.proposals import CommitProof, Proposal, decode_proposal, encode_proposal
from consensus.authentication import Authenticator, genesis_certificate
from consensus.commands import Command, Commit
from consensus.errors import Rejected
from consensus.registry import rule_set
from consensus.signatures import Ed25519Verifier, SigningDomain, Verifier
from consensus.validators import ValidatorSet

MAX_FOLLOWING_BYTES = 16 * 1024
"""What follows a block whose commit is hurried carries no transactions; others are soon told of by everyone."""


def newest_proof(commands: Sequence[Command]) -> CommitProof | None:
    """That of the newest block committed, if its commit was seen here first."""
    commit = next((c for c in reversed(commands) if isinstance(c, Commit) and c.makes_block), None)
    if commit is None or commit.certificate is None:
        return None
    proposals = [placed.proposal for placed in commit.proposals]
    newest = max(index for index, proposal in enumerate(proposals) if proposal.takes_height)
    following = tuple(map(encode_proposal, (*proposals[newest + 1 :], *commit.following)))
    return CommitProof(following, commit.certificate) if sum(map(len, following)) <= MAX_FOLLOWING_BYTES else None


class CommitProofs:
    """Checks proofs of one chain, by its rule set and with its validators' keys."""

    def __init__(self, genesis: Genesis, verifier: Verifier | None = None) -> None:
        self._rules = rule_set(genesis.rules)
        self._authenticator = Authenticator(
            ValidatorSet(genesis.validators),
            SigningDomain(genesis.id(), genesis.rules),
            verifier or Ed25519Verifier([identity.public_key for identity in genesis.validators]),
            genesis_certificate(genesis.id()),
        )

    def prove(self, proposal: Proposal, proof: CommitProof) -> bool:
        """Whether the proposal is committed if the proof is all that is known."""
        try:
            following = [decode_proposal(encoded) for encoded in proof.following]
        except MessageError:
            return False
        chain = [proposal, *following]
        if any(child.parent != parent.id for parent, child in zip(chain, following, strict=False)):
            return False
        last, certificate = chain[-1], proof.certificate
        if (certificate.proposal, certificate.round) != (last.id, last.round):
            return False
        if not self._rules.commits(proposal, following):
            return False
        try:
            self._authenticator.check_certificate(certificate)
        except Rejected:
            return False
        return True
