"""What tasks tell and what they are made of, whichever strategy plans them, while turns are taken."""

from pathlib import Path

import pytest

from chain.records import AttemptResult
from execution import block_run
from execution.strategies import RULES
from tests.execution.test_equivalence import world_genesis
from tests.execution.test_optimistic import increments, token_transfers
from tests.execution.world import Chain


@pytest.mark.parametrize("strategy", RULES)
async def test_a_task_says_how_many_transactions_are_in_the_state_it_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr(block_run, "LONGEST_HOLD_S", -1)
    chain = Chain(world_genesis(), strategy, 2, tmp_path)
    await chain.run([*token_transfers(24), *increments(24, nonce=1)])
    tasks = [task for worker in chain.workers for task in worker.tasks]
    assert tasks
    start_of_block = 1
    assert {task.position - task.merged for task in tasks} == {start_of_block}
    await chain.stop()


async def test_a_lost_task_began_when_its_worker_was_done_with_the_task_before(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 2, tmp_path)
    chain.workers[0].dies_at = 2
    record = (await chain.run([*token_transfers(24), *increments(24, nonce=1)])).record
    runs = [run for transaction in record.transactions for run in transaction.attempts if run.worker == "worker-0"]
    lost = [run for run in runs if run.result == AttemptResult.WORKER_LOST]
    done = [run for run in runs if run.result != AttemptResult.WORKER_LOST]
    assert lost
    assert done
    assert min(run.start_us for run in lost) >= max(run.end_us for run in done)
    await chain.stop()
