"""The roots of a block's transactions and receipts: work that needs no state, and so is left to a worker.

It is a tenth of what execution does for a token transfer. A worker does it when it has nothing else to do, as between
the last task of a block and the first of the next: the transactions of the block that is done by then, and the receipts
of the one before, if another block runs meanwhile; if none does, the message would take as long as the root.
"""

import asyncio
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

from chain.codec import MessageError, pack, unpack
from chain.merkle import ordered_root
from chain.messages import Message
from chain.messages.tasks import ComputeRoot, ReceiptsSummarized, RootComputed, SummarizeReceipts
from chain.receipts import Log, Receipt, bloom_of
from chain.types import Hash32, Wei
from execution.pool import JobTimeout, NoWorkers, Pool, PoolBusy, PoolJob, WorkerLost

WORTH_SENDING = 64
"""For so many items a worker is quicker than the message to it; a short block should be done at once."""
LIMIT_S = 5.0
PATIENCE_S = 0.05
"""A block is not held up longer for want of an idle worker: then execution does it."""

Result = TypeVar("Result")
_log_fields = attrgetter("address", "topics", "data")


def compute_root(task: ComputeRoot) -> RootComputed:
    """What a worker answers."""
    return RootComputed(task.task_id, ordered_root(task.items))


def summarize_receipts(task: SummarizeReceipts) -> ReceiptsSummarized:
    """What a worker answers. Raises MessageError."""
    root, bloom = summary_of(_unpack_receipts(task.receipts))
    return ReceiptsSummarized(task.task_id, root, bloom)


def summary_of(receipts: Sequence[Receipt]) -> tuple[Hash32, bytes]:
    """The root of the receipts and the bloom of their logs, as the header has them."""
    root = ordered_root([receipt.encode() for receipt in receipts])
    return root, bloom_of(entry for receipt in receipts for entry in receipt.logs)


class Pending(Generic[Result]):
    """What a worker computes, if it was asked to; what `here` gives, if it does not answer."""

    def __init__(
        self, here: Callable[[], Result], pool: Pool, job: PoolJob | None, in_answer: Callable[[Message], Result | None]
    ) -> None:
        self._here = here
        self._pool = pool
        self._job = job
        self._in_answer = in_answer

    async def get(self) -> Result:
        if self._job is not None:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await self._pool.wait(self._job)
            except (NoWorkers, WorkerLost, JobTimeout, TimeoutError):
                return self._here()
            given = self._in_answer(answer)
            if given is not None:
                return given
        return self._here()


class RootWorkers:
    """Has workers compute roots, if `sends`."""

    def __init__(self, pool: Pool, *, sends: bool) -> None:
        self._pool = pool
        self._sends = sends

    def begin(self, raws: Sequence[bytes]) -> Pending[Hash32]:
        """The root of transactions."""
        items = tuple(raws)
        job = self._job(lambda worker, lease: ComputeRoot(lease, items)) if self._worth_it(items) else None
        return Pending(
            lambda: ordered_root(items),
            self._pool,
            job,
            lambda answer: answer.root if isinstance(answer, RootComputed) else None,
        )

    def begin_summary(self, receipts: Sequence[Receipt], *, sends: bool) -> Pending[tuple[Hash32, bytes]]:
        """What `summary_of` the receipts gives."""
        job = None
        if sends and self._worth_it(receipts):
            packed = _pack_receipts(receipts)
            job = self._job(lambda worker, lease: SummarizeReceipts(lease, packed))
        return Pending(
            lambda: summary_of(receipts),
            self._pool,
            job,
            lambda answer: (answer.root, answer.bloom) if isinstance(answer, ReceiptsSummarized) else None,
        )

    def _worth_it(self, items: Sequence[object]) -> bool:
        return self._sends and len(items) >= WORTH_SENDING and bool(self._pool.workers)

    def _job(self, message_for: Callable[[str, int], Message]) -> PoolJob | None:
        """For the last worker with a core of its own: one more at work would take its time from the others."""
        job = PoolJob(message_for, LIMIT_S)
        try:
            self._pool.submit_when_idle(job, (self._pool.lanes or self._pool.workers)[-1])
        except PoolBusy:
            return None
        return job


def _pack_receipts(receipts: Sequence[Receipt]) -> bytes:
    """What their encoding in the trie holds: not what each of them used alone, paid or created."""
    return pack([(r.type, r.succeeded, r.cumulative_gas, [*map(_log_fields, r.logs)]) for r in receipts])


def _unpack_receipts(packed: bytes) -> list[Receipt]:
    """Raises MessageError."""
    try:
        return [
            Receipt(
                kind, succeeded, cumulative, cumulative, tuple([Log(a, tuple(t), data) for a, t, data in logs]), Wei(0)
            )
            for kind, succeeded, cumulative, logs in unpack(packed)
        ]
    except (TypeError, ValueError) as error:
        raise MessageError(f"not receipts: {error}") from error
