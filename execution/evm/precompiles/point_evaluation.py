"""Point evaluation: checks a blob's KZG proof (EIP-4844)."""

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from eth.exceptions import VMError

from execution.evm.lazy_imports import py_evm_file

if TYPE_CHECKING:
    from execution.evm.computation import Computation

POINT_EVALUATION_GAS = 50_000
FIELD_ELEMENTS_PER_BLOB = 4_096
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
        raise VMError("error verifying kzg proof")
    frame.output = FIELD_ELEMENTS_PER_BLOB.to_bytes(32, "big") + BLS_MODULUS.to_bytes(32, "big")


@cache
def trusted_setup() -> Any:
    """Reading it is seconds of work."""
    import ckzg

    return ckzg.load_trusted_setup(str(py_evm_file("_utils", "kzg_trusted_setup.txt")), 0)
