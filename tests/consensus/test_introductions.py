"""A link's name is believed with the signature of that validator for that link to that validator of that chain."""

from dataclasses import replace

import pytest

from chain.genesis import Genesis
from chain.types import ValidatorIndex
from consensus.errors import UnprovenPeer
from consensus.introductions import Introductions
from consensus.signatures import Ed25519Signer, Ed25519Verifier
from tests.consensus.builders import make_genesis

KEYS = [bytes((i + 1,)) * 32 for i in range(4)]
GENESIS = make_genesis(4, public_keys=tuple(Ed25519Signer(key).public_key for key in KEYS))
LIFE = b"validator-2:0123456789abcdef"


def introductions(me: int, genesis: Genesis = GENESIS) -> Introductions:
    verifier = Ed25519Verifier([identity.public_key for identity in genesis.validators])
    return Introductions(ValidatorIndex(me), genesis, Ed25519Signer(KEYS[me]), verifier)


def proof(by: int = 2, to: int = 0, life: bytes = LIFE, genesis: Genesis = GENESIS) -> bytes:
    return introductions(by, genesis).prove(ValidatorIndex(to), life)


def test_the_signature_of_the_named_validator_is_believed() -> None:
    introductions(0).check(ValidatorIndex(2), LIFE, proof())


@pytest.mark.parametrize(
    ("claimed", "signature"),
    [
        (2, b""),
        (2, bytes(64)),
        (2, proof()[:-1]),
        (2, proof(by=3)),
        (2, proof(to=1)),
        (2, proof(life=LIFE[:-1] + b"0")),
        (2, proof(genesis=replace(GENESIS, chain_id=1))),
        (0, proof(by=0)),
        (4, proof()),
        (-2, proof()),
    ],
    ids=[
        "no signature",
        "zeroes",
        "cut",
        "of another validator",
        "replayed from another validator's socket",
        "of another link",
        "of another chain",
        "of the listener itself",
        "of no validator",
        "of a negative index",
    ],
)
def test_anything_else_is_a_stranger(claimed: int, signature: bytes) -> None:
    with pytest.raises(UnprovenPeer):
        introductions(0).check(ValidatorIndex(claimed), LIFE, signature)
