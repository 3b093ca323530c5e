"""Precompiled contracts that py-evm gets wrong or runs slowly. The others are py-evm's own."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coincurve import PublicKey
from eth.exceptions import VMError
from eth.vm.forks.berlin.computation import _compute_modexp_gas_fee_eip_2565

from chain.signing import SECP256K1_ORDER, address_of_public_key
from chain.types import Address

if TYPE_CHECKING:
    from execution.evm.computation import Computation

RECOVERY_GAS = 3_000
POINT_EVALUATION_GAS = 50_000
FIELD_ELEMENTS_PER_BLOB = 4_096
BLS_MODULUS = 52435875175126190479447740508185965837690552500527637822603658699938581184513


def recover_signer(frame: "Computation") -> None:
    """ECRECOVER through libsecp256k1, ten times as fast as eth-keys in Python. No output for a bad signature."""
    frame.charge(RECOVERY_GAS)
    data = frame.msg.data[:128].ljust(128, b"\0")
    v, r, s = (int.from_bytes(data[at : at + 32], "big") for at in (32, 64, 96))
    if v not in (27, 28) or not 0 < r < SECP256K1_ORDER or not 0 < s < SECP256K1_ORDER:
        return
    try:
        key = PublicKey.from_signature_and_message(data[64:128] + bytes((v - 27,)), data[:32], hasher=None)
    except Exception:  # coincurve raises bare Exception when no key can have made the signature
        return
    frame.output = address_of_public_key(key.format(compressed=False)).rjust(32, b"\0")


def modular_power(frame: "Computation") -> None:
    """MODEXP (EIP-198, EIP-2565). py-evm takes an empty base to the power of an empty exponent for 0 instead of 1."""
    data = frame.msg.data
    frame.charge(_compute_modexp_gas_fee_eip_2565(data))
    base_size, exponent_size, modulus_size = (
        int.from_bytes(data[at : at + 32].ljust(32, b"\0"), "big") for at in (0, 32, 64)
    )
    if not modulus_size:
        return
    exponent_at = 96 + base_size
    modulus_at = exponent_at + exponent_size
    base = _padded_int(data, 96, base_size)
    exponent = _padded_int(data, exponent_at, exponent_size)
    modulus = _padded_int(data, modulus_at, modulus_size)
    frame.output = (pow(base, exponent, modulus) if modulus else 0).to_bytes(modulus_size, "big")


def _padded_int(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size].ljust(size, b"\0"), "big")


def point_evaluation(frame: "Computation") -> None:
    """Checks a blob's KZG proof (EIP-4844). py-evm reads the trusted setup, seconds of work, again for each call."""
    frame.charge(POINT_EVALUATION_GAS)
    data = frame.msg.data
    if len(data) != 192:
        raise VMError("invalid input length")
    commitment = data[96:144]
    if b"\x01" + hashlib.sha256(commitment).digest()[1:] != data[:32]:
        raise VMError("mismatched versioned hash")
    import ckzg  # a shared library of its own, which few processes ever need

    try:
        proved = ckzg.verify_kzg_proof(commitment, data[32:64], data[64:96], data[144:192], _trusted_setup())
    except RuntimeError:  # a point that is not on the curve, or a field element out of range
        proved = False
    if not proved:
        raise VMError("error verifying kzg proof")
    frame.output = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + BLS_MODULUS.to_bytes(32, "big")


@cache
def _trusted_setup() -> Any:
    import ckzg

    spec = find_spec("eth")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / "_utils" / "kzg_trusted_setup.txt"
    return ckzg.load_trusted_setup(str(file), 0)


def _address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


REPLACED = {_address(0x01): recover_signer, _address(0x05): modular_power, _address(0x0A): point_evaluation}
