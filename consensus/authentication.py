"""Checks who signed what, each signature once.

The same vote reaches a validator alone, inside its leader's certificate and inside another's, byte for byte, because
Ed25519 signatures are deterministic. What verified once is remembered, so a certificate of known votes costs three
look-ups.
"""

from collections import OrderedDict
from collections.abc import Sequence

from chain.proposals import Certificate, SignedTimeout, TimeoutCertificate
from chain.types import Hash32, Round, ValidatorIndex
from consensus.errors import InvalidCertificate, OutOfWindow, WrongSignature
from consensus.signatures import SigningDomain, Verifier
from consensus.validators import ValidatorSet
from consensus.wire import ProposalMessage, Vote

MAX_REMEMBERED_SIGNATURES = 4096
MAX_ROUND = 2**63


class Authenticator:
    """Raises `Rejected` subclasses for what is not properly signed; says nothing about whether it is sensible."""

    def __init__(
        self, validators: ValidatorSet, domain: SigningDomain, verifier: Verifier, genesis: Certificate
    ) -> None:
        self._validators = validators
        self._domain = domain
        self._verifier = verifier
        self._genesis = genesis
        self._verified: OrderedDict[tuple[ValidatorIndex, bytes, bytes], None] = OrderedDict()

    def check_proposal(self, message: ProposalMessage) -> None:
        proposal = message.proposal
        self._check_round(proposal.round)
        content = self._domain.proposal(proposal.round, proposal.id)
        self._check("proposal", proposal.round, proposal.proposer, content, message.signature)

    def check_vote(self, vote: Vote) -> None:
        self._check_round(vote.round)
        content = self._domain.vote(vote.round, vote.proposal)
        self._check("vote", vote.round, vote.validator, content, vote.signature)

    def check_timeout(self, round: Round, timeout: SignedTimeout) -> None:
        self._check_round(round)
        self._check_round(timeout.highest_certificate_round)
        content = self._domain.timeout(round, timeout.highest_certificate_round)
        self._check("timeout", round, timeout.validator, content, timeout.signature)

    def check_certificate(self, certificate: Certificate) -> None:
        """Genesis is certified by being genesis; anything else by a quorum of votes."""
        if certificate.round == 0:
            if certificate != self._genesis:
                raise InvalidCertificate("a certificate of round 0 that is not the genesis certificate")
            return
        self._check_round(certificate.round)
        self._check_quorum("vote", certificate.round, [vote.validator for vote in certificate.votes])
        content = self._domain.vote(certificate.round, certificate.proposal)
        for vote in certificate.votes:
            self._check("vote", certificate.round, vote.validator, content, vote.signature)

    def check_timeout_certificate(self, certificate: TimeoutCertificate) -> None:
        self._check_quorum("timeout", certificate.round, [timeout.validator for timeout in certificate.timeouts])
        for timeout in certificate.timeouts:
            if timeout.highest_certificate_round >= certificate.round:
                raise InvalidCertificate(f"a timeout of round {certificate.round} with a certificate of that round")
            self.check_timeout(certificate.round, timeout)

    def _check_quorum(self, kind: str, round: Round, signers: Sequence[ValidatorIndex]) -> None:
        for signer in signers:
            self._validators.check_index(signer)
        if len(set(signers)) != len(signers):
            raise InvalidCertificate(f"a {kind} counted twice in a certificate of round {round}")
        if not self._validators.is_quorum(signers):
            stake, total = self._validators.stake(signers), self._validators.total_stake
            raise InvalidCertificate(f"{kind}s of stake {stake} of {total} in a certificate of round {round}")

    def _check_round(self, round: Round) -> None:
        if not 0 <= round < MAX_ROUND:
            raise OutOfWindow(round, Round(0))

    def trust(self, validator: ValidatorIndex, content: bytes, signature: bytes) -> None:
        """This replica made that signature or checked it: it comes back in certificates, where it is not checked."""
        self._verified[validator, content, signature] = None
        if len(self._verified) > MAX_REMEMBERED_SIGNATURES:
            self._verified.popitem(last=False)

    def _check(self, kind: str, round: Round, validator: ValidatorIndex, content: bytes, signature: bytes) -> None:
        self._validators.check_index(validator)
        key = (validator, content, signature)
        if key in self._verified:
            self._verified.move_to_end(key)
            return
        if not self._verifier.verify(validator, content, signature):
            raise WrongSignature(kind, validator, round)
        self.trust(validator, content, signature)


def genesis_certificate(genesis_id: Hash32) -> Certificate:
    """The certificate of the genesis proposal: round 0, no votes."""
    return Certificate(genesis_id, Round(0), ())
