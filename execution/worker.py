"""The worker process: follows tasks, runs them, answers by requests.

While a run holds the process, tasks queue in the link, whose other end bounds them by leases.
"""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from chain.forks import Fork
from chain.links import Link
from chain.messages import Message
from chain.messages.tasks import ComputeRoot, FollowTasks, RunTransactions, SummarizeReceipts
from execution.block_run import TransactionEngine
from execution.errors import ExecutionError
from execution.pool_core import MAX_IN_FLIGHT
from execution.roots import compute_root, summarize_receipts
from execution.speculation import Speculator
from execution.storage_requests import BlockingReads
from execution.worker_limits import DEFAULT_LIMITS, WorkerLimits


class UnexpectedTask(ExecutionError):
    """The pool pushed something that this kind of worker does not do."""

    def __init__(self, task: Message) -> None:
        super().__init__(f"a {type(task).__name__} is no task of this worker")


class TaskLoop:
    """Takes tasks one after the other, as they come, and sends each answer, which nothing acknowledges.

    None is lost while the pool is there: it leases so few tasks to a worker that their answers always have room in the
    socket. A pool that was away has forgotten its leases.

    A task whose answer takes long may give an awaitable: other tasks are taken up while that waits for something.
    """

    def __init__(self, pool: Link, carry_out: Callable[[Message], Message | Awaitable[Message]]) -> None:
        self._pool = pool
        self._carry_out = carry_out
        self._room = asyncio.Semaphore(2 * MAX_IN_FLIGHT)

    async def run(self) -> None:
        """Until cancelled, or until something fails that must not pass in silence."""
        async with asyncio.TaskGroup() as answers:
            self._pool.follow(FollowTasks, lambda task: self._take(task, answers))
            await asyncio.Event().wait()

    async def _take(self, task: Message, answers: asyncio.TaskGroup) -> None:
        answer = self._carry_out(task)
        if isawaitable(answer):
            await self._room.acquire()
            answers.create_task(self._answer_later(answer))
        else:
            self._pool.notify(answer)
        await asyncio.sleep(0)  # so that what has come is heard before the next task holds the process

    async def _answer_later(self, answer: Awaitable[Message]) -> None:
        try:
            self._pool.notify(await answer)
        finally:
            self._room.release()


class WorkerProcess:
    """Runs execution's tasks with `engine_for` a fork, reading what they miss from storage."""

    def __init__(
        self,
        execution: Link,
        reads: BlockingReads,
        engine_for: Callable[[Fork], TransactionEngine],
        limits: WorkerLimits = DEFAULT_LIMITS,
    ) -> None:
        self._execution = execution
        self._limits = limits
        self._speculator = Speculator(engine_for, reads)

    async def run(self) -> None:
        """Until cancelled."""
        await TaskLoop(self._execution, self._carry_out).run()

    def _carry_out(self, task: Message) -> Message:
        if isinstance(task, ComputeRoot):
            return compute_root(task)
        if isinstance(task, SummarizeReceipts):
            return summarize_receipts(task)
        if not isinstance(task, RunTransactions):
            raise UnexpectedTask(task)
        with self._limits.time_limit(task.environment.gas_limit):
            return self._speculator.run(task)
