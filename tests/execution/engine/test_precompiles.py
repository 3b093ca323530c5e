"""The precompiled contracts. The oracles: OpenSSL, py_ecc, and the prices computed by hand from the EIPs."""

import hashlib
import random
from itertools import pairwise
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from py_ecc.bn128 import FQ, G1, G2, add, curve_order, multiply, neg

from chain.forks import Fork
from chain.keccak import keccak256
from chain.signing import SECP256K1_ORDER, address_of_private_key, sign
from chain.types import Address, Gas
from execution.evm.precompiles import OSAKA, PRAGUE
from execution.evm.precompiles.bls12_381 import FIELD_MODULUS as BLS_FIELD_MODULUS
from execution.evm.precompiles.bn254 import FIELD_MODULUS
from execution.evm.precompiles.point_evaluation import BLS_MODULUS
from execution.evm.precompiles.signatures import P256_ORDER
from tests.execution.engine.small_world import CONTRACT, execute, state

KEY = b"\x42" * 32
DIGEST = keccak256(b"a message")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def call(number: int, data: bytes, gas: int = 1_000_000, fork: Fork = Fork.OSAKA) -> tuple[bytes, str]:
    outcome = execute(state(), Address(number.to_bytes(20, "big")), fork=fork, data=data, gas=Gas(gas))
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
    assert call(5, word(2**255) + word(2**255) + word(2**255), fork=Fork.PRAGUE)[1] == "out of gas"


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


def test_count_leading_zeros_comes_with_osaka() -> None:
    for value, zeros in ((0, 256), (1, 255), (2**255, 0), (2**200, 55)):
        program = f"0x{value.to_bytes(32, 'big').hex()} CLZ 1 SSTORE"
        outcome = execute(state((CONTRACT, program)), fork=Fork.OSAKA)
        assert outcome.writes.slots == ({(CONTRACT, 1): zeros} if zeros else {})
    assert execute(state((CONTRACT, "1 CLZ")), fork=Fork.PRAGUE).error == "invalid opcode: opcode 0x1e not defined"


def p256_input(message: bytes) -> bytes:
    """A signature by OpenSSL, in the order of EIP-7951: digest, r, s, x, y."""
    key = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    numbers = key.public_key().public_numbers()
    return hashlib.sha256(message).digest() + word(r) + word(s) + word(numbers.x) + word(numbers.y)


def test_a_p256_signature_is_verified_and_its_twin_with_a_high_s_too() -> None:
    data = p256_input(b"a message")
    s = int.from_bytes(data[64:96], "big")
    assert call(0x100, data) == (word(1), "")
    assert call(0x100, data[:64] + word(P256_ORDER - s) + data[96:]) == (word(1), "")


@pytest.mark.parametrize("at", [0, 32, 64, 96, 128])
def test_a_p256_signature_with_one_bit_changed_gives_nothing(at: int) -> None:
    data = bytearray(p256_input(b"a message"))
    data[at + 31] ^= 1
    assert call(0x100, bytes(data)) == (b"", "")


@pytest.mark.parametrize("size", [0, 159, 161])
def test_a_p256_input_of_another_size_gives_nothing(size: int) -> None:
    assert call(0x100, p256_input(b"a message").ljust(size, b"\0")[:size]) == (b"", "")


def test_before_osaka_there_is_no_p256_verification() -> None:
    assert call(0x100, p256_input(b"a message"), fork=Fork.PRAGUE) == (b"", "")


def modular_power_input(base: int, exponent: int, modulus: int, size: int) -> bytes:
    return word(size) * 3 + b"".join(operand.to_bytes(size, "big") for operand in (base, exponent, modulus))


class Meter:
    """A frame as far as a precompile sees one: it takes note of the gas."""

    def __init__(self, data: bytes) -> None:
        self.msg = SimpleNamespace(data=data)
        self.charged = 0
        self.output = b""

    def charge(self, amount: int) -> None:
        self.charged += amount


@pytest.mark.parametrize(
    ("size", "exponent", "berlin", "osaka"),
    [
        (32, 3, 200, 500),  # max(200, 16 * 1 // 3) and max(500, 16 * 1)
        (32, 2**255, 16 * 255 // 3, 16 * 255),
        (64, 2**511, 64 * (8 * 32 + 255) // 3, 128 * (16 * 32 + 255)),
        (256, 65_537, 1_024 * 8 * 224 // 3, 2_048 * 16 * 224),
    ],
)
def test_a_modular_power_costs_what_eip_2565_and_eip_7883_say(
    size: int, exponent: int, berlin: int, osaka: int
) -> None:
    data = modular_power_input(3, exponent, 2**250 - 1, size)
    for tables, price in ((PRAGUE, berlin), (OSAKA, osaka)):
        meter = Meter(data)
        tables[Address(word(5)[12:])](meter)
        assert meter.charged == price
        assert meter.output == pow(3, exponent, 2**250 - 1).to_bytes(size, "big")


def test_osaka_refuses_modular_powers_of_operands_over_1024_bytes() -> None:
    data = word(1_025) + word(1) + word(1) + bytes(1_025) + b"\1\5"
    assert call(5, data, fork=Fork.PRAGUE) == (b"\0", "")
    assert call(5, data)[1] == "one or more of base/exponent/modulus length exceeded 1024 bytes"
    assert call(5, word(1_025) * 3, gas=100_000)[1] == "out of gas", "as geth says first"


SEED = 20_260
CASES = 6


def random_points(seed: int) -> list[tuple[object, object]]:
    """Multiples of the generators of both groups, by py_ecc."""
    rng = random.Random(seed)
    return [
        (multiply(G1, rng.randrange(1, curve_order)), multiply(G2, rng.randrange(1, curve_order))) for _ in range(CASES)
    ]


def encoded(point: object) -> bytes:
    """A point of py_ecc as EIP-197 has it."""
    assert isinstance(point, tuple)
    return b"".join(
        word(int(coordinate)) if isinstance(coordinate, FQ) else b"".join(word(int(c)) for c in coordinate.coeffs[::-1])
        for coordinate in point
    )


def test_bn254_adds_and_multiplies_as_py_ecc_does() -> None:
    points = [point for point, _ in random_points(SEED)]
    for one, other in pairwise(points):
        assert call(6, encoded(one) + encoded(other)) == (encoded(add(one, other)), "")
    for factor, point in enumerate([*points, points[0]], curve_order - 3):
        product = multiply(point, factor % curve_order)
        assert call(7, encoded(point) + word(factor)) == (encoded(product) if product else bytes(64), "")


def test_bn254_pairings_are_bilinear() -> None:
    for factor, (p, q) in enumerate(random_points(SEED), 2):
        good = encoded(multiply(p, factor)) + encoded(q) + encoded(neg(p)) + encoded(multiply(q, factor))
        bad = encoded(multiply(p, factor + 1)) + encoded(q) + encoded(neg(p)) + encoded(multiply(q, factor))
        assert call(8, good) == (word(1), "")
        assert call(8, bad) == (word(0), "")


OUTSIDE_X = (0, 1)
OUTSIDE_Y = (
    5857410223677516958241855868975604786906559121396168184066542210254491971240,
    3499505209057624827709920819629410982529044040404494099368353913743455207650,
)
"""A point of the curve over the extension field that the pairing's group lacks, real parts first."""


def test_bn254_refuses_points_that_are_none() -> None:
    assert call(6, word(1) + word(3) + bytes(64))[1] == "point is not on curve"
    assert call(6, word(FIELD_MODULUS) + bytes(96))[1] == "invalid fp.Element encoding"
    p, q = word(1) + word(2), encoded(G2)
    assert call(8, p + word(0) + word(1) + bytes(64))[1] == "point is not on curve", "though others have this x"
    assert call(8, p + q[:64] + bytes(64))[1] == "point is not on curve"
    outside = b"".join(word(coordinate) for coordinate in (*OUTSIDE_X[::-1], *OUTSIDE_Y[::-1]))
    assert call(8, p + outside)[1] == "point is not in correct subgroup"
    assert call(8, bytes(191))[1] == "bad elliptic curve pairing size"


ELEMENT_OUT_OF_RANGE = bytes(16) + BLS_FIELD_MODULUS


@pytest.mark.parametrize(
    ("number", "data", "words"),
    [
        (9, bytes(212), "invalid input length"),
        (9, bytes(212) + b"\2", "invalid final flag"),
        (9, b"\xff" * 4 + bytes(208) + b"\2", "out of gas"),
        (0x0B, bytes(255), "invalid input length"),
        (0x0B, b"\1" + bytes(255), "invalid field element top bytes"),
        (0x0B, ELEMENT_OUT_OF_RANGE + b"\1" + bytes(191), "invalid fp.Element encoding"),
        (0x0B, bytes(63) + b"\1" + bytes(192), "invalid point: not on curve"),
        (0x0C, bytes(127) + b"\2" + bytes(32), "g1 point is not on correct subgroup"),
        (0x0D, bytes(63) + b"\1" + bytes(448), "invalid point: not on curve"),
        (0x0F, bytes(127) + b"\2" + bytes(256), "g1 point is not on correct subgroup"),
        (0x0F, bytes(127) + b"\2" + b"\1" + bytes(255), "invalid field element top bytes"),
        (0x10, ELEMENT_OUT_OF_RANGE, "invalid fp.Element encoding"),
        (0x11, bytes(64) + ELEMENT_OUT_OF_RANGE, "invalid fp.Element encoding"),
    ],
)
def test_precompiles_say_what_is_wrong_as_geth_does(number: int, data: bytes, words: str) -> None:
    assert call(number, data, gas=200_000) == (b"", words)


INFINITY = b"\xc0" + bytes(47)


def opening(commitment: bytes = INFINITY, z: int = 0, y: int = 0, proof: bytes = INFINITY) -> bytes:
    """What the point evaluation takes: that the polynomial of a commitment is `y` at `z`."""
    return b"\1" + hashlib.sha256(commitment).digest()[1:] + word(z) + word(y) + commitment + proof


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (opening(y=1), "can't verify opening proof"),
        (opening(y=BLS_MODULUS), "scalar is not canonical when interpreted as a big integer in big-endian"),
        (opening(z=BLS_MODULUS), "scalar is not canonical when interpreted as a big integer in big-endian"),
        (opening(commitment=bytes(48)), "short buffer"),
        (opening(proof=b"\x40" + bytes(47)), "short buffer"),
        (opening(proof=b"\xc0" + bytes(46) + b"\1"), "invalid infinity point encoding"),
        (opening(proof=b"\xe0" + bytes(47)), "invalid point encoding"),
        (opening(proof=b"\x9f" + b"\xff" * 47), "invalid fp.Element encoding"),
        (opening(proof=b"\x80" + bytes(46) + b"\1"), "invalid compressed coordinate: square root doesn't exist"),
        (opening(proof=b"\xa0" + bytes(47)), "invalid point: subgroup check failed"),
    ],
)
def test_a_wrong_kzg_proof_is_told_as_geth_s_library_does(data: bytes, words: str) -> None:
    assert call(0x0A, data) == (b"", f"error verifying kzg proof: {words}")


def test_the_constant_polynomial_is_proved() -> None:
    assert call(0x0A, opening(z=5)) == (word(4_096) + word(BLS_MODULUS), "")


def test_a_blake2_compression_of_a_million_rounds_takes_no_minutes() -> None:
    data = (1_000_000).to_bytes(4, "big") + bytes(208) + b"\1"
    assert call(9, data, gas=2_000_000)[1] == ""
