"""The virtual clock: what more workers give, worked out by hand."""

from collections.abc import Mapping, Sequence

import pytest

from chain.types import Address
from execution.chain_scheduler import MOST_TASK_US, ChainScheduler
from execution.contention import Key
from execution.schedule import Candidate, chains_of
from scripts.benchmarks.virtual_execution import Costs, RecordedTransaction, VirtualExecution

FREE = Costs(prepare=0, turn=0, assemble=0, worker=0, task=0)
RUN_US = 1_000
HOT: Key = (Address(bytes(20)), 0)


def independent(count: int) -> list[RecordedTransaction]:
    return [RecordedTransaction(RUN_US, frozenset()) for _ in range(count)]


def chained(count: int) -> list[RecordedTransaction]:
    return [RecordedTransaction(RUN_US, frozenset({index - 1} if index else ())) for index in range(count)]


def scheduled(
    block: Sequence[RecordedTransaction], workers: Sequence[str], meets_at: Mapping[int, Sequence[Key]]
) -> ChainScheduler:
    candidates = [Candidate(index, Address(bytes([index]) * 20), RUN_US) for index in range(len(block))]
    return ChainScheduler(chains_of(candidates, meets_at), workers, {})


def run(
    block: Sequence[RecordedTransaction],
    workers: int,
    costs: Costs = FREE,
    meets_at: Mapping[int, Sequence[Key]] | None = None,
) -> tuple[float, int]:
    """The clock after the block, and how many of its runs lost."""
    execution = VirtualExecution(workers, costs)
    lost = execution.run(block, scheduled(block, execution.workers, meets_at or {}))
    execution.assemble()
    return execution.now, lost


@pytest.mark.parametrize("workers", [1, 2, 4, 8, 16])
def test_independent_runs_are_shared_evenly(workers: int) -> None:
    took, lost = run(independent(64), workers)
    assert 64 * RUN_US / workers <= took <= 64 * RUN_US / workers + MOST_TASK_US
    assert lost == 0


@pytest.mark.parametrize("workers", [1, 4])
def test_a_chain_kept_on_one_worker_takes_as_long_as_its_runs(workers: int) -> None:
    assert run(chained(32), workers, meets_at=dict.fromkeys(range(32), (HOT,))) == (32 * RUN_US, 0)


def test_a_chain_spread_over_workers_loses_and_runs_again_in_the_execution_process() -> None:
    took, lost = run(chained(32), 4)
    assert lost >= 8
    assert took >= 32 * RUN_US


def test_the_execution_process_bounds_what_many_workers_give() -> None:
    costs = Costs(prepare=0, turn=500, assemble=0, worker=0, task=0)
    took, _ = run(independent(64), 16, costs)
    assert RUN_US + 64 * 500 <= took <= RUN_US + 64 * 500 + MOST_TASK_US


def test_a_block_is_assembled_while_the_next_ones_first_tasks_run() -> None:
    execution = VirtualExecution(1, Costs(prepare=0, turn=0, assemble=100, worker=0, task=0))
    for _ in range(2):
        execution.run(block := independent(4), scheduled(block, execution.workers, {}))
    assert execution.now == 8 * RUN_US
    execution.assemble()
    assert execution.now == 8 * RUN_US + 400


def test_what_surrounds_runs_takes_its_time() -> None:
    costs = Costs(prepare=10, turn=3, assemble=5, worker=7, task=100)
    took, _ = run(independent(1), 1, costs)
    assert took == 10 + 100 + 7 + RUN_US + 3 + 5


def test_the_same_block_takes_the_same_time_again() -> None:
    block = [
        RecordedTransaction(100 + 37 * n % 900, frozenset({n // 2} if n % 3 == 0 and n else ())) for n in range(80)
    ]
    costs = Costs(prepare=11, turn=31, assemble=13, worker=17, task=200)
    assert run(block, 4, costs) == run(block, 4, costs)


def test_what_stays_runs_while_the_first_answer_is_awaited() -> None:
    execution = VirtualExecution(1, FREE)
    candidates = [Candidate(index, Address(bytes([index]) * 20), RUN_US) for index in range(8)]
    sent, stays = chains_of(candidates[::2], {}), {candidate.index: -1 for candidate in candidates[1::2]}
    lost = execution.run(independent(8), ChainScheduler(sent, execution.workers, {}, stays))
    assert (execution.now, lost) == (4 * RUN_US, 0)
