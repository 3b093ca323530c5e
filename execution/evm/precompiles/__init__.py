"""The precompiled contracts of each fork, by address: native libraries, and py-evm's own where those are fast enough.

Each takes the frame, charges it, and sets its output; it raises py-evm's VMError for an input that the specification
makes a failure, in geth's words.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from eth.exceptions import VMError
from eth.vm.forks.cancun.computation import CancunComputation as CancunRules

from chain.types import Address
from execution.evm.precompiles import bls12_381, bn254
from execution.evm.precompiles.modular_power import (
    modular_power_of_berlin,
    modular_power_of_byzantium,
    modular_power_of_osaka,
)
from execution.evm.precompiles.point_evaluation import point_evaluation
from execution.evm.precompiles.signatures import recover_signer, verify_p256

Precompile: TypeAlias = Callable[[Any], Any]
BLAKE2_INPUT_SIZE = 213


def _address(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


def _bn254(prices: bn254.Prices) -> dict[Address, Precompile]:
    return {_address(0x06 + index): operation for index, operation in enumerate(bn254.operations(prices))}


_PY_EVM = CancunRules.get_precompiles()


def _compress_blake2(frame: Any) -> None:
    """py-evm's, with geth's words for what is wrong, which geth says only to those who have paid."""
    data = frame.msg.data
    if len(data) != BLAKE2_INPUT_SIZE:
        raise VMError("invalid input length")
    if data[-1] > 1:
        frame.charge(int.from_bytes(data[:4], "big"))
        raise VMError("invalid final flag")
    _PY_EVM[_address(0x09)](frame)


FRONTIER: dict[Address, Precompile] = {
    _address(0x01): recover_signer,
    **{_address(number): _PY_EVM[_address(number)] for number in (0x02, 0x03, 0x04)},
}

BYZANTIUM: dict[Address, Precompile] = FRONTIER | {
    _address(0x05): modular_power_of_byzantium,
    **_bn254(bn254.BYZANTIUM_PRICES),
}

ISTANBUL: dict[Address, Precompile] = BYZANTIUM | {
    **_bn254(bn254.ISTANBUL_PRICES),
    _address(0x09): _compress_blake2,
}

BERLIN: dict[Address, Precompile] = ISTANBUL | {_address(0x05): modular_power_of_berlin}

CANCUN: dict[Address, Precompile] = BERLIN | {_address(0x0A): point_evaluation}

PRAGUE: dict[Address, Precompile] = CANCUN | {
    _address(0x0B): bls12_381.add_g1,
    _address(0x0C): bls12_381.multiply_g1,
    _address(0x0D): bls12_381.add_g2,
    _address(0x0E): bls12_381.multiply_g2,
    _address(0x0F): bls12_381.pairing,
    _address(0x10): bls12_381.map_to_g1,
    _address(0x11): bls12_381.map_to_g2,
}

OSAKA: dict[Address, Precompile] = PRAGUE | {
    _address(0x05): modular_power_of_osaka,
    _address(0x100): verify_p256,
}
