"""What a run records of what it depended on, and of what it changed."""

import pytest

from chain.keccak import EMPTY_HASH, keccak256
from chain.types import BlockNumber, Gas, Hash32, Wei
from execution.outcome import ParentHashPending
from node.conformance.memory_state import MemoryState
from tests.execution.engine.small_world import (
    ALICE,
    BASE_FEE,
    BOB,
    CONTRACT,
    ETHER,
    MAX_FEE,
    OTHER,
    TIP,
    assemble,
    execute,
    state,
)

CALL_OTHER = f"0 0 0 0 0 0x{OTHER.hex()} GAS CALL"


def test_a_plain_transfer_reads_little_and_writes_differences() -> None:
    outcome = execute(state(), BOB, value=Wei(5), gas=Gas(21_000))
    price = BASE_FEE + TIP
    assert outcome.succeeded
    assert outcome.reads.nonces == {ALICE: 0}
    assert outcome.reads.code_hashes == {ALICE: EMPTY_HASH, BOB: EMPTY_HASH}
    assert outcome.reads.balances == {}
    assert outcome.reads.minimums == {ALICE: 21_000 * MAX_FEE + 5}
    assert outcome.reads.empty == {BOB: False}
    assert outcome.reads.slots == {}
    assert outcome.writes.nonces == {ALICE: 1}
    assert outcome.writes.balances == {ALICE: -21_000 * price - 5, BOB: 5}
    assert (outcome.gas_used, outcome.gas_price, outcome.fee) == (21_000, price, 21_000 * TIP)


def test_a_transfer_to_nobody_reads_that_there_is_nobody() -> None:
    outcome = execute(state(), OTHER, value=Wei(5))
    assert outcome.reads.empty == {OTHER: True}
    assert outcome.writes.balances[OTHER] == 5


def test_two_credits_to_one_account_depend_on_nothing_of_each_other() -> None:
    world = state()
    first = execute(world, OTHER, value=Wei(5))
    world.put(OTHER, 0, 1, b"", {})
    before = execute(world, OTHER, value=Wei(5))
    world.apply(first.writes)
    world.accounts[ALICE] = state().accounts[ALICE]
    after = execute(world, OTHER, value=Wei(5))
    assert (before.reads, before.writes) == (after.reads, after.writes)


def test_a_balance_that_bytecode_observes_is_read_exactly() -> None:
    for program in (f"0x{BOB.hex()} BALANCE", "SELFBALANCE"):
        outcome = execute(state((CONTRACT, program)))
        assert len(outcome.reads.balances) == 1
    assert execute(state((CONTRACT, f"0x{BOB.hex()} BALANCE"))).reads.balances == {BOB: ETHER}


def test_what_a_contract_sends_needs_a_least_balance_only() -> None:
    world = state((CONTRACT, f"0 0 0 0 7 0x{BOB.hex()} GAS CALL 0 0 0 0 5 0x{BOB.hex()} GAS CALL"))
    world.put(CONTRACT, 1, 100, world.code(world.account(CONTRACT).code_hash), {})
    outcome = execute(world)
    assert outcome.reads.balances == {}
    assert outcome.reads.minimums[CONTRACT] == 12
    assert outcome.writes.balances[CONTRACT] == -12
    assert outcome.writes.balances[BOB] == 12


def test_what_a_contract_receives_first_lowers_the_balance_it_needs() -> None:
    outcome = execute(state((CONTRACT, f"0 0 0 0 7 0x{BOB.hex()} GAS CALL")), value=Wei(4))
    assert not outcome.reads.minimums.get(CONTRACT)
    assert outcome.reads.balances == {CONTRACT: 0}, "a check that fails sees the exact balance"
    world = state((CONTRACT, f"0 0 0 0 7 0x{BOB.hex()} GAS CALL"))
    world.put(CONTRACT, 1, 5, world.code(world.account(CONTRACT).code_hash), {})
    assert execute(world, value=Wei(4)).reads.minimums[CONTRACT] == 3


def test_a_call_without_value_reads_no_balance_and_no_emptiness() -> None:
    outcome = execute(state((CONTRACT, CALL_OTHER)))
    assert outcome.reads.empty == {}
    assert outcome.reads.balances == {}
    assert set(outcome.reads.minimums) == {ALICE}


def test_reads_of_a_reverted_frame_are_still_reads_and_its_writes_are_none() -> None:
    outcome = execute(state((CONTRACT, CALL_OTHER), (OTHER, "3 SLOAD POP 9 4 SSTORE 0 0 LOG0 0 0 REVERT")))
    assert outcome.succeeded
    assert outcome.reads.slots == {(OTHER, 3): 0, (OTHER, 4): 0}
    assert outcome.writes.slots == {}
    assert outcome.logs == ()


def test_a_slot_set_back_to_what_it_was_is_not_a_write() -> None:
    outcome = execute(state((CONTRACT, "9 1 SSTORE 0 1 SSTORE 8 2 SSTORE")))
    assert outcome.writes.slots == {(CONTRACT, 2): 8}
    assert outcome.reads.slots == {(CONTRACT, 1): 0, (CONTRACT, 2): 0}


def test_a_failed_transaction_still_pays_and_counts() -> None:
    outcome = execute(state((CONTRACT, "1 1 SSTORE INVALID")), value=Wei(3))
    assert (outcome.succeeded, outcome.error) == (False, "invalid opcode: INVALID")
    assert outcome.writes.nonces == {ALICE: 1}
    assert outcome.writes.balances == {ALICE: -200_000 * (BASE_FEE + TIP)}
    assert outcome.writes.slots == {}


def test_a_creation_writes_nonce_and_code_and_reads_no_slot_from_below() -> None:
    # Stores in its own slot 1, then returns the single byte 0x00 as its code.
    outcome = execute(state(), None, data=assemble("7 1 SSTORE 1 0 RETURN"))
    created = outcome.contract
    assert created is not None
    assert outcome.reads.nonces == {ALICE: 0, created: 0}
    assert outcome.reads.code_hashes[created] == EMPTY_HASH
    assert outcome.reads.slots == {}
    assert outcome.writes.nonces == {ALICE: 1, created: 1}
    assert outcome.writes.codes == {created: b"\0"}
    assert outcome.writes.slots == {(created, 1): 7}
    assert outcome.writes.cleared == (created,)


def test_a_contract_created_and_destroyed_at_once_leaves_nothing() -> None:
    outcome = execute(state(), None, data=assemble(f"7 1 SSTORE 0x{BOB.hex()} SELFDESTRUCT"), value=Wei(9))
    created = outcome.contract
    assert created is not None
    assert outcome.reads.balances == {created: 0}, "a self-destruct sends the exact balance"
    assert outcome.writes.nonces == {ALICE: 1}
    assert outcome.writes.slots == {}
    assert outcome.writes.codes == {}
    assert set(outcome.writes.balances) == {ALICE, BOB}
    assert outcome.writes.balances[BOB] == 9


def test_an_older_contract_that_self_destructs_only_sends_its_ether() -> None:
    world = state((CONTRACT, f"0x{BOB.hex()} SELFDESTRUCT"))
    world.put(CONTRACT, 1, 50, world.code(world.account(CONTRACT).code_hash), {1: 1})
    outcome = execute(world)
    assert outcome.writes.balances[CONTRACT] == -50
    assert outcome.writes.balances[BOB] == 50
    assert outcome.writes.cleared == ()
    assert keccak256(assemble(f"0x{BOB.hex()} SELFDESTRUCT")) == outcome.reads.code_hashes[CONTRACT]


def test_a_parents_hash_that_is_not_known_yet_passes_through_nested_calls() -> None:
    class Pending(MemoryState):
        def block_hash(self, number: BlockNumber) -> Hash32:
            raise ParentHashPending

    known = state((CONTRACT, CALL_OTHER), (OTHER, "1 NUMBER SUB BLOCKHASH 1 SSTORE"))
    assert execute(known).writes.slots == {(OTHER, 1): int.from_bytes(known.block_hash(BlockNumber(8_999)), "big")}
    with pytest.raises(ParentHashPending):
        execute(Pending(known.accounts, known.slots, known.codes))
