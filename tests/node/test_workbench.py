"""Block cases outside a chain: every strategy gives what serial execution gives, over real worker processes."""

import os
import select
import signal
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from chain.accounts import AccountChange
from chain.block_case import BlockCase, CaseAccount, CaseTransaction
from chain.forks import Fork
from chain.keccak import keccak256
from chain.messages.execution import BlockEnvironment
from chain.transactions import Transaction
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from execution.case_run import CaseRun
from execution.errors import ExecutionError
from node.workbench import CaseCannotRun, WorkbenchBroken, workbench
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ETHER, GWEI, KEYS, transaction

COUNTER = Address(b"\xcc" * 20)
COUNTS = bytes.fromhex("6000546001018060005500")
"""Adds one to slot 0."""
HASHES = bytes.fromhex("3360005260ff5b6020600020600052600190038060065760005160015500")
"""Keeps the 255th hash of hashes, beginning with the caller, in slot 1."""
DEADLINE_S = 60.0
PARENT_HASH = keccak256(b"parent")


def case(transactions: Sequence[Transaction], *, counter: int = 0, number: int = 100) -> BlockCase:
    accounts = {address: CaseAccount(0, Wei(10 * ETHER), b"", {}) for address in ADDRESSES}
    accounts[COUNTER] = CaseAccount(1, Wei(0), COUNTS, {0: counter} if counter else {})
    for index in range(16):
        accounts[hasher(index)] = CaseAccount(1, Wei(0), HASHES, {})
    environment = BlockEnvironment(
        chain_id=CHAIN_ID,
        fork=Fork.CANCUN,
        number=BlockNumber(number),
        timestamp=1_700_000_000 + number,
        beneficiary=BENEFICIARY,
        prev_randao=Hash32(bytes(32)),
        gas_limit=Gas(30_000_000),
        base_fee=Wei(GWEI),
        excess_blob_gas=Gas(0),
    )
    signed = tuple(CaseTransaction(tx.raw, tx.sender()) for tx in transactions)
    return BlockCase(environment, signed, accounts, {BlockNumber(number - 1): PARENT_HASH})


def hasher(index: int) -> Address:
    return Address(bytes([0xDD, index]) * 10)


def counting(count: int, nonce: int = 0) -> list[Transaction]:
    return [transaction(KEYS[i], nonce, to=COUNTER, gas=Gas(100_000)) for i in range(count)]


def hashing(count: int) -> list[Transaction]:
    return [transaction(KEYS[i], 0, to=hasher(i % 16), gas=Gas(200_000)) for i in range(count)]


def workers_of(run: CaseRun) -> set[str]:
    return {turn.runs[-1].worker for turn in run.block.turns}


@pytest.mark.parametrize("strategy", ["serial", "optimistic"])
async def test_a_case_runs_in_this_process_when_there_are_no_workers(strategy: str) -> None:
    async with workbench(workers=0) as bench:
        run = await bench.run(case(counting(5), counter=7), strategy)
    [change] = [change for change in run.changes if change.address == COUNTER]
    assert change.slots == {0: 12}
    assert run.record.strategy == strategy
    assert workers_of(run) == {""}


async def test_workers_run_a_case_and_it_comes_out_as_it_does_serially() -> None:
    transactions = hashing(32) + counting(32, nonce=1)
    async with workbench(workers=2) as bench:
        serial = await bench.run(case(transactions), "serial")
        parallel = await bench.run(case(transactions), "optimistic")
    assert workers_of(parallel) & {"worker-0", "worker-1"}
    assert parallel.record.workers == 2
    assert by_address(parallel) == by_address(serial)
    assert parallel.block.gas_used == serial.block.gas_used


async def test_what_one_worker_ran_does_not_overlap_on_record() -> None:
    async with workbench(workers=2) as bench:
        run = await bench.run(case(hashing(64)), "optimistic")
    for worker in workers_of(run):
        spans = sorted(
            (ran.start_us, ran.end_us) for turn in run.block.turns for ran in turn.runs if ran.worker == worker
        )
        assert all(end <= start for (_, end), (start, _) in pairwise(spans)), spans


async def test_each_case_runs_on_its_own_state_whatever_ran_before() -> None:
    async with workbench(workers=2) as bench:
        for counter in (3, 1_000, 0):
            run = await bench.run(case(hashing(32) + counting(32, nonce=1), counter=counter), "optimistic")
            assert by_address(run)[COUNTER].slots == {0: counter + 32}


async def test_a_worker_that_is_killed_costs_no_result() -> None:
    async with workbench(workers=2) as bench:
        before = await bench.run(case(hashing(32)), "optimistic")
        os.kill(bench.pids["worker-0"], signal.SIGKILL)
        after = await bench.run(case(hashing(32)), "optimistic")
    assert by_address(after) == by_address(before)


async def test_the_processes_of_a_workbench_end_with_it() -> None:
    async with workbench(workers=1) as bench:
        assert set(bench.pids) == {"storage", "worker-0"}
        lives = [os.pidfd_open(pid) for pid in bench.pids.values()]
    for life in lives:
        ended, _, _ = select.select([life], [], [], DEADLINE_S)  # readable once the process has ended
        os.close(life)
        assert ended


async def test_a_case_that_cannot_run_says_why_and_the_next_one_runs() -> None:
    good = case(counting(3))
    bad = replace(good, environment=replace(good.environment, fork=Fork.PRAGUE))
    async with workbench(0) as bench:
        with pytest.raises(CaseCannotRun, match=r"system contract .* is not there"):
            await bench.run(bad, "optimistic")
        run = await bench.run(good, "optimistic")
    assert len(run.block.turns) == 3


async def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    async with workbench(workers=0) as bench:
        with pytest.raises(ExecutionError, match="optimistic"):
            await bench.run(case([]), "hopeful")


def by_address(run: CaseRun) -> dict[Address, AccountChange]:
    return {change.address: change for change in run.changes}


async def test_a_workbench_whose_state_is_lost_says_so() -> None:
    async with workbench(workers=1) as bench:
        os.kill(bench.pids["storage"], signal.SIGKILL)
        with pytest.raises(WorkbenchBroken, match="storage"):
            await bench.run(case(hashing(2)), "optimistic")
