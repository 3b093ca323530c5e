"""Roots of blocks, computed by a worker while execution does something else."""

from functools import partialmethod
from pathlib import Path

import pytest

from chain.merkle import ordered_root
from chain.messages import Message
from chain.messages.tasks import ComputeRoot, RootComputed, SummarizeReceipts
from chain.receipts import bloom_of
from execution.pool import JobTimeout, Pool
from execution.processor import BlockProcessor
from execution.roots import WORTH_SENDING, RootWorkers, compute_root, summarize_receipts
from tests.execution.test_equivalence import world_genesis
from tests.execution.test_optimistic import token_transfers
from tests.execution.world import Chain

ITEMS = [b"item %d" % n for n in range(WORTH_SENDING)]


def test_a_worker_answers_with_what_execution_would_compute() -> None:
    assert compute_root(ComputeRoot(7, tuple(ITEMS))) == RootComputed(7, ordered_root(ITEMS))


@pytest.mark.parametrize(
    ("strategy", "meanwhile", "expected"),
    [("optimistic", True, ["the root", "the receipts"]), ("optimistic", False, ["the root"]), ("serial", True, [])],
)
async def test_a_worker_computes_the_roots_of_a_long_block_and_that_of_receipts_if_execution_runs_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, meanwhile: bool, expected: list[str]
) -> None:
    asked: list[str] = []

    def compute(task: ComputeRoot) -> Message:
        asked.append("the root")
        return compute_root(task)

    def summarize(task: SummarizeReceipts) -> Message:
        asked.append("the receipts")
        return summarize_receipts(task)

    monkeypatch.setattr("tests.execution.world.compute_root", compute)
    monkeypatch.setattr("tests.execution.world.summarize_receipts", summarize)
    monkeypatch.setattr(BlockProcessor, "assemble", partialmethod(BlockProcessor.assemble, meanwhile=meanwhile))
    chain = Chain(world_genesis(), strategy, 2, tmp_path)
    blocks = [await chain.run([*token_transfers(24, n), *token_transfers(24, n + 1)]) for n in (0, 2)]
    long = [await chain.run([tx for m in range(3) for tx in token_transfers(24, n + m)]) for n in (4, 7)]
    assert asked == expected * len(long)
    for block in (*blocks, *long):
        header = block.apply.header
        assert header.transactions_root == ordered_root(block.apply.transactions)
        assert header.receipts_root == ordered_root([receipt.encode() for receipt in block.apply.receipts])
        assert header.logs_bloom == bloom_of(entry for receipt in block.apply.receipts for entry in receipt.logs)
    await chain.stop()


async def test_without_a_worker_that_answers_execution_computes_them_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await RootWorkers(Pool(), sends=True).begin(ITEMS).get() == ordered_root(ITEMS)
    chain = Chain(world_genesis(), "optimistic", 1)
    chain.workers[0].dies_at = 0

    async def too_long(*_: object) -> object:
        raise JobTimeout("no answer")

    monkeypatch.setattr(Pool, "wait", too_long)
    assert await RootWorkers(chain.pool, sends=True).begin(ITEMS).get() == ordered_root(ITEMS)
    await chain.stop()


async def test_a_busy_worker_is_not_waited_for_long_and_not_taken_for_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.roots.PATIENCE_S", 0.0)
    chain = Chain(world_genesis(), "optimistic", 1)
    assert await RootWorkers(chain.pool, sends=True).begin(ITEMS).get() == ordered_root(ITEMS)
    assert chain.pool.lost_workers == 0
    assert chain.pool.workers
    await chain.stop()
