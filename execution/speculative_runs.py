"""A block's runs on the workers: sent as its scheduler says, until their transactions' turns take them."""

import asyncio
import logging
from collections.abc import Iterable

from chain.messages import Message
from chain.messages.tasks import Attempt, AttemptStatus, Estimate, TransactionsRun
from chain.records import AttemptResult
from execution.ahead_runs import AheadRun, AheadRuns
from execution.attempts import Ran, StaleRead
from execution.block_run import BlockRun
from execution.errors import ExecutionError
from execution.known import KnownState
from execution.outcome import Outcome
from execution.pool import JobTimeout, NoWorkers, Pool, PoolBusy, PoolJob, WorkerLost
from execution.schedule import PlannedTask
from execution.scheduler import Command, Discard, Scheduler
from execution.task_messages import unpack_outcome
from execution.worker_limits import task_limit_s
from execution.worker_tasks import Unmerged, WorkerTasks

log = logging.getLogger("tandem.execution")

FAILURES = {
    AttemptStatus.CANNOT_INCLUDE: AttemptResult.NOT_INCLUDABLE,
    AttemptStatus.PARENT_HASH_PENDING: AttemptResult.PARENT_HASH_PENDING,
    AttemptStatus.ENGINE_FAILED: AttemptResult.ENGINE_FAILED,
    AttemptStatus.READ_ESTIMATE: AttemptResult.ABORTED,
}


class WrongAnswer(ExecutionError):
    """A worker answered a task with something else than its outcomes."""


class SpeculativeRun:
    """A worker's run of a transaction; `started_us` is when it took up the task, in microseconds of the block."""

    __slots__ = ("_outcome", "attempt", "started_us", "worker")

    def __init__(self, attempt: Attempt, worker: str, started_us: int) -> None:
        self.attempt = attempt
        self.worker = worker
        self.started_us = started_us
        self._outcome: Outcome | None = None

    @property
    def index(self) -> int:
        return self.attempt.index

    @property
    def status(self) -> AttemptStatus:
        return self.attempt.status

    @property
    def estimate(self) -> Estimate | None:
        return self.attempt.estimate

    @property
    def outcome(self) -> Outcome | None:
        """Unpacked when somebody asks for it."""
        if self._outcome is None and self.attempt.outcome is not None:
            self._outcome = unpack_outcome(self.attempt.outcome)
        return self._outcome

    def ended(self, result: AttemptResult, stale: tuple[StaleRead, ...] = ()) -> Ran:
        """The run for the record."""
        attempt, started_us = self.attempt, self.started_us
        start_us, end_us = started_us + attempt.start_us, started_us + attempt.end_us
        return Ran(result, self.worker, start_us, end_us, attempt.thread_us, stale)


class SpeculativeRuns:
    """The runs of one block by the positions of their transactions. It obeys `scheduler` and tells it what happens."""

    def __init__(
        self, block: BlockRun, pool: Pool, tasks: WorkerTasks, known: KnownState, scheduler: Scheduler, *, tells: bool
    ) -> None:
        self._block = block
        self._pool = pool
        self._tasks = tasks
        self._known = known
        self._scheduler = scheduler
        self._unmerged: Unmerged | None = Unmerged({}, set()) if tells else None
        self._planned: dict[PoolJob, PlannedTask] = {}
        self._jobs: dict[int, PoolJob] = {}
        self._answered: dict[int, SpeculativeRun | AheadRun] = {}
        self._ahead = AheadRuns(block, scheduler.stays)
        self._free_us: dict[str, int] = {}
        self._limit_s = task_limit_s(block.environment.gas_limit)
        self._merged = 0
        self._sends = True

    def start(self) -> bool:
        """Whether anything is under way."""
        self._block.waits = self._scheduler.waits
        self._obey(self._scheduler.start())
        return bool(self._jobs)

    def covers(self, index: int) -> bool:
        """Whether a run of the transaction is under way or has come back."""
        return index in self._jobs or index in self._answered

    async def newest(self, index: int) -> "SpeculativeRun | AheadRun | None":
        """The speculative run of the transaction, whose turn has come; None if it was lost or did not count."""
        while index not in self._answered:
            job = self._jobs.get(index)
            if job is None:
                return None
            ahead = self._ahead.run_next(index)
            if ahead is not None:
                self._answered[ahead.index] = ahead
                if self._block.holds_long:
                    await self._block.give_way()
                continue
            idle_from_us = self._block.elapsed_us()
            try:
                answer = await self._pool.wait(job)
            except (NoWorkers, WorkerLost, JobTimeout) as reason:
                self._lose(job, reason)
            else:
                self._take(job, answer)
            self._block.idle_us += self._block.elapsed_us() - idle_from_us
        return self._answered.pop(index)

    def took_turn(self, index: int) -> None:
        """The transaction's turn is over: what it did is merged."""
        self._merged = index + 1
        self._jobs.pop(index, None)
        if self._unmerged is not None:
            self._unmerged.forget(index)
        if self._sends:
            self._obey(self._scheduler.took_turn(index, self._block.turns[index].outcome))

    def stop(self) -> None:
        """Wait for nothing more: the turns left are taken in this process."""
        if self._sends and self._merged < len(self._block.turns):
            self._end_of_waits()
        self._sends = False
        for job in list(self._planned):
            if job.has_answer:
                self._take(job, job.answer.result())
        for index, run in self._answered.items():
            self._note((index,), run.ended(FAILURES.get(run.status, AttemptResult.ABORTED)))
        self._pool.withdraw(self._planned)
        self._planned.clear()
        self._jobs.clear()
        self._answered.clear()

    def _end_of_waits(self) -> None:
        """No transaction that comes after those merged by now has waited for anything."""
        until, waits = self._merged, self._scheduler.waits
        self._block.waits = lambda index: waits(index) if index < until else ()

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Discard):
                self._discard(command)
            elif self._sends:
                self._send(command.task)

    def _send(self, task: PlannedTask) -> None:
        try:
            job = self._submit(task)
        except (NoWorkers, PoolBusy) as reason:
            log.warning("a task was not sent, execution runs its transactions itself: %s", reason)
            self._end_of_waits()
            self._sends = False
            return
        self._planned[job] = task
        for index in task.indices:
            self._jobs[index] = job
            former = self._answered.pop(index, None)
            if former is not None:
                self._note((index,), former.ended(FAILURES[former.status]))
        job.answer.add_done_callback(lambda answer: self._hear(job, answer))

    def _submit(self, task: PlannedTask) -> PoolJob:
        sent_to: list[str] = []

        def message_for(worker: str, lease: int) -> Message:
            now_us = self._block.elapsed_us()
            if sent_to:
                began_us = self._taken_up_us(sent_to[-1], job.started_us)
                self._note(task.indices, Ran(AttemptResult.WORKER_LOST, sent_to[-1], began_us, now_us, 0))
            sent_to.append(worker)
            job.started_us = now_us
            return self._tasks.message(worker, lease, self._block, self._merged, task.indices, self._unmerged)

        job = PoolJob(message_for, self._limit_s)
        self._pool.submit_job(job, task.worker)
        return job

    def _discard(self, command: Discard) -> None:
        run = self._answered.pop(command.index, None)
        if run is not None:
            self._block.lost(command.index, run.ended(AttemptResult.CONFLICT, (command.stale,)))
        if self._unmerged is not None:
            self._unmerged.estimates.add(command.index)

    def _hear(self, job: PoolJob, answer: "asyncio.Future[Message]") -> None:
        """An answer is there before anybody waits for it. What is wrong with it is for who waits to say."""
        if not answer.cancelled() and answer.exception() is None and isinstance(answer.result(), TransactionsRun):
            self._take(job, answer.result())

    def _take(self, job: PoolJob, answer: Message) -> None:
        if not isinstance(answer, TransactionsRun):
            raise WrongAnswer(f"a worker answered {type(answer).__name__} to a task")
        task = self._planned.pop(job, None)
        if task is None:
            return
        self._known.learn_accounts(answer.read_accounts)
        self._known.learn_slots(((address, slot), value) for address, slot, value in answer.read_slots)
        awaited = self._end(job, task)
        began_us = self._taken_up_us(job.worker, job.started_us)
        ended_us = self._free_us[job.worker] = began_us + max((a.end_us for a in answer.attempts), default=0)
        self._block.workers_end_us = max(self._block.workers_end_us, ended_us)
        runs = [SpeculativeRun(attempt, job.worker, began_us) for attempt in answer.attempts]
        for run in runs:
            if run.index in awaited:
                self._answered[run.index] = run
                if self._unmerged is not None and run.attempt.outcome is not None:
                    self._unmerged.add(run.index, run.attempt.outcome, run.worker)
        self._obey(self._scheduler.ran(task, runs))

    def _taken_up_us(self, worker: str, sent_us: int) -> int:
        """When the worker took up a task: one that came while it was busy lay until the task before was done."""
        return max(sent_us, self._free_us.get(worker, 0))

    def _lose(self, job: PoolJob, reason: Exception) -> None:
        """The job's transactions have no speculative run, unless the answer came in the same instant."""
        if job.has_answer:
            self._take(job, job.answer.result())
            return
        task = self._planned.pop(job)
        lost = self._end(job, task)
        log.warning("execution runs transactions %s of the block itself: %s", lost, reason)
        if job.worker:
            result = AttemptResult.TIMED_OUT if isinstance(reason, JobTimeout) else AttemptResult.WORKER_LOST
            began_us = self._taken_up_us(job.worker, job.started_us)
            self._note(lost, Ran(result, job.worker, began_us, self._block.elapsed_us(), 0))
        self._obey(self._scheduler.ran(task, ()))

    def _end(self, job: PoolJob, task: PlannedTask) -> list[int]:
        """The positions whose newest run is the job's; it is under way no more."""
        awaited = [index for index in task.indices if self._jobs.get(index) is job]
        for index in awaited:
            del self._jobs[index]
        return awaited

    def _note(self, indices: Iterable[int], ran: Ran) -> None:
        for index in indices:
            self._block.turns[index].runs.append(ran)
