"""The curve of EIP-196 and EIP-197, known as alt_bn128 or BN254, through arkworks.

Points are checked here, because the library takes a point that is not on the curve for a programming error.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from eth.exceptions import VMError

if TYPE_CHECKING:
    from execution.evm.computation import Computation


Operation: TypeAlias = Callable[[Any], None]
PAIR_SIZE = 192
FIELD_MODULUS = 21888242871839275222246405745257275088696311157297823662689037894645226208583


class Prices(NamedTuple):
    """What the operations cost; a pairing costs so much for each pair besides."""

    addition: int
    multiplication: int
    pairing: int
    pair: int


ISTANBUL_PRICES = Prices(addition=150, multiplication=6_000, pairing=45_000, pair=34_000)  # EIP-1108
BYZANTIUM_PRICES = Prices(addition=500, multiplication=40_000, pairing=100_000, pair=80_000)


def operations(prices: Prices) -> "tuple[Operation, Operation, Operation]":
    """Addition, multiplication and pairing at these prices."""
    return partial(_add, prices), partial(_multiply, prices), partial(_pairing, prices)


def _add(prices: Prices, frame: "Computation") -> None:
    frame.charge(prices.addition)
    data = frame.msg.data[:128].ljust(128, b"\0")
    frame.output = _bytes_of(_g1(data[:64]) + _g1(data[64:]))


def _multiply(prices: Prices, frame: "Computation") -> None:
    frame.charge(prices.multiplication)
    data = frame.msg.data[:96].ljust(96, b"\0")
    frame.output = _bytes_of(_g1(data[:64]) * int.from_bytes(data[64:], "big"))


def _pairing(prices: Prices, frame: "Computation") -> None:
    """Whether the product of the pairings is one."""
    data = frame.msg.data
    count, rest = divmod(len(data), PAIR_SIZE)
    frame.charge(prices.pairing + prices.pair * count)
    if rest:
        raise VMError("bad elliptic curve pairing size")
    pairs = [(_g1(data[at : at + 64]), _g2(data[at + 64 : at + PAIR_SIZE])) for at in range(0, len(data), PAIR_SIZE)]
    frame.output = int(_product_is_one([(p, q) for p, q in pairs if q is not None])).to_bytes(32, "big")


def _product_is_one(pairs: list[tuple[Any, Any]]) -> bool:
    if not pairs:
        return True
    curve = _curve()
    one = curve.pairing(curve.PointG1.identity(), curve.g2())
    return bool(curve.multi_pairing([p for p, _ in pairs], [q for _, q in pairs]) == one)


def _curve() -> Any:
    from zksnake._algebra import ec_bn254  # few processes ever need it

    return ec_bn254


def _coordinate(data: bytes) -> int:
    value = int.from_bytes(data, "big")
    if value >= FIELD_MODULUS:
        raise VMError("invalid fp.Element encoding")
    return value


def _g1(data: bytes) -> Any:
    """The point of 64 bytes; (0, 0) is the point at infinity."""
    x, y = _coordinate(data[:32]), _coordinate(data[32:])
    if not x and not y:
        return _curve().PointG1.identity()
    if (y * y - x * x * x - 3) % FIELD_MODULUS:
        raise VMError("point is not on curve")
    return _curve().PointG1(x, y)


def _g2(data: bytes) -> Any:
    """The point of 128 bytes, imaginary parts first; None for the point at infinity, whose pairing is one."""
    x1, x0, y1, y0 = (_coordinate(data[at : at + 32]) for at in (0, 32, 64, 96))
    if not (x0 or x1 or y0 or y1):
        return None
    encoded = x0.to_bytes(32, "little") + x1.to_bytes(32, "little")
    try:  # the library finds the two points with this x, and refuses them outside the subgroup
        point = _curve().PointG2.from_bytes(encoded)
    except ValueError:
        raise VMError(_fault_of_g2(x0, x1, y0, y1)) from None
    for candidate in (point, -point):
        if list(candidate.y) == [y0, y1]:
            return candidate
    raise VMError(_fault_of_g2(x0, x1, y0, y1))


def _fault_of_g2(x0: int, x1: int, y0: int, y1: int) -> str:
    """In geth's words. The curve is y^2 = x^3 + 3 / (9 + i)."""
    square = (x0 * x0 - x1 * x1, 2 * x0 * x1)
    cube = (square[0] * x0 - square[1] * x1, square[0] * x1 + square[1] * x0)
    left = (y0 * y0 - y1 * y1 - cube[0], 2 * y0 * y1 - cube[1])
    product = (9 * left[0] - left[1] - 3, 9 * left[1] + left[0])
    is_on_curve = not any(part % FIELD_MODULUS for part in product)
    return "point is not in correct subgroup" if is_on_curve else "point is not on curve"


def _bytes_of(point: Any) -> bytes:
    if point.is_zero():
        return bytes(64)
    return int(point.x).to_bytes(32, "big") + int(point.y).to_bytes(32, "big")
