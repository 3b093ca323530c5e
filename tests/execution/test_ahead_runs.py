"""Runs that execution makes itself ahead of their turns, while workers run the rest."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import pytest

from chain.records import AttemptResult
from chain.types import Gas, Wei
from execution.schedule import Candidate
from tests.execution.test_equivalence import COUNTER, call, world_genesis
from tests.execution.test_optimistic import accepted, increments, token_transfers
from tests.execution.world import KEYS, Chain, transaction

Chains: TypeAlias = Sequence[Sequence[Candidate]]


@pytest.fixture(autouse=True)
def a_third_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def for_workers(chains: Chains, workers: int, slowness: float, theirs: Collection[int], spared_us: int) -> Chains:
        return chains[::3]

    monkeypatch.setattr("execution.strategies.optimistic.for_workers", for_workers)
    monkeypatch.setattr("execution.speculative_strategy.DISPATCH_WORTH_US", 0)


async def test_what_stays_runs_ahead_while_the_first_answer_is_awaited(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path)
    runs = accepted((await chain.run(token_transfers(12))).record)
    assert [run.worker for run in runs] == ["worker-0", "", ""] * 4
    here = [run for run in runs if not run.worker]
    assert all(before.end_us <= after.start_us for before, after in pairwise(here))
    assert here[-1].end_us <= chain.blocks[-1].record.execution_us
    await chain.stop()


async def test_a_run_made_ahead_sees_those_made_ahead_before_it(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path)
    for nonce in (0, 2):
        block = await chain.run([*token_transfers(12, nonce), *token_transfers(12, nonce + 1)])
        assert block.record.retries == 0
        assert [receipt.succeeded for receipt in block.apply.receipts] == [False, *[True] * 11] * 2  # to nobody
    await chain.stop()


async def test_a_run_made_ahead_that_was_wrong_runs_again_at_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("execution.contention.Contention.keys", lambda *_: ())
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path)
    await chain.run(increments(12))
    block = await chain.run(increments(12, nonce=1))
    (won,), (lost, again) = [record.attempts for record in block.record.transactions[:2]]
    assert (won.worker, lost.worker, again.worker) == ("worker-0", "", "")
    assert (lost.result, again.result) == (AttemptResult.CONFLICT, AttemptResult.ACCEPTED)
    assert lost.conflict is not None
    assert (lost.conflict.seen, lost.conflict.found, lost.conflict.writer) == (12, 13, 0)
    assert chain.storage.slots[(COUNTER, 0)] == 24
    await chain.stop()


async def test_one_that_cannot_be_included_says_so_at_its_turn_only(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "optimistic", 1, tmp_path)
    poor = transaction(KEYS[1], 0, to=COUNTER, data=call("increment()"), gas=Gas(100_000), max_fee=Wei(10**30))
    block = await chain.run([*token_transfers(1), poor, *token_transfers(12)[2:]])
    (left_out,) = block.left_out
    assert left_out.reason.startswith("insufficient funds")
    (only,) = block.record.transactions[1].attempts
    assert (only.worker, only.result) == ("", AttemptResult.NOT_INCLUDABLE)
    await chain.stop()
