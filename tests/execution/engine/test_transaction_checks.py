"""What keeps a transaction out of its block, among it what py-evm lets through; in geth's words."""

from dataclasses import replace
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.fees import BLOB_GAS_PER_BLOB
from chain.forks import Fork
from chain.intrinsic_gas import MAX_INIT_CODE_SIZE, MAX_TRANSACTION_GAS
from chain.signing import address_of_private_key, sign
from chain.transactions import BLOB, SET_CODE, Authorization
from chain.types import Gas, Hash32, Wei
from execution.errors import (
    BlobFeeCapTooLow,
    CannotInclude,
    FeeCapTooLow,
    FloorGasTooLow,
    GasLimitTooHigh,
    InitCodeTooLarge,
    InsufficientFunds,
    IntrinsicGasTooLow,
    MalformedTransaction,
    NonceMaximum,
    NonceTooHigh,
    NonceTooLow,
    SenderNotAnAccount,
    TipAboveFeeCap,
    TooManyBlobs,
)
from execution.evm.call_instructions import DELEGATION_PREFIX, contract_address
from tests.execution.engine.small_world import (
    ALICE,
    BOB,
    CONTRACT,
    ENGINE,
    ETHER,
    OTHER,
    assemble,
    environment,
    execute,
    state,
    transaction,
)

AUTHORITY_KEY = b"\x11" * 32
AUTHORITY = address_of_private_key(AUTHORITY_KEY)
BLOB_HASH = Hash32(b"\1" + bytes(31))
AUTHORIZATION = Authorization(0, CONTRACT, 0, 0, 1, 1)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"nonce": 1}, NonceTooHigh, f"nonce too high: address {checksummed(ALICE)}, tx: 1 state: 0"),
        ({"max_fee": Wei(6), "max_priority_fee": Wei(0)}, FeeCapTooLow, "maxFeePerGas: 6, baseFee: 7"),
        ({"max_fee": Wei(8), "max_priority_fee": Wei(9)}, TipAboveFeeCap, "maxPriorityFeePerGas: 9, maxFeePerGas: 8"),
        ({"value": Wei(ETHER)}, InsufficientFunds, f"have {ETHER} want {ETHER + 200_000 * 100}"),
        ({"gas": Gas(20_999)}, IntrinsicGasTooLow, "intrinsic gas too low: have 20999, want 21000"),
        ({"type": BLOB}, MalformedTransaction, "blob transaction missing blob hashes"),
        ({"type": BLOB, "blob_hashes": (BLOB_HASH,), "to": None}, MalformedTransaction, "of type create"),
        ({"type": BLOB, "blob_hashes": (Hash32(bytes(32)),)}, MalformedTransaction, "blob 0 has invalid hash version"),
        ({"type": BLOB, "blob_hashes": (BLOB_HASH,)}, BlobFeeCapTooLow, "blobGasFeeCap: 0, blobBaseFee: 1"),
        ({"type": BLOB, "blob_hashes": (BLOB_HASH,) * 10}, TooManyBlobs, "(limit: 9, have: 10)"),
        ({"type": SET_CODE}, MalformedTransaction, "empty auth list"),
        ({"type": SET_CODE, "to": None, "authorizations": (AUTHORIZATION,)}, MalformedTransaction, "create contract"),
        ({"chain_id": 1}, MalformedTransaction, "invalid chain id for signer: have 1 want 31337"),
    ],
)
def test_a_transaction_is_refused_in_geths_words(
    changes: dict[str, Any], error: type[CannotInclude], words: str
) -> None:
    with pytest.raises(error) as refusal:
        execute(state(), **({"to": BOB} | changes))
    assert words in str(refusal.value)


def test_blobs_are_paid_for_and_shown_to_the_contract() -> None:
    world = state((CONTRACT, "0 BLOBHASH 0 MSTORE 32 0 RETURN"))
    outcome = execute(world, type=BLOB, blob_hashes=(BLOB_HASH,), max_blob_fee=Wei(1))
    assert outcome.output == BLOB_HASH
    assert outcome.writes.balances[ALICE] == -(outcome.gas_used * outcome.gas_price + BLOB_GAS_PER_BLOB)


def test_osaka_caps_the_gas_and_the_blobs_of_a_transaction() -> None:
    for gas, fork in ((MAX_TRANSACTION_GAS, Fork.OSAKA), (Gas(MAX_TRANSACTION_GAS + 1), Fork.PRAGUE)):
        assert execute(state(), BOB, fork=fork, gas=gas).succeeded
    with pytest.raises(GasLimitTooHigh, match=r"transaction gas limit too high \(cap: 16777216, tx: 16777217\)"):
        execute(state(), BOB, fork=Fork.OSAKA, gas=Gas(MAX_TRANSACTION_GAS + 1))
    with pytest.raises(TooManyBlobs, match=r"limit: 6, have: 7"):
        execute(state(), BOB, fork=Fork.OSAKA, type=BLOB, blob_hashes=(BLOB_HASH,) * 7)


def test_a_used_nonce_is_refused() -> None:
    world = state()
    world.put(ALICE, 3, ETHER, b"", {})
    with pytest.raises(NonceTooLow, match="tx: 2 state: 3"):
        execute(world, BOB, nonce=2)


def test_the_last_nonce_cannot_be_used() -> None:
    world = state()
    world.put(ALICE, 2**64 - 1, ETHER, b"", {})
    with pytest.raises(NonceMaximum):
        execute(world, BOB, nonce=2**64 - 1)


def test_the_gas_limit_must_cover_the_calldata_floor() -> None:
    data = b"\x01" * 100
    intrinsic, floor = 21_000 + 100 * 16, 21_000 + 100 * 40
    with pytest.raises(FloorGasTooLow, match=f"have {floor - 1}, want {floor}"):
        execute(state(), BOB, data=data, gas=Gas(floor - 1))
    assert execute(state(), BOB, data=data, gas=Gas(floor)).gas_used == floor
    assert execute(state(), BOB, fork=Fork.CANCUN, data=data, gas=Gas(intrinsic)).gas_used == intrinsic


def test_a_contract_cannot_send_but_an_account_that_delegates_can() -> None:
    world = state()
    world.put(ALICE, 0, ETHER, b"\x00", {})
    with pytest.raises(SenderNotAnAccount, match=f"sender not an eoa: address {checksummed(ALICE)}"):
        execute(world, BOB)
    world.put(ALICE, 0, ETHER, DELEGATION_PREFIX + OTHER, {})
    assert execute(world, BOB).succeeded
    with pytest.raises(SenderNotAnAccount):
        execute(world, BOB, fork=Fork.CANCUN)


def test_init_code_has_a_largest_size() -> None:
    data = b"\0" * MAX_INIT_CODE_SIZE
    assert execute(state(), None, data=data, gas=Gas(2_000_000)).succeeded
    with pytest.raises(InitCodeTooLarge, match="code size 49153 limit 49152"):
        execute(state(), None, data=data + b"\0", gas=Gas(2_000_000))


@pytest.mark.parametrize(("nonce", "code", "slots"), [(1, b"", {}), (0, b"\0", {}), (0, b"", {5: 1})])
def test_no_contract_is_created_where_something_is(nonce: int, code: bytes, slots: dict[int, int]) -> None:
    world = state()
    world.put(contract_address(ALICE, 0), nonce, 0, code, slots)
    outcome = execute(world, None, data=assemble("1 0 RETURN"))
    assert (outcome.succeeded, outcome.error) == (False, "contract address collision")
    assert outcome.gas_used == 200_000


def test_a_contract_with_the_last_nonce_creates_nothing() -> None:
    world = state()
    # Stores what CREATE gives: 0 for a refusal.
    program = assemble("0 0 0 CREATE ISZERO 1 SSTORE")
    world.put(CONTRACT, 2**64 - 1, 0, program, {})
    outcome = execute(world)
    assert outcome.writes.slots == {(CONTRACT, 1): 1}
    assert CONTRACT not in outcome.writes.nonces


def test_an_authorization_delegates_an_account() -> None:
    world = state((CONTRACT, "7 1 SSTORE"))
    signed = _authorization(nonce=0)
    outcome = execute(world, AUTHORITY, type=SET_CODE, authorizations=(signed, _authorization(nonce=5)))
    assert outcome.writes.codes == {AUTHORITY: DELEGATION_PREFIX + CONTRACT}
    assert outcome.writes.nonces == {ALICE: 1, AUTHORITY: 1}
    assert outcome.writes.slots == {(AUTHORITY, 1): 7}, "the code runs as the account that delegates"
    with pytest.raises(MalformedTransaction, match="transaction type not supported"):
        execute(world, AUTHORITY, fork=Fork.CANCUN, type=SET_CODE, authorizations=(signed,))


def _authorization(nonce: int) -> Authorization:
    unsigned = Authorization(31337, CONTRACT, nonce, 0, 0, 0)
    y_parity, r, s = sign(unsigned.signing_hash(), AUTHORITY_KEY)
    return Authorization(31337, CONTRACT, nonce, y_parity, r, s)


def test_the_fee_of_a_beneficiary_that_destroys_itself_is_burnt() -> None:
    created = contract_address(ALICE, 0)
    block = replace(environment(), beneficiary=created)
    message = transaction(None, data=assemble(f"0x{BOB.hex()} SELFDESTRUCT"))
    assert ENGINE.execute(message, ALICE, block, state()).fee == 0
