"""A task that takes too long, or too much memory, is stopped, and its transaction comes out as it does serially."""

import signal
from dataclasses import replace

import pytest

from chain.block_case import BlockCase
from chain.records import AttemptResult
from chain.types import Gas, Wei
from execution.case_run import CaseRun
from execution.worker_limits import TASK_LIMIT_GAS, TASK_LIMIT_S, WorkerLimits, task_limit_s
from node.workbench import workbench
from tests.execution.engine.small_world import assemble
from tests.execution.world import KEYS, transaction
from tests.node.test_workbench import by_address, case, hasher

SPINS = assemble("0 JUMPDEST DUP1 32 MSTORE 32 32 SHA3 POP 1 ADD DUP1 0x8000 GT 2 JUMPI 0 SSTORE")
"""Hashes 32,768 numbers, which takes a tenth of a second, and keeps how many in slot 0."""
GROWS = assemble("1 0x08000000 MSTORE MSIZE 0 SSTORE")
"""Takes 128 MB of memory, and keeps how much in slot 0."""


def case_of(code: bytes, gas: int) -> BlockCase:
    """Four transactions that each run a contract of their own with this code."""
    given = case([transaction(KEYS[i], 0, to=hasher(i), gas=Gas(gas)) for i in range(4)])
    accounts = {**given.accounts, **{hasher(i): replace(given.accounts[hasher(i)], code=code) for i in range(4)}}
    accounts = {
        address: replace(row, balance=Wei(10**30)) if row.code == b"" else row for address, row in accounts.items()
    }
    return replace(given, accounts=accounts, environment=replace(given.environment, gas_limit=Gas(4 * gas)))


async def serial(given: BlockCase) -> CaseRun:
    async with workbench(workers=0) as bench:
        return await bench.run(given, "serial")


def results(run: CaseRun) -> set[AttemptResult]:
    return {attempt.result for turn in run.block.turns for attempt in turn.runs}


async def test_a_task_that_takes_too_long_costs_its_worker_and_not_its_result() -> None:
    given = case_of(SPINS, 5_000_000)
    async with workbench(workers=2, limits=WorkerLimits(share_of_time=0.0005)) as bench:
        run = await bench.run(given, "block-stm")
    assert AttemptResult.WORKER_LOST in results(run)
    expected = await serial(given)
    assert by_address(run) == by_address(expected)
    assert by_address(run)[hasher(0)].slots == {0: 0x8000}


async def test_a_task_that_takes_too_much_memory_fails_and_its_worker_lives() -> None:
    given = case_of(GROWS, 40_000_000_000)
    async with workbench(workers=2, limits=WorkerLimits(memory_bytes=100_000_000)) as bench:
        run = await bench.run(given, "block-stm")
        assert len(bench.pool.workers) == 2
        assert bench.pool.lost_workers == 0
    assert AttemptResult.ENGINE_FAILED in results(run)
    expected = await serial(given)
    assert by_address(run) == by_address(expected)
    assert by_address(run)[hasher(0)].slots == {0: 0x08000020}


def test_a_block_of_more_gas_has_more_time() -> None:
    assert task_limit_s(Gas(1)) == TASK_LIMIT_S
    assert task_limit_s(Gas(5 * TASK_LIMIT_GAS)) == 5 * TASK_LIMIT_S


def test_the_time_of_one_task_is_not_counted_for_the_next() -> None:
    with WorkerLimits().time_limit(Gas(TASK_LIMIT_GAS)):
        left_s, _ = signal.getitimer(signal.ITIMER_PROF)
    assert left_s == pytest.approx(TASK_LIMIT_S, abs=0.1)
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)
