"""Who waited for whom tells how slow workers are."""

import pytest

from execution.block_run import BlockRun
from execution.block_settings import environment_of
from execution.known import KnownState
from execution.merged import MergedState
from execution.pace import SLOWEST, Pace
from tests.execution.memory_storage import genesis_header
from tests.execution.test_record import NoStorage
from tests.execution.world import CHAIN_ID, ENGINE, genesis, inputs_at


def block(turns_us: int, workers_end_us: int, idle_us: int) -> BlockRun:
    of = genesis([])
    environment = environment_of(CHAIN_ID, of.forks, genesis_header(of), inputs_at(1))
    run = BlockRun(environment, (), MergedState(KnownState()), ENGINE, NoStorage())
    run.turns_us, run.workers_end_us, run.idle_us = turns_us, workers_end_us, idle_us
    return run


def after(*blocks: BlockRun) -> float:
    pace = Pace()
    for each in blocks:
        pace.learn(each)
    return pace.slowness


def test_workers_that_are_waited_for_are_slower_than_expected() -> None:
    assert 1 < after(block(10_000, 9_900, 500)) < after(block(10_000, 9_900, 1_000))


def test_workers_that_are_done_long_before_execution_are_faster() -> None:
    assert after(block(10_000, 5_000, 0)) < after(block(10_000, 9_000, 0)) < 1


def test_one_block_does_not_change_much_and_all_together_no_more_than_so_much() -> None:
    assert after(block(10_000, 10_000, 10_000)) == pytest.approx(1.1)
    assert after(*[block(10_000, 10_000, 10_000)] * 100) == SLOWEST


def test_workers_that_were_thought_slow_are_tried_again_after_some_blocks() -> None:
    slow = [block(10_000, 10_000, 10_000)] * 100
    here = [block(10_000, 0, 0)]
    assert after(*slow, *here * 200) == pytest.approx(1, abs=0.05)
