"""The precompiled contracts that are our own, and those of py-evm's that are imported on first use."""

import pytest

from chain.forks import Fork
from chain.keccak import keccak256
from chain.signing import SECP256K1_ORDER, address_of_private_key, sign
from chain.types import Address, Gas
from tests.execution.engine.small_world import CONTRACT, execute, state

KEY = b"\x42" * 32
DIGEST = keccak256(b"a message")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def call(number: int, data: bytes, gas: int = 1_000_000) -> tuple[bytes, str]:
    outcome = execute(state(), Address(number.to_bytes(20, "big")), data=data, gas=Gas(gas))
    return outcome.output, outcome.error


def test_a_signature_gives_its_signer_and_so_does_its_twin_with_a_high_s() -> None:
    y_parity, r, s = sign(DIGEST, KEY)
    signer = address_of_private_key(KEY).rjust(32, b"\0")
    assert call(1, DIGEST + word(27 + y_parity) + word(r) + word(s)) == (signer, "")
    assert call(1, DIGEST + word(28 - y_parity) + word(r) + word(SECP256K1_ORDER - s)) == (signer, "")


@pytest.mark.parametrize("bad", ["v", "r", "s", "short"])
def test_a_bad_signature_gives_nothing_and_does_not_fail(bad: str) -> None:
    y_parity, r, s = sign(DIGEST, KEY)
    data = {
        "v": DIGEST + word(26) + word(r) + word(s),
        "r": DIGEST + word(27 + y_parity) + word(SECP256K1_ORDER) + word(s),
        "s": DIGEST + word(27 + y_parity) + word(r) + word(0),
        "short": DIGEST,
    }[bad]
    assert call(1, data) == (b"", "")


@pytest.mark.parametrize(
    ("base", "exponent", "modulus", "power"),
    [
        (b"\x03", b"\x05", b"\x64", b"\x2b"),
        (b"", b"", b"\x07", b"\x01"),
        (b"", b"", b"\x01", b"\x00"),
        (b"\x02", b"\x02", b"\x00", b"\x00"),
        (b"", b"\x01", b"\x05", b"\x00"),
        (b"\x02", b"\x02", b"", b""),
    ],
)
def test_a_modular_power_is_right_for_empty_operands_too(
    base: bytes, exponent: bytes, modulus: bytes, power: bytes
) -> None:
    data = word(len(base)) + word(len(exponent)) + word(len(modulus)) + base + exponent + modulus
    assert call(5, data) == (power, "")


def test_a_modular_power_with_absurd_lengths_runs_out_of_gas_at_once() -> None:
    assert call(5, word(2**255) + word(2**255) + word(2**255))[1] == "out of gas"


def test_curve_points_are_added_by_modules_imported_on_first_use() -> None:
    generator, double = (
        word(1) + word(2),
        word(0x030644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD3)
        + word(0x15ED738C0E0A7C92E7845F96B2AE9C0A68A6A449E3538FC7FF3EBF7A5A18A2C4),
    )
    assert call(6, generator + generator) == (double, "")
    assert call(7, generator + word(2)) == (double, "")
    assert call(8, b"") == (word(1), "")


def test_the_bls_precompiles_are_there_from_prague_on() -> None:
    infinity = bytes(256)
    assert call(0x0B, infinity) == (bytes(128), "")
    before = execute(state(), Address(word(0x0B)[12:]), fork=Fork.CANCUN, data=infinity, gas=Gas(1_000_000))
    assert (before.output, before.error) == (b"", "")


def test_count_leading_zeros_comes_with_prague() -> None:
    for value, zeros in ((0, 256), (1, 255), (2**255, 0), (2**200, 55)):
        outcome = execute(state((CONTRACT, f"0x{value.to_bytes(32, 'big').hex()} CLZ 1 SSTORE")))
        assert outcome.writes.slots == ({(CONTRACT, 1): zeros} if zeros else {})
    assert execute(state((CONTRACT, "1 CLZ")), fork=Fork.CANCUN).error == "invalid opcode: opcode 0x1e not defined"
