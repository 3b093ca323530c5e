"""Block cases in files: what is written is read again, and what is wrong is named."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.block_case import (
    BlockCase,
    CaseAccount,
    CaseMismatch,
    CaseTransaction,
    DifferingTransaction,
    ExpectedBlock,
)
from chain.block_case_json import BlockCaseError, case_from_json, case_to_json, write_case
from chain.codec import decode_value, encode_value
from chain.forks import Fork
from chain.messages.execution import BlockEnvironment
from chain.types import Address, BlockNumber, Gas, Hash32, Wei

SENDER, CONTRACT = Address(b"\xaa" * 20), Address(b"\xcc" * 20)
CASE = BlockCase(
    environment=BlockEnvironment(
        chain_id=31337,
        fork=Fork.OSAKA,
        number=BlockNumber(7),
        timestamp=1_700_000_007,
        beneficiary=Address(b"\xbe" * 20),
        prev_randao=Hash32(b"\x11" * 32),
        gas_limit=Gas(30_000_000),
        base_fee=Wei(2**70),
        excess_blob_gas=Gas(0),
    ),
    transactions=(CaseTransaction(b"\x02\xc0", SENDER), CaseTransaction(b"", None)),
    accounts={
        SENDER: CaseAccount(2**64 - 1, Wei(2**256 - 1), b"", {}),
        CONTRACT: CaseAccount(1, Wei(0), b"\x5f\x00", {0: 1, 2**256 - 1: 2**256 - 1}),
    },
    block_hashes={BlockNumber(6): Hash32(b"\x66" * 32)},
    parent_beacon_root=Hash32(b"\x77" * 32),
    expected=ExpectedBlock(Gas(42_000), Hash32(b"\x22" * 32), bytes(256)),
    mismatch=CaseMismatch("optimistic", 2, ("gas used",), (DifferingTransaction(0, "this", "that"),)),
)


def test_a_case_is_the_same_after_a_file(tmp_path: Path) -> None:
    write_case(tmp_path / "case.json", CASE)
    assert case_from_json(orjson.loads((tmp_path / "case.json").read_bytes())) == CASE


def test_a_case_crosses_borders_as_a_message_field() -> None:
    assert decode_value(BlockCase, encode_value(CASE)) == CASE


def changed(place: str, value: Any) -> Any:
    """The case's JSON with another value at a dotted place; `...` deletes what is there."""
    whole = json.loads(json.dumps(case_to_json(CASE)))
    *path, last = place.split(".")
    at: Any = whole
    for name in path:
        at = at[int(name)] if isinstance(at, list) else at[name]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return whole


ACCOUNT = f"preState.0x{CONTRACT.hex()}"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("format", "geth", "format: 'tandem-block-case' belongs here, not 'geth'"),
        ("version", 2, "version: 1 belongs here, not 2"),
        ("extra", 1, "extra: there is no such field"),
        ("environment", [], r"environment: a JSON object belongs here, not \[\]"),
        ("environment.fork", "merge", "environment.fork: the name of a fork belongs here, not 'merge'"),
        ("environment.gasLimit", -1, r"environment.gasLimit: a whole number from 0 to 2\*\*64 - 1 .* not -1"),
        ("environment.gasLimit", True, "environment.gasLimit: .* not True"),
        ("environment.gasLimit", 1.5, "environment.gasLimit: .* not 1.5"),
        ("environment.number", ..., "environment.number: .* not nothing"),
        ("environment.baseFee", 7, "environment.baseFee: a number in 0x hex of at most 256 bits .* not 7"),
        ("environment.beneficiary", "0x12", "environment.beneficiary: 20 bytes in 0x hex .* not '0x12'"),
        ("environment.gaslimit", 1, "environment.gaslimit: there is no such field"),
        ("transactions", {}, "transactions: a list belongs here"),
        ("transactions.0.raw", "0x0", r"transactions\[0\].raw: bytes in 0x hex"),
        ("transactions.0.raw", "0x 02", r"transactions\[0\].raw: bytes in 0x hex"),
        ("transactions.0.sender", "0x" + "zz" * 20, r"transactions\[0\].sender: 20 bytes"),
        ("preState.0x12", {}, "preState.0x12: 20 bytes in 0x hex"),
        (f"{ACCOUNT}.nonce", 2**64, rf"{ACCOUNT}.nonce: a whole number"),
        (f"{ACCOUNT}.balance", "0x1" + "0" * 64, rf"{ACCOUNT}.balance: a number in 0x hex .*\.\.\."),
        (f"{ACCOUNT}.balance", "0x1_0", rf"{ACCOUNT}.balance: a number"),
        (f"{ACCOUNT}.storage.5", "0x1", rf"{ACCOUNT}.storage.5: a number in 0x hex"),
        (f"{ACCOUNT}.storage.0x5", None, rf"{ACCOUNT}.storage.0x5: .* not nothing"),
        ("blockHashes.six", "0x" + "00" * 32, "blockHashes.six: the number of a block"),
        ("blockHashes.6", "0x00", "blockHashes.6: 32 bytes"),
        ("expected.logsBloom", "0x", "expected.logsBloom: 256 bytes"),
        ("mismatch.differences", [1], r"mismatch.differences\[0\]: a text belongs here, not 1"),
        ("mismatch.transactions.0.found", 1, r"mismatch.transactions\[0\].found: a text"),
    ],
)
def test_a_wrong_field_is_named_with_what_belongs_there(place: str, value: Any, message: str) -> None:
    with pytest.raises(BlockCaseError, match=f"^not a block case: {message}") as raised:
        case_from_json(changed(place, value))
    assert "\n" not in str(raised.value)
