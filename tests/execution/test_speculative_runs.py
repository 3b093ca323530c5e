"""What tasks tell and what they are made of, whichever strategy plans them, while turns are taken."""

from pathlib import Path

import pytest

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
