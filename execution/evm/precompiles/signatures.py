"""Signatures: recovery of a signer over secp256k1, verification over secp256r1."""

from typing import TYPE_CHECKING

from coincurve import PublicKey

from chain.signing import SECP256K1_ORDER, address_of_public_key

if TYPE_CHECKING:
    from execution.evm.computation import Computation

RECOVERY_GAS = 3_000
P256_VERIFICATION_GAS = 6_900
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_INPUT_SIZE = 160


def recover_signer(frame: "Computation") -> None:
    """ECRECOVER through libsecp256k1, ten times as fast as eth-keys in Python. No output for a bad signature."""
    frame.charge(RECOVERY_GAS)
    data = frame.msg.data[:128].ljust(128, b"\0")
    signer = frame.state.pretended_signer(data[64:128] + data[63:64])
    if signer is not None:
        frame.output = signer.rjust(32, b"\0")
        return
    v, r, s = (int.from_bytes(data[at : at + 32], "big") for at in (32, 64, 96))
    if v not in (27, 28) or not 0 < r < SECP256K1_ORDER or not 0 < s < SECP256K1_ORDER:
        return
    try:
        key = PublicKey.from_signature_and_message(data[64:128] + bytes((v - 27,)), data[:32], hasher=None)
    except Exception:  # coincurve raises bare Exception when no key can have made the signature
        return
    frame.output = address_of_public_key(key.format(compressed=False)).rjust(32, b"\0")


def verify_p256(frame: "Computation") -> None:
    """P256VERIFY (EIP-7951): 1 for a good signature over secp256r1, no output for anything else."""
    frame.charge(P256_VERIFICATION_GAS)
    data = frame.msg.data
    if len(data) != P256_INPUT_SIZE:
        return
    r, s, x, y = (int.from_bytes(data[at : at + 32], "big") for at in (32, 64, 96, 128))
    if 0 < r < P256_ORDER and 0 < s < P256_ORDER and _verifies(data[:32], r, s, x, y):
        frame.output = (1).to_bytes(32, "big")


def _verifies(digest: bytes, r: int, s: int, x: int, y: int) -> bool:
    # OpenSSL, which few processes that run bytecode ever need.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
    except ValueError:  # not a point of the curve
        return False
    try:
        key.verify(encode_dss_signature(r, s), digest, ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True
