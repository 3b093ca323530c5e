"""What the optimistic strategy does beside giving the right result."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chain.messages import Message
from chain.messages.execution import BlockEnvironment
from chain.records import AccessKind, AttemptRecord, AttemptResult, BlockRecord, Dependency
from chain.transactions import Transaction
from chain.types import Address, Gas, Wei
from execution import speculative_strategy
from execution.attempts import Waited
from execution.contention import WHOLE_ACCOUNT
from execution.outcome import Outcome, StateView
from execution.pool import JobTimeout, Pool, PoolJob
from execution.reader import created_address
from execution.schedule import for_workers
from execution.serial_check import SerialMismatch
from execution.strategies.optimistic import waits_of
from tests.contracts import artifact
from tests.execution.test_equivalence import (
    BALANCE_READER,
    COUNTER,
    EMPTY,
    HASH_READER,
    LOOP,
    TOKEN,
    Generator,
    assert_same,
    call,
    world_genesis,
)
from tests.execution.world import ADDRESSES, ENGINE, KEYS, Chain, WorkerPeer, transaction, turns


def to_contract(who: int, nonce: int, to: Address, data: bytes) -> Transaction:
    return transaction(KEYS[who], nonce, to=to, data=data, gas=Gas(120_000))


def token_transfers(count: int, nonce: int = 0) -> list[Transaction]:
    """Each from another account to an account of its own: nothing in common but the token."""
    fresh = [bytes([n]) * 20 for n in range(count)]
    return [to_contract(n, nonce, TOKEN, call("transfer(address,uint256)", fresh[n], 1)) for n in range(count)]


def increments(count: int, nonce: int = 0) -> list[Transaction]:
    return [to_contract(n, nonce, COUNTER, call("increment()")) for n in range(count)]


def accepted(record: BlockRecord) -> list[AttemptRecord]:
    """The run that counted of each transaction."""
    runs = [transaction.attempts[-1] for transaction in record.transactions]
    assert {run.result for run in runs} == {AttemptResult.ACCEPTED}
    return runs


async def test_independent_transactions_run_once_each_on_all_workers(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    block = await chain.run(token_transfers(20))
    assert [len(record.attempts) for record in block.record.transactions] == [1] * 20
    runs = accepted(block.record)
    assert {run.worker for run in runs} == {"worker-0", "worker-1"}
    assert all(0 <= r.start_us <= r.end_us <= block.record.execution_us and r.thread_us > 0 for r in runs)
    gas = [receipt.gas_used for receipt in block.apply.receipts]
    assert [record.gas_used for record in block.record.transactions] == gas
    await chain.stop()


async def test_a_loser_runs_once_more_and_the_record_names_slot_values_and_writer(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    block = await chain.run(increments(4))
    losers = [record for record in block.record.transactions if len(record.attempts) == 2]
    assert losers
    for record in losers:
        lost, counted = record.attempts
        assert (lost.result, counted.result) == (AttemptResult.CONFLICT, AttemptResult.ACCEPTED)
        conflict = lost.conflict
        assert conflict is not None
        assert (conflict.kind, conflict.address, conflict.slot) == (AccessKind.SLOT, COUNTER, 0)
        assert conflict.found == conflict.writer + 1
        assert conflict.seen < conflict.found
        assert conflict.dependency == Dependency.REAL
        assert lost.worker.startswith("worker-")
        assert counted.worker == ""
        assert lost.start_us <= lost.end_us <= counted.start_us <= counted.end_us
    assert block.record.retries == len(losers)
    assert all(receipt.succeeded for receipt in block.apply.receipts)
    assert chain.storage.slots[(COUNTER, 0)] == 4
    await chain.stop()


async def test_when_most_lose_the_rest_runs_serially_and_the_record_says_from_where(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    lookers = [to_contract(n % 24, n // 24, BALANCE_READER, b"") for n in range(48)]
    payers = [transaction(KEYS[n % 24], 2 + n // 24, to=EMPTY[0], value=Wei(1)) for n in range(48)]
    block = await chain.run([tx for pair in zip(lookers[:24], lookers[24:], strict=True) for tx in pair] + payers)
    assert 0 < block.record.serial_from < 48
    assert all(run.worker == "" for run in accepted(block.record)[block.record.serial_from :])
    rest = block.record.transactions[block.record.serial_from :]
    assert {run.result for record in rest for run in record.attempts[:-1]} == {AttemptResult.ABORTED}
    await chain.stop()


async def test_a_block_whose_last_transaction_loses_did_not_go_on_serially(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speculative_strategy, "WINDOW", 1)
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    block = await chain.run(increments(2))
    assert len(block.record.transactions[1].attempts) == 2
    assert block.record.serial_from == -1
    await chain.stop()


async def test_a_hot_contract_goes_to_one_worker_from_the_next_block_on_and_who_waits_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speculative_strategy, "DISPATCH_WORTH_US", 1)
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    first = await chain.run(increments(20))
    second = await chain.run(increments(20, nonce=1))
    assert first.record.retries > 0
    assert second.record.retries == 0
    (worker,) = {run.worker for run in accepted(second.record)}
    assert worker.startswith("worker-")
    assert not any(record.waits for record in first.record.transactions)
    waits = [record.waits for record in second.record.transactions]
    assert waits[0] == ()
    for position, (wait,) in enumerate(waits[1:]):
        assert (wait.kind, wait.address, wait.slot) == (AccessKind.SLOT, COUNTER, 0)
        assert (wait.writer, wait.dependency) == (position, Dependency.REAL)
        assert wait.waited_us > 0
    await chain.stop()


def test_who_meets_others_waits_for_the_last_of_them_and_a_whole_account_is_no_slot() -> None:
    account, slot, other = (TOKEN, WHOLE_ACCOUNT), (TOKEN, 7), (COUNTER, 0)
    waits = waits_of({0: (account,), 1: (other,), 2: (account, slot), 5: (slot, other)})
    assert waits == {
        2: Waited(AccessKind.ACCOUNT, TOKEN, 0, 0),
        5: Waited(AccessKind.SLOT, TOKEN, 7, 2),
    }


async def test_plain_transfers_never_reach_a_worker(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    block = await chain.run([transaction(KEYS[n], 0, to=EMPTY[n % 3], value=Wei(1)) for n in range(20)])
    assert len(block.included) == 20
    assert [worker.tasks for worker in chain.workers] == [[], []]
    await chain.stop()


async def test_a_transfer_to_a_contract_deployed_in_the_same_block_runs_its_code(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    address = created_address(ADDRESSES[0], 0)
    deploy = transaction(KEYS[0], 0, to=None, data=artifact("Counter").bytecode, gas=Gas(400_000))
    pay = transaction(KEYS[1], 0, to=address, value=Wei(1), gas=Gas(50_000))
    block = await chain.run([deploy, pay])
    assert [receipt.succeeded for receipt in block.apply.receipts] == [True, False]
    await chain.stop()


async def test_a_small_block_runs_here_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.strategies.optimistic.for_workers", for_workers)
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    await chain.run(token_transfers(2))
    assert [worker.tasks for worker in chain.workers] == [[], []]
    await chain.stop()


async def test_without_workers_execution_goes_on_alone_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain(world_genesis(), "optimistic", 0, tmp_path)
    with caplog.at_level(logging.WARNING):
        blocks = [await chain.run(token_transfers(20, nonce)) for nonce in range(2)]
    assert [len(block.included) for block in blocks] == [20, 20]
    assert caplog.text.count("no worker is connected") == 1


@pytest.mark.parametrize("survivors", [0, 1])
async def test_a_worker_lost_in_the_middle_of_a_block_costs_nothing_but_time(tmp_path: Path, survivors: int) -> None:
    serial = Chain(world_genesis())
    chain = Chain(world_genesis(), "optimistic", 1 + survivors, tmp_path)
    chain.workers[0].dies_at = 2
    block = [*token_transfers(24), *increments(24, nonce=1)]
    found = await chain.run(block)
    assert_same(found, await serial.run(block), 0)
    lost = [run for record in found.record.transactions for run in record.attempts if run.worker == "worker-0"]
    assert AttemptResult.WORKER_LOST in {run.result for run in lost}
    accepted(found.record)
    assert len(chain.pool.workers) == survivors
    await chain.stop()


class LatePool(Pool):
    """Every answer comes in the instant in which its time is up."""

    async def wait(self, job: PoolJob) -> Message:
        await super().wait(job)
        raise JobTimeout("no answer within 10 s")


async def test_an_answer_in_the_instant_of_its_timeout_counts(tmp_path: Path) -> None:
    with patch("tests.execution.world.Pool", LatePool):
        chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    block = await chain.run(token_transfers(20))
    assert [[attempt.result for attempt in t.attempts] for t in block.record.transactions] == (
        [[AttemptResult.ACCEPTED]] * 20
    )
    await chain.stop()


async def test_a_worker_that_comes_back_is_told_everything_anew(tmp_path: Path) -> None:
    serial = Chain(world_genesis())
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path)
    generator = Generator(77)
    for number in range(6):
        block = generator.block(20)
        assert_same(await chain.run(block), await serial.run(block), 77)
        if number % 2:
            chain.pool.follow(chain.workers[0])
    resets = [task.reset for task in chain.workers[0].tasks]
    assert resets.count(True) == 3
    await chain.stop()


async def test_blocks_execute_on_top_of_blocks_that_storage_has_not_applied(tmp_path: Path) -> None:
    serial = Chain(world_genesis())
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    generator = Generator(5)
    generator.read_hash = generator.counter  # type: ignore[method-assign]
    for _ in range(3):
        batch = [generator.block(25) for _ in range(3)]
        waiting = [await chain.execute(block) for block in batch]
        for block, found in zip(batch, waiting, strict=True):
            expected = await serial.run(block)
            await chain.apply(found)
            assert_same(found, expected, 5)
    assert chain.storage.head.hash == serial.storage.head.hash
    await chain.stop()


@pytest.mark.parametrize("count", [1, 12])
async def test_who_asks_for_the_parents_hash_waits_until_storage_knows_it(tmp_path: Path, count: int) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    for number in range(3):
        first = await chain.execute([transaction(KEYS[0], number, to=EMPTY[0], value=Wei(1))])
        readers = [to_contract(n + 1, number, HASH_READER, b"") for n in range(count)]
        second = asyncio.ensure_future(chain.execute([*readers, *token_transfers(0)]))
        await turns()
        assert not second.done()
        applied = await chain.apply(first)
        await chain.apply(await second)
        assert chain.storage.slots[(HASH_READER, 0)] == int.from_bytes(applied.hash, "big")
    await chain.stop()


def saved_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_workers_run_code_that_storage_does_not_have_yet(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    await chain.run(increments(8))
    deploys = [transaction(KEYS[n], 1, to=None, data=artifact("Counter").bytecode, gas=Gas(400_000)) for n in range(8)]
    first = await chain.execute(deploys)
    places = [created_address(ADDRESSES[n], 1) for n in range(8)]
    second = await chain.execute([to_contract(n, 2, places[n], call("increment()")) for n in range(8)])
    assert {run.worker for run in accepted(second.record)} == {"worker-0", "worker-1"}
    for block in (first, second):
        await chain.apply(block)
    assert [chain.storage.slots[(place, 0)] for place in places] == [1] * 8
    await chain.stop()


class LyingEngine:
    """The engine, but one gas too much for a counter on workers."""

    def __init__(self) -> None:
        self.lies = True

    def execute(
        self, transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
    ) -> Outcome:
        outcome = ENGINE.execute(transaction, sender, environment, view)
        if self.lies and transaction.to == LOOP:
            outcome.writes.slots[(LOOP, 99)] = 1
        return outcome

    def __getattr__(self, name: str) -> Any:
        return getattr(ENGINE, name)


async def test_a_difference_from_serial_execution_stops_and_saves_the_case(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 0, tmp_path)
    engine = LyingEngine()
    chain.workers.append(WorkerPeer("liar", chain.storage, chain.pool, engine))
    calls = [to_contract(n, 0, LOOP, call("run(uint256)", 1)) for n in range(8)]
    with pytest.raises(SerialMismatch, match=f"account 0x{LOOP.hex()}"):
        await chain.execute(calls)
    assert saved_in(tmp_path) == ["serial-mismatch-1.json"]
    await chain.stop()


class BrokenEngine(LyingEngine):
    """The engine with a defect."""

    def execute(
        self, transaction: Transaction, sender: Address, environment: BlockEnvironment, view: StateView
    ) -> Outcome:
        if transaction.to == LOOP:
            raise ZeroDivisionError("a defect")
        return ENGINE.execute(transaction, sender, environment, view)


async def test_a_transaction_that_breaks_the_engine_is_evicted_and_the_chain_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path, BrokenEngine())
    bad = [to_contract(n, 0, LOOP, call("run(uint256)", 1)) for n in range(4)]
    good = transaction(KEYS[9], 0, value=Wei(1))
    block = await chain.run([*bad, good])
    assert block.included == (good.hash,)
    assert {(out.reason, out.retry) for out in block.left_out} == {
        ("internal error: ZeroDivisionError: a defect", False)
    }
    assert "the engine failed on transaction" in caplog.text
    await chain.stop()
