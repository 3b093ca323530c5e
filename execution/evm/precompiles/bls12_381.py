"""The curve of EIP-2537, BLS12-381, through arkworks.

A field element takes 64 bytes here, the first 16 of them zero; the library's takes 48.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from eth.exceptions import VMError

from execution.evm.lazy_imports import py_evm_file

if TYPE_CHECKING:
    from execution.evm.computation import Computation

G1_ADDITION_GAS, G2_ADDITION_GAS = 375, 600
G1_MULTIPLICATION_GAS, G2_MULTIPLICATION_GAS = 12_000, 22_500
MAP_TO_G1_GAS, MAP_TO_G2_GAS = 5_500, 23_800
PAIRING_GAS, PAIR_GAS = 37_700, 32_600
PADDING = bytes(16)
FIELD_MODULUS = bytes.fromhex(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab"
)
ELEMENT, SCALAR = 64, 32
G1, G2 = 2 * ELEMENT, 4 * ELEMENT


def add_g1(frame: "Computation") -> None:
    _add(frame, G1_ADDITION_GAS, G1, _g1)


def add_g2(frame: "Computation") -> None:
    _add(frame, G2_ADDITION_GAS, G2, _g2)


def multiply_g1(frame: "Computation") -> None:
    """A sum of products of points and scalars."""
    _multiply(frame, G1_MULTIPLICATION_GAS, "G1", G1, _g1)


def multiply_g2(frame: "Computation") -> None:
    _multiply(frame, G2_MULTIPLICATION_GAS, "G2", G2, _g2)


def pairing(frame: "Computation") -> None:
    """Whether the product of the pairings is one."""
    data = frame.msg.data
    count, rest = divmod(len(data), G1 + G2)
    if rest or not count:
        raise VMError("invalid input length")
    frame.charge(PAIRING_GAS + PAIR_GAS * count)
    starts = range(0, len(data), G1 + G2)
    left, right = [], []
    for at in starts:
        p, q = _g1(data[at : at + G1]), _g2(data[at + G1 : at + G1 + G2])
        left.append(_in_subgroup(p, "g1"))
        right.append(_in_subgroup(q, "g2"))
    frame.output = int(_library().GT.pairing_check(left, right)).to_bytes(32, "big")


def map_to_g1(frame: "Computation") -> None:
    frame.charge(MAP_TO_G1_GAS)
    frame.output = _padded(_library().G1Point.map_from_fp_be(_stripped(frame.msg.data, ELEMENT)))


def map_to_g2(frame: "Computation") -> None:
    frame.charge(MAP_TO_G2_GAS)
    frame.output = _padded(_library().G2Point.map_from_fp2_be(_stripped(frame.msg.data, 2 * ELEMENT)))


def _add(frame: "Computation", gas: int, size: int, point: Callable[[bytes], Any]) -> None:
    frame.charge(gas)
    data = frame.msg.data
    if len(data) != 2 * size:
        raise VMError("invalid input length")
    frame.output = _padded(point(data[:size]) + point(data[size:]))


def _multiply(frame: "Computation", gas: int, group: str, size: int, point: Callable[[bytes], Any]) -> None:
    data = frame.msg.data
    count, rest = divmod(len(data), size + SCALAR)
    if rest or not count:
        raise VMError("invalid input length")
    frame.charge(count * gas * _discount(group, count) // 1_000)
    library, starts = _library(), range(0, len(data), size + SCALAR)
    points = [_in_subgroup(point(data[at : at + size]), group.lower()) for at in starts]
    scalars = [library.Scalar.from_be_bytes_mod_order(data[at + size : at + size + SCALAR]) for at in starts]
    frame.output = _padded(type(points[0]).multiexp_unchecked(points, scalars))


def _library() -> Any:
    import py_arkworks_bls12381  # few processes ever need it

    return py_arkworks_bls12381


@cache
def _discounts() -> Any:
    """py-evm's table of EIP-2537's discounts, without the package around it, whose import takes a second."""
    spec = importlib.util.spec_from_file_location(
        "eip_2537_constants", py_evm_file("precompiles", "bls12_381", "constants.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _discount(group: str, count: int) -> int:
    """In thousandths, for so many products at once."""
    table: list[int] = getattr(_discounts(), f"{group}_MSM_DISCOUNTS")
    return table[min(count, len(table)) - 1]


def _stripped(data: bytes, size: int) -> bytes:
    """The field elements without their padding."""
    if len(data) != size:
        raise VMError("invalid input length")
    return b"".join([_element(data[at : at + ELEMENT]) for at in range(0, size, ELEMENT)])


def _element(data: bytes) -> bytes:
    if not data.startswith(PADDING):
        raise VMError("invalid field element top bytes")
    element = data[len(PADDING) :]
    if element >= FIELD_MODULUS:
        raise VMError("invalid fp.Element encoding")
    return element


def _on_curve(make: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return make(data)
    except ValueError:
        raise VMError("invalid point: not on curve") from None


def _g1(data: bytes) -> Any:
    """On the curve, but perhaps outside the subgroup, as additions allow."""
    return _on_curve(_library().G1Point.from_xy_bytes_unchecked_be, _stripped(data, G1))


def _g2(data: bytes) -> Any:
    return _on_curve(_library().G2Point.from_xy_bytes_unchecked_be, _stripped(data, G2))


def _in_subgroup(point: Any, group: str) -> Any:
    if not point.is_in_subgroup():
        raise VMError(f"{group} point is not on correct subgroup")
    return point


def _padded(point: Any) -> bytes:
    encoded = point.to_xy_bytes_be()
    return b"".join(PADDING + encoded[at : at + 48] for at in range(0, len(encoded), 48))
