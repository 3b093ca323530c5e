"""Real signatures, and certificates made of them."""

from collections import Counter

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

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


RFC_8032 = [  # section 7.1: public key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def ours(key: bytes, content: bytes, signature: bytes) -> bool:
    return Ed25519Verifier([key]).verify(ValidatorIndex(0), content, signature)


def openssl(key: bytes, content: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize(("key", "content", "signature"), RFC_8032)
def test_the_official_signatures_verify_and_none_of_them_with_any_bit_flipped(
    key: str, content: str, signature: str
) -> None:
    public, message, good = (bytes.fromhex(part) for part in (key, content, signature))
    assert ours(public, message, good)
    for bit in range(0, 512, 7):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not ours(public, message, bytes(flipped)), f"bit {bit}"
        assert not openssl(public, message, bytes(flipped)), f"bit {bit}"


def test_what_openssl_signs_verifies_and_so_it_does_there() -> None:
    for index, signer in enumerate(SIGNERS):
        for content in (b"", b"vote", bytes(1000)):
            signature = signer.sign(content)
            assert ours(signer.public_key, content, signature)
            assert openssl(signer.public_key, content, signature)
            other = SIGNERS[(index + 1) % len(SIGNERS)].public_key
            assert not ours(other, content, signature)
            assert not openssl(other, content, signature)


ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = bytes((1,)) + bytes(31)
IDENTITY_NOT_REDUCED = bytes((0xEE,)) + bytes((0xFF,)) * 30 + bytes((0x7F,))
"""The same point with its y plus the field's prime."""


def test_no_second_signature_can_be_made_of_one() -> None:
    """RFC 8032, section 5.1.7: s must be below the group's order."""
    signature = SIGNERS[0].sign(b"vote")
    s = int.from_bytes(signature[32:], "little") + ORDER
    twin = signature[:32] + s.to_bytes(32, "little")
    assert not ours(SIGNERS[0].public_key, b"vote", twin)
    assert not openssl(SIGNERS[0].public_key, b"vote", twin)


@pytest.mark.parametrize("key", [IDENTITY, IDENTITY_NOT_REDUCED], ids=["identity", "identity, not reduced"])
def test_a_key_of_small_order_under_which_anything_is_signed_verifies_nothing(key: bytes) -> None:
    """libsodium refuses it where OpenSSL does not: a library must not be changed at some validators only."""
    anything = IDENTITY + bytes(32)
    assert not ours(key, b"vote", anything)
    assert openssl(IDENTITY, b"vote", anything)
