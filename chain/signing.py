"""secp256k1: who signed a transaction, and signing one, through libsecp256k1 (30 microseconds a recovery)."""

from coincurve import PrivateKey, PublicKey

from chain.errors import ChainError
from chain.keccak import keccak256
from chain.types import Address, Hash32

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class InvalidSignature(ChainError):
    """A signature that no key can have made, or whose s is in the upper half (EIP-2)."""


def check_signature_values(y_parity: int, r: int, s: int, *, any_s: bool = False) -> None:
    """Raises InvalidSignature unless 0 < r < n, 0 < s <= n/2 and y_parity is 0 or 1.

    With `any_s`, as Frontier had it, s may be up to n.
    """
    highest_s = SECP256K1_ORDER - 1 if any_s else SECP256K1_ORDER // 2
    if y_parity not in (0, 1) or not 0 < r < SECP256K1_ORDER or not 0 < s <= highest_s:
        raise InvalidSignature("invalid transaction v, r, s values")


def address_of_public_key(uncompressed: bytes) -> Address:
    """The address of a 65-byte uncompressed public key."""
    return Address(keccak256(uncompressed[1:])[12:])


def address_of_private_key(private_key: bytes) -> Address:
    """The address that a 32-byte private key controls."""
    return address_of_public_key(PrivateKey(private_key).public_key.format(compressed=False))


def recover(digest: Hash32, y_parity: int, r: int, s: int, *, any_s: bool = False) -> Address:
    """The address whose key signed `digest`; `any_s` as in Frontier. Raises InvalidSignature."""
    check_signature_values(y_parity, r, s, any_s=any_s)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((y_parity,))
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception as error:  # coincurve raises bare Exception here
        raise InvalidSignature("invalid transaction v, r, s values") from error
    return address_of_public_key(key.format(compressed=False))


def sign(digest: Hash32, private_key: bytes) -> tuple[int, int, int]:
    """(y_parity, r, s) of the recoverable signature of `digest`, deterministic (RFC 6979), low s."""
    signature = PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signature[64], int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
