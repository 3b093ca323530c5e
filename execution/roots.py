"""The roots of a block's transactions and receipts: work that needs no state, and so is left to a worker.

It is a tenth of what execution does for a token transfer. A worker gets the transactions when their turns are taken,
because until the next block's first task it has nothing to do, and the receipts if another block runs meanwhile; if
none does, the message would take as long as the root.
"""

from collections.abc import Sequence

from chain.merkle import ordered_root
from chain.messages.tasks import ComputeRoot, RootComputed
from chain.types import Hash32
from execution.pool import JobTimeout, NoWorkers, Pool, PoolBusy, PoolJob, WorkerLost

WORTH_SENDING = 64
"""For so many items a worker is quicker than the message to it; a short block should be done at once."""
LIMIT_S = 5.0


def compute_root(task: ComputeRoot) -> RootComputed:
    """What a worker answers."""
    return RootComputed(task.task_id, ordered_root(task.items))


class PendingRoot:
    """A root that a worker computes, if it was asked to; here, if it does not answer."""

    def __init__(self, items: Sequence[bytes], pool: Pool, job: PoolJob | None) -> None:
        self._items = items
        self._pool = pool
        self._job = job

    async def get(self) -> Hash32:
        if self._job is not None:
            try:
                answer = await self._pool.wait(self._job)
            except (NoWorkers, WorkerLost, JobTimeout):
                return ordered_root(self._items)
            if isinstance(answer, RootComputed):
                return answer.root
        return ordered_root(self._items)


class RootWorkers:
    """Has workers compute roots, if `sends`."""

    def __init__(self, pool: Pool, *, sends: bool) -> None:
        self._pool = pool
        self._sends = sends

    def begin(self, items: Sequence[bytes], *, sends: bool = True) -> PendingRoot:
        """The root of what was encoded as the trie holds it."""
        worth_it = sends and self._sends and len(items) >= WORTH_SENDING and bool(self._pool.workers)
        return PendingRoot(items, self._pool, self._job(tuple(items)) if worth_it else None)

    def _job(self, items: tuple[bytes, ...]) -> PoolJob | None:
        """For the last worker with a core of its own: one more at work would take its time from the others."""
        job = PoolJob(lambda worker, lease: ComputeRoot(lease, items), LIMIT_S)
        try:
            self._pool.submit_job(job, (self._pool.lanes or self._pool.workers)[-1])
        except (NoWorkers, PoolBusy):
            return None
        return job
