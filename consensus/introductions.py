"""Who is at the other end of a link: each link between validators begins with a signed name.

Signatures inside the messages decide what is believed. The name decides whose share of the inbox a message takes and
who gets an answer. If anyone could claim it, a stranger could fill a validator's share, or give in its name the empty
answers that keep a replica from catching up.
"""

from chain.genesis import Genesis
from chain.types import ValidatorIndex
from consensus.errors import UnprovenPeer
from consensus.signatures import Signer, SigningDomain, Verifier

SIGNATURE_BYTES = 64


class Introductions:
    """Signs this validator's links, and checks those of the others."""

    def __init__(self, me: ValidatorIndex, genesis: Genesis, signer: Signer, verifier: Verifier) -> None:
        self._me = me
        self._validators = len(genesis.validators)
        self._domain = SigningDomain(genesis.id(), genesis.rules)
        self._signer = signer
        self._verifier = verifier

    def prove(self, to: ValidatorIndex, life: bytes) -> bytes:
        """The signature that opens a link to `to`; `life` tells this link from all others."""
        return self._signer.sign(self._domain.link(to, life))

    def check(self, claimed: ValidatorIndex, life: bytes, proof: bytes) -> None:
        """Whether `claimed` opened this link to us. Raises UnprovenPeer."""
        if claimed == self._me or not 0 <= claimed < self._validators or len(proof) != SIGNATURE_BYTES:
            raise UnprovenPeer(f"validator-{claimed}")
        if not self._verifier.verify(claimed, self._domain.link(self._me, life), proof):
            raise UnprovenPeer(f"validator-{claimed}")
