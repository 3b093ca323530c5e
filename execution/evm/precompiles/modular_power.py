"""MODEXP: a base to the power of an exponent, modulo a modulus, of any size (EIP-198), through GMP."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from eth.exceptions import VMError

if TYPE_CHECKING:
    from execution.evm.computation import Computation

MAX_INPUT_SIZE = 1_024  # EIP-7823
HEAD = 96


class Sizes(NamedTuple):
    """The lengths in bytes that the input begins with."""

    base: int
    exponent: int
    modulus: int


def modular_power_of_byzantium(frame: "Computation") -> None:
    """At the price of EIP-198."""
    _run(frame, _price_of_byzantium)


def modular_power_of_berlin(frame: "Computation") -> None:
    """At the price of EIP-2565."""
    _run(frame, _price_of_berlin)


def modular_power_of_osaka(frame: "Computation") -> None:
    """At the price of EIP-7883, and with the bounds of EIP-7823."""
    _run(frame, _price_of_osaka, MAX_INPUT_SIZE)


def _run(frame: "Computation", price: Callable[[Sizes, int], int], max_size: int | None = None) -> None:
    data, sizes = frame.msg.data, _sizes(frame.msg.data)
    frame.charge(price(sizes, _int(data, HEAD + sizes.base, min(sizes.exponent, 32))))
    if max_size is not None and max(sizes) > max_size:
        raise VMError(f"one or more of base/exponent/modulus length exceeded {max_size} bytes")
    if not sizes.modulus:
        return
    import gmpy2  # ten times as fast as pow() where it counts, and rarely needed

    exponent_at = HEAD + sizes.base
    base = _int(data, HEAD, sizes.base)
    exponent = _int(data, exponent_at, sizes.exponent)
    modulus = _int(data, exponent_at + sizes.exponent, sizes.modulus)
    result = int(gmpy2.powmod(base, exponent, modulus)) if modulus else 0
    frame.output = result.to_bytes(sizes.modulus, "big")


def _sizes(data: bytes) -> Sizes:
    return Sizes(*(_int(data, at, 32) for at in (0, 32, 64)))


def _int(data: bytes, at: int, size: int) -> int:
    """The number at a place of the input, which has zeros without end behind it."""
    return int.from_bytes(data[at : at + size].ljust(size, b"\0"), "big")


def _price_of_byzantium(sizes: Sizes, head: int) -> int:
    longest = max(sizes.base, sizes.modulus)
    if longest <= 64:
        complexity = longest * longest
    elif longest <= 1_024:
        complexity = longest * longest // 4 + 96 * longest - 3_072
    else:
        complexity = longest * longest // 16 + 480 * longest - 199_680
    return complexity * _iterations(sizes.exponent, head, per_byte=8) // 20


def _price_of_berlin(sizes: Sizes, head: int) -> int:
    words = (max(sizes.base, sizes.modulus) + 7) // 8
    return max(200, words * words * _iterations(sizes.exponent, head, per_byte=8) // 3)


def _price_of_osaka(sizes: Sizes, head: int) -> int:
    longest = max(sizes.base, sizes.modulus)
    words = (longest + 7) // 8
    complexity = 16 if longest <= 32 else 2 * words * words
    return max(500, complexity * _iterations(sizes.exponent, head, per_byte=16))


def _iterations(exponent_size: int, head: int, per_byte: int) -> int:
    """About how many squarings it takes; `head` is the exponent's first 32 bytes as a number."""
    above = per_byte * (exponent_size - 32) if exponent_size > 32 else 0
    return max(1, above + max(0, head.bit_length() - 1))
