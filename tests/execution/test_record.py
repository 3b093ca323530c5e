"""What is put on record of a block: real dependencies and artefacts, waits, and who was left out."""

import time
from pathlib import Path
from typing import Any

import pytest

from chain.accounts import Account
from chain.operations import INITIAL_SETTINGS
from chain.records import (
    AccessKind,
    AttemptResult,
    Dependency,
    LeftOutRecord,
    TransactionRecord,
    decode_record,
    encode_record,
)
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, Gas, Wei
from execution.attempts import Ran, StaleRead, Waited
from execution.block_run import BlockRun
from execution.block_settings import environment_of
from execution.known import KnownState, MissingKeys
from execution.merged import MergedState
from execution.outcome import Outcome, Reads, Writes
from execution.record import Execution, record_of
from execution.senders import SignedTransaction
from tests.contracts import artifact
from tests.execution.memory_storage import genesis_header
from tests.execution.test_equivalence import COUNTER, TOKEN, call, world_genesis
from tests.execution.world import (
    ADDRESSES,
    BENEFICIARY,
    CHAIN_ID,
    ENGINE,
    ETHER,
    KEYS,
    Chain,
    genesis,
    inputs_at,
    transaction,
)

A, B, CONTRACT = ADDRESSES[0], ADDRESSES[1], Address(b"\xcc" * 20)
NOTHING_READ = Reads(nonces={B: 0})


class NoStorage:
    """A block's missing values: there are none."""

    async def fetch(self, keys: MissingKeys) -> None:
        raise AssertionError(keys)

    async def parent_applied(self) -> None:
        raise AssertionError

    def touched(self, *_: object) -> None:
        pass


def outcome(reads: Reads, fee: int = 1, **writes: Any) -> Outcome:
    return Outcome(True, Gas(21_000), Wei(1), Wei(fee), (), b"", "", None, reads, Writes(**writes))


class Block:
    """A run of two transactions, from A and from B, whose outcomes are made up."""

    def __init__(self, to: Address = CONTRACT) -> None:
        known = KnownState()
        known.learn_accounts([(a, Account(balance=Wei(100))) for a in (A, B, CONTRACT)])
        known.learn_accounts([(BENEFICIARY, Account())])
        of = genesis([])
        environment = environment_of(CHAIN_ID, of.forks, genesis_header(of), inputs_at(1), INITIAL_SETTINGS)
        signed = [self._signed(0, to), self._signed(1, to)]
        self.run = BlockRun(environment, signed, MergedState(known), ENGINE, NoStorage())

    @staticmethod
    def _signed(who: int, to: Address) -> SignedTransaction:
        made = transaction(KEYS[who], 0, to=to, value=Wei(50), gas=Gas(1), max_fee=Wei(1), max_priority_fee=Wei(1))
        return SignedTransaction(made.hash, made.raw, made, ADDRESSES[who], None)

    def first_wrote(self, fee: int = 1, **writes: object) -> None:
        self.run.turns[0].outcome = outcome(NOTHING_READ, fee, **writes)

    def second_read(self, reads: Reads) -> None:
        self.run.turns[1].outcome = outcome(reads)

    def second(self) -> TransactionRecord:
        return record_of(Execution(ZERO_HASH, "optimistic", 2, 0), self.run, ()).transactions[1]

    def conflict(self, kind: AccessKind, address: Address, slot: int = 0) -> Dependency:
        stale = StaleRead(kind, address, slot, 1, 2, 0)
        self.run.lost(1, Ran(AttemptResult.CONFLICT, "worker-0", 0, 1, 1, (stale,)))
        conflict = self.second().attempts[-1].conflict
        assert conflict is not None
        assert (conflict.kind, conflict.address, conflict.slot) == (kind, address, slot)
        return conflict.dependency

    def wait(self, kind: AccessKind, address: Address, slot: int = 0) -> Dependency:
        self.run.turns[0].runs = [Ran(AttemptResult.ACCEPTED, "worker-0", 3, 10, 6)]
        self.run.waits = lambda index: (Waited(kind, address, slot, 0),) if index else ()
        wait = self.second().waits[-1]
        if wait.dependency == ARTEFACT or kind != AccessKind.ACCOUNT:
            assert (wait.kind, wait.slot) == (kind, slot)
        assert (wait.address, wait.writer, wait.waited_us) == (address, 0, 7)
        return wait.dependency


REAL, ARTEFACT = Dependency.REAL, Dependency.ARTEFACT


def test_a_slot_that_the_run_that_counted_read_and_an_earlier_one_changed_is_a_real_dependency() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 1): 5})
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 1): 5, (CONTRACT, 2): 0}))
    assert block.conflict(AccessKind.SLOT, CONTRACT, 1) == REAL
    assert block.conflict(AccessKind.SLOT, CONTRACT, 2) == ARTEFACT


def test_a_slot_that_only_the_rejected_run_read_is_an_artefact() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 1): 5})
    block.second_read(NOTHING_READ)
    assert block.conflict(AccessKind.SLOT, CONTRACT, 1) == ARTEFACT


def test_storage_that_an_earlier_transaction_cleared_is_a_real_dependency() -> None:
    block = Block()
    block.first_wrote(cleared=(CONTRACT,))
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 1): 0}))
    assert block.conflict(AccessKind.SLOT, CONTRACT, 1) == REAL


def test_what_a_later_transaction_changed_is_no_dependency() -> None:
    block = Block()
    block.run.turns.reverse()
    block.run.turns[0].outcome = outcome(NOTHING_READ)
    block.run.turns[1].outcome = outcome(Reads(nonces={A: 0}, slots={(CONTRACT, 1): 5}), slots={(CONTRACT, 1): 6})
    assert block.conflict(AccessKind.SLOT, CONTRACT, 1) == ARTEFACT


def test_of_several_stale_reads_the_real_one_is_on_record() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 2): 5})
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 1): 0, (CONTRACT, 2): 5}))
    stale = tuple(StaleRead(AccessKind.SLOT, CONTRACT, slot, 1, 2, 0) for slot in (1, 2))
    block.run.lost(1, Ran(AttemptResult.CONFLICT, "worker-0", 0, 1, 1, stale))
    conflict = block.second().attempts[0].conflict
    assert conflict is not None
    assert (conflict.slot, conflict.dependency) == (2, REAL)


def test_a_balance_that_was_read_exactly_is_a_dependency_on_every_change() -> None:
    block = Block()
    block.first_wrote(balances={CONTRACT: 1})
    block.second_read(Reads(nonces={B: 0}, balances={CONTRACT: Wei(101)}))
    assert block.conflict(AccessKind.BALANCE, CONTRACT) == REAL


def test_a_least_balance_is_a_dependency_only_if_earlier_transactions_made_the_difference() -> None:
    block = Block()
    block.first_wrote(balances={CONTRACT: 1})
    block.second_read(Reads(nonces={B: 0}, minimums={CONTRACT: Wei(100)}))
    assert block.conflict(AccessKind.BALANCE_AT_LEAST, CONTRACT) == ARTEFACT
    block.second_read(Reads(nonces={B: 0}, minimums={CONTRACT: Wei(101)}))
    assert block.conflict(AccessKind.BALANCE_AT_LEAST, CONTRACT) == REAL


def test_the_beneficiary_s_balance_is_changed_by_every_fee() -> None:
    block = Block()
    block.first_wrote(fee=0)
    block.second_read(Reads(nonces={B: 0}, balances={BENEFICIARY: Wei(1)}, empty={BENEFICIARY: False}))
    assert block.conflict(AccessKind.BALANCE, BENEFICIARY) == ARTEFACT
    block.first_wrote(fee=1)
    assert block.conflict(AccessKind.BALANCE, BENEFICIARY) == REAL
    assert block.conflict(AccessKind.EMPTINESS, BENEFICIARY) == REAL


def test_a_lock_on_an_account_is_real_only_where_a_key_of_it_is_shared() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 1): 5}, balances={CONTRACT: 1})
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 2): 0}, empty={CONTRACT: False}))
    assert block.wait(AccessKind.ACCOUNT, CONTRACT) == ARTEFACT
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 1): 5}))
    assert block.wait(AccessKind.ACCOUNT, CONTRACT) == REAL
    assert block.wait(AccessKind.SLOT, CONTRACT, 1) == REAL
    assert block.wait(AccessKind.NONCE, A) == ARTEFACT


def test_where_an_account_was_locked_the_key_that_was_shared_is_on_record() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 1): 5, (CONTRACT, 2): 5, (A, 9): 1})
    block.second_read(Reads(nonces={B: 0}, slots={(CONTRACT, 3): 0, (CONTRACT, 2): 5, (A, 9): 1}))
    assert block.wait(AccessKind.ACCOUNT, CONTRACT) == REAL
    wait = block.second().waits[0]
    assert (wait.kind, wait.slot) == (AccessKind.SLOT, 2)


def test_of_several_shared_keys_the_one_changed_most_often_is_on_record() -> None:
    block = Block()
    block.first_wrote(slots={(CONTRACT, 1): 5, (CONTRACT, 9): 5})
    second = block.run.turns[1]
    second.outcome = outcome(Reads(nonces={B: 0}, slots={(CONTRACT, 9): 5, (CONTRACT, 1): 5}), slots={(CONTRACT, 1): 6})
    assert block.wait(AccessKind.ACCOUNT, CONTRACT) == REAL
    assert block.second().waits[0].slot == 1


def test_two_plain_transfers_to_one_account_do_not_depend_on_each_other_but_on_money_they_pass_on() -> None:
    block = Block()
    block.first_wrote(balances={A: -50, CONTRACT: 50})
    block.second_read(Reads())
    assert block.wait(AccessKind.ACCOUNT, CONTRACT) == ARTEFACT
    block = Block()
    block.first_wrote(balances={A: -50, B: 50})
    block.second_read(Reads())
    assert block.wait(AccessKind.ACCOUNT, B) == ARTEFACT
    poor = KnownState()
    poor.learn_accounts([(B, Account(balance=Wei(1)))])
    block.run.merged = MergedState(poor)
    assert block.wait(AccessKind.ACCOUNT, B) == REAL


def test_one_that_could_not_be_included_depended_on_its_sender() -> None:
    block = Block()
    block.first_wrote(nonces={B: 1})
    assert block.conflict(AccessKind.NONCE, B) == REAL
    assert block.conflict(AccessKind.SLOT, CONTRACT, 1) == ARTEFACT


async def test_conflicts_over_one_counter_are_real_and_survive_being_stored(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)

    def increment(who: int, nonce: int) -> Transaction:
        return transaction(KEYS[who], nonce, to=COUNTER, data=call("increment()"), gas=Gas(120_000))

    block = await chain.run([increment(0, 0), increment(1, 0), increment(0, 1), increment(1, 1)])
    lost = [run.conflict for each in block.record.transactions for run in each.attempts if run.conflict is not None]
    assert lost
    assert {conflict.dependency for conflict in lost} == {REAL}
    assert decode_record(encode_record(block.record)) == block.record
    await chain.stop()


async def test_a_transaction_left_out_is_on_record_with_its_sender_and_what_it_called() -> None:
    chain = Chain(world_genesis())
    data = call("transfer(address,uint256)", ADDRESSES[1], 1)
    early = transaction(KEYS[0], 7, to=TOKEN, data=data, gas=Gas(120_000))
    create = transaction(KEYS[1], 7, to=None, data=artifact("Counter").bytecode, gas=Gas(500_000))
    block = await chain.run([early, create, b"\x02\xc0"])
    first, second, third = block.record.transactions
    assert first.left_out is not None
    assert first.left_out.reason.startswith("nonce too high")
    assert (first.left_out.retry, first.left_out.sender, first.left_out.to) == (True, ADDRESSES[0], TOKEN)
    assert first.left_out.selector == data[:4]
    assert [run.result for run in first.attempts] == [AttemptResult.NOT_INCLUDABLE]
    assert second.left_out is not None
    assert (second.left_out.to, second.left_out.selector, second.gas_used) == (b"", b"", 0)
    assert isinstance(third.left_out, LeftOutRecord)
    assert (third.attempts, third.left_out.sender) == ((), b"")
    assert decode_record(encode_record(block.record)) == block.record


async def test_the_serial_run_of_check_serial_is_timed(tmp_path: Path) -> None:
    transfers = [transaction(KEYS[n], 0, to=ADDRESSES[n + 1], value=Wei(ETHER)) for n in range(4)]
    checked = await Chain(world_genesis(), cases=tmp_path).run(transfers)
    assert checked.record.serial_us > 0
    unchecked = await Chain(world_genesis()).run(transfers)
    assert unchecked.record.serial_us == 0


async def test_reading_counts_in_the_serial_time_because_the_serial_run_finds_it_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that goes on only while storage is asked."""
    chain = Chain(world_genesis(), cases=tmp_path)
    clock, fetch = [0.0], chain.processor.fetch

    async def slow(keys: MissingKeys) -> None:
        clock[0] += 2.0
        await fetch(keys)

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(chain.processor, "fetch", slow)
    increment = transaction(KEYS[0], 0, to=COUNTER, data=call("increment()"), gas=Gas(120_000))
    record = (await chain.run([increment])).record
    assert record.serial_us == record.execution_us > 0
