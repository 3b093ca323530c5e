"""Real signatures, and certificates made of them."""

from collections import Counter

import pytest

from chain.proposals import Certificate, SignedVote
from chain.types import Hash32, Round, ValidatorIndex
from consensus.authentication import Authenticator, genesis_certificate
from consensus.errors import InvalidCertificate, UnknownValidator, WrongSignature
from consensus.signatures import Ed25519Signer, Ed25519Verifier, SigningDomain
from consensus.validators import ValidatorSet
from tests.consensus.builders import make_genesis

SIGNERS = [Ed25519Signer(bytes((i + 1,)) * 32) for i in range(4)]
GENESIS = make_genesis(public_keys=tuple(signer.public_key for signer in SIGNERS))
DOMAIN = SigningDomain(GENESIS.id(), GENESIS.rules)
PROPOSAL = Hash32(b"p" * 32)


class CountingVerifier:
    def __init__(self) -> None:
        self.inner = Ed25519Verifier([signer.public_key for signer in SIGNERS])
        self.calls: Counter[int] = Counter()

    def verify(self, validator: ValidatorIndex, content: bytes, signature: bytes) -> bool:
        self.calls[validator] += 1
        return self.inner.verify(validator, content, signature)


def authenticator(verifier: CountingVerifier) -> Authenticator:
    return Authenticator(ValidatorSet(GENESIS.validators), DOMAIN, verifier, genesis_certificate(GENESIS.id()))


def certificate(*voters: int, round: int = 5, content: bytes | None = None) -> Certificate:
    signed = DOMAIN.vote(Round(round), PROPOSAL) if content is None else content
    votes = tuple(SignedVote(ValidatorIndex(v), SIGNERS[v].sign(signed)) for v in voters)
    return Certificate(PROPOSAL, Round(round), votes)


def test_a_signature_is_verified_once_however_often_it_is_seen() -> None:
    verifier = CountingVerifier()
    check = authenticator(verifier).check_certificate
    check(certificate(0, 1, 2))
    check(certificate(1, 2, 3))
    assert verifier.calls == {0: 1, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize(
    "content",
    [
        DOMAIN.proposal(Round(5), PROPOSAL),
        DOMAIN.vote(Round(6), PROPOSAL),
        SigningDomain(GENESIS.id(), "other rules").vote(Round(5), PROPOSAL),
        SigningDomain(make_genesis(max_lag=9).id(), GENESIS.rules).vote(Round(5), PROPOSAL),
    ],
    ids=["another kind", "another round", "other rules", "another chain"],
)
def test_a_signature_counts_for_nothing_but_what_it_was_made_for(content: bytes) -> None:
    with pytest.raises(WrongSignature):
        authenticator(CountingVerifier()).check_certificate(certificate(0, 1, 2, content=content))


def test_signatures_of_a_wrong_length_are_refused() -> None:
    for signature in (b"", b"short", bytes(64), bytes(65)):
        assert not Ed25519Verifier([SIGNERS[0].public_key]).verify(ValidatorIndex(0), b"content", signature)


def test_a_signer_outside_the_validator_set_is_refused() -> None:
    for index in (4, -1):
        forged = Certificate(PROPOSAL, Round(5), (SignedVote(ValidatorIndex(index), bytes(64)),))
        with pytest.raises(UnknownValidator):
            authenticator(CountingVerifier()).check_certificate(forged)


def test_only_genesis_is_certified_without_votes() -> None:
    check = authenticator(CountingVerifier()).check_certificate
    check(genesis_certificate(GENESIS.id()))
    with pytest.raises(InvalidCertificate):
        check(Certificate(PROPOSAL, Round(0), ()))
    with pytest.raises(InvalidCertificate):
        check(Certificate(PROPOSAL, Round(1), ()))
