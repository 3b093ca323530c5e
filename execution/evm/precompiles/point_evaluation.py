"""Point evaluation: checks a blob's KZG proof (EIP-4844)."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from eth.exceptions import VMError

from execution.evm.lazy_imports import py_evm_file
from execution.evm.precompiles.bls12_381 import FIELD_MODULUS

if TYPE_CHECKING:
    from execution.evm.computation import Computation

POINT_EVALUATION_GAS = 50_000
FIELD_ELEMENTS_PER_BLOB = 4_096
UNCOMPRESSED, UNCOMPRESSED_INFINITY, COMPRESSED_INFINITY, COMPRESSED = 0b000, 0b010, 0b110, (0b100, 0b101)
BLS_MODULUS = 52435875175126190479447740508185965837690552500527637822603658699938581184513


def point_evaluation(frame: "Computation") -> None:
    """py-evm reads the trusted setup, seconds of work, again for each call."""
    frame.charge(POINT_EVALUATION_GAS)
    data = frame.msg.data
    if len(data) != 192:
        raise VMError("invalid input length")
    commitment = data[96:144]
    if b"\x01" + hashlib.sha256(commitment).digest()[1:] != data[:32]:
        raise VMError("mismatched versioned hash")
    import ckzg  # a shared library of its own, which few processes ever need

    try:
        proved = ckzg.verify_kzg_proof(commitment, data[32:64], data[64:96], data[144:192], trusted_setup())
    except RuntimeError:  # a point that is not on the curve, or a field element out of range
        proved = False
    if not proved:
        fault = _fault_of_scalars(data[64:96], data[32:64]) or fault_of_point(commitment) or fault_of_point(data[144:])
        raise VMError("error verifying kzg proof: " + (fault or "can't verify opening proof"))
    frame.output = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + BLS_MODULUS.to_bytes(32, "big")


def _fault_of_scalars(*scalars: bytes) -> str:
    """Here and below: what gnark says is wrong, through which geth checks proofs; empty if nothing is."""
    if all(int.from_bytes(scalar, "big") < BLS_MODULUS for scalar in scalars):
        return ""
    return "scalar is not canonical when interpreted as a big integer in big-endian"


def fault_of_point(data: bytes) -> str:
    """Of a compressed one, whose first three bits tell how it is written."""
    form = data[0] >> 5
    x = bytes((data[0] & 0x1F,)) + data[1:]
    if form in (UNCOMPRESSED, UNCOMPRESSED_INFINITY):
        return "short buffer"
    if form == COMPRESSED_INFINITY:
        return "invalid infinity point encoding" if any(x) else ""
    if form not in COMPRESSED:
        return "invalid point encoding"
    if x >= FIELD_MODULUS:
        return "invalid fp.Element encoding"
    from py_arkworks_bls12381 import G1Point

    try:
        point = G1Point.from_compressed_bytes_unchecked(data)
    except ValueError:
        return "invalid compressed coordinate: square root doesn't exist"
    return "" if point.is_in_subgroup() else "invalid point: subgroup check failed"


@cache
def trusted_setup() -> Any:
    """Reading it is seconds of work."""
    import ckzg

    return ckzg.load_trusted_setup(str(py_evm_file("_utils", "kzg_trusted_setup.txt")), 0)
