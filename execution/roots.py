"""The roots of a block's transactions and receipts: work that needs no state, and so is left to a worker.

It is a tenth of what execution does for a token transfer. As long as another block runs nobody waits for the worker; if
none does, the message would take as long as the roots.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chain.merkle import ordered_root
from chain.messages import Message
from chain.messages.tasks import ComputeRoots, RootsComputed
from chain.types import Hash32
from execution.pool import JobTimeout, NoWorkers, Pool, PoolBusy, PoolJob, WorkerLost

WORTH_SENDING = 64
"""For so many transactions a worker is quicker than the message to it; a short block should be done at once."""
LIMIT_S = 5.0


class Roots(NamedTuple):
    """A header's transactionsRoot and receiptsRoot."""

    transactions: Hash32
    receipts: Hash32


def roots_of(transactions: Sequence[bytes], receipts: Sequence[bytes]) -> Roots:
    """The roots of what was encoded as the tries hold it."""
    return Roots(ordered_root(transactions), ordered_root(receipts))


async def roots_here(transactions: Sequence[bytes], receipts: Sequence[bytes]) -> Roots:
    """Of the last block for now, which execution computes itself."""
    return roots_of(transactions, receipts)


def compute_roots(task: ComputeRoots) -> RootsComputed:
    """What a worker answers."""
    return RootsComputed(task.task_id, *roots_of(task.transactions, task.receipts))


class RootWorkers:
    """Has workers compute roots, if `sends`, and otherwise computes them here, as when no worker answers."""

    def __init__(self, pool: Pool, *, sends: bool) -> None:
        self._pool = pool
        self._sends = sends

    async def roots_of(self, transactions: Sequence[bytes], receipts: Sequence[bytes]) -> Roots:
        if self._sends and len(transactions) >= WORTH_SENDING and self._pool.workers:
            try:
                answer = await self._asked(tuple(transactions), tuple(receipts))
            except (NoWorkers, PoolBusy, WorkerLost, JobTimeout):
                return roots_of(transactions, receipts)
            if isinstance(answer, RootsComputed):
                return Roots(answer.transactions_root, answer.receipts_root)
        return roots_of(transactions, receipts)

    async def _asked(self, transactions: tuple[bytes, ...], receipts: tuple[bytes, ...]) -> Message:
        """Of the last worker with a core of its own: one more at work would take its time from the others."""
        worker = (self._pool.lanes or self._pool.workers)[-1]
        job = PoolJob(lambda worker, lease: ComputeRoots(lease, transactions, receipts), LIMIT_S)
        self._pool.submit_job(job, worker)
        return await self._pool.wait(job)
