"""The worker pool: processes that connect, follow tasks and answer by requests, behind `submit`.

Used by execution for transactions and by rpc for calls; it knows neither, a job makes its own message when it is sent.
Wire `joined`, `left`, `follow` and `finished` to the serving socket.
"""

import asyncio
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from itertools import chain, count
from math import inf

from chain.links import Peer
from chain.messages import Message
from execution.errors import ExecutionError
from execution.pool_core import MAX_IN_FLIGHT, Pace, PoolCore

log = logging.getLogger("tandem.pool")

MAX_WAITING = 1024
SHORT_S = 0.01
"""So long a job may wait for a worker that could have one that takes longer."""
TIMER_STEP_S = 0.002
"""Timers may be early by so much: uvloop's go by the millisecond."""


class NoWorkers(ExecutionError):
    """Nobody is there to run a task."""


class WorkerLost(ExecutionError):
    """Every worker that took the task was lost with it."""


class PoolBusy(ExecutionError):
    """More jobs wait than the pool takes."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"server busy: {waiting} calls wait, try again")


class JobTimeout(ExecutionError, TimeoutError):
    """A worker did not answer within the job's time."""


class Job(ABC):
    """What one worker is to be sent, how long it may be busy with it, and what becomes of its answer."""

    limit_s = inf
    waits_since = 0.0
    sent_at = 0.0
    worker = ""

    @property
    def pace(self) -> Pace:
        """What it means for those after it; asked for when it is leased, just before its message."""
        return Pace.SHORT

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""

    @abstractmethod
    def message(self, worker: str, lease: int) -> Message:
        """What the worker that has the lease is sent; asked for once for each lease."""

    @abstractmethod
    def succeed(self, answer: Message) -> None:
        """A worker has answered."""

    @abstractmethod
    def fail(self, error: ExecutionError) -> None:
        """It has no answer and will get none."""

    @abstractmethod
    def cancel(self) -> None:
        """Nobody waits for it any more."""


class PoolJob(Job):
    """A job on its way: `message_for(worker, lease)` is what is sent, `answer` what comes back."""

    def __init__(
        self, message_for: Callable[[str, int], Message], limit_s: float = inf, pace: Pace = Pace.SHORT
    ) -> None:
        self._message_for = message_for
        self.limit_s = limit_s
        self._pace = pace
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.started_us = 0

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def is_over(self) -> bool:
        return self.answer.done()

    def message(self, worker: str, lease: int) -> Message:
        return self._message_for(worker, lease)

    @property
    def has_answer(self) -> bool:
        return self.answer.done() and not self.answer.cancelled() and self.answer.exception() is None

    def succeed(self, answer: Message) -> None:
        self.answer.set_result(answer)

    def fail(self, error: ExecutionError) -> None:
        self.answer.set_exception(error)
        self.answer.exception()  # marks it as seen: a withdrawn job is never awaited

    def cancel(self) -> None:
        self.answer.cancel()


class Pool:
    """Workers by the name of their peer, told apart by a number where two processes have one name.

    With `wait_for_workers`, jobs wait for a worker to come (their callers have time limits); without it they fail at
    once when none is there, so that execution runs the transactions itself. `cores` are those that the workers share
    with this process; None if they are elsewhere.
    """

    def __init__(
        self,
        *,
        wait_for_workers: bool = False,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_waiting: int = MAX_WAITING,
        losses_allowed: int = 1,
        cores: int | None = None,
    ) -> None:
        self._core: PoolCore[Job] = PoolCore(max_in_flight, secrets.randbits(48), lambda job: job.pace)
        self._peers: dict[str, Peer] = {}
        self._names: dict[Peer, str] = {}
        self._heard_at: dict[str, float] = {}
        self._wait_for_workers = wait_for_workers
        self._max_waiting = max_waiting
        self._losses_allowed = losses_allowed
        self._cores = cores
        self._patience: asyncio.TimerHandle | None = None
        """Ends when a job has waited long enough for a worker that may take long."""
        self._patient: Job | None = None
        """That job."""
        self.lost_workers = 0
        self.on_worker: Callable[[str], None] = lambda name: None
        """Called when a worker comes (again) with nothing in its memory, and when it is lost."""

    @property
    def workers(self) -> tuple[str, ...]:
        return self._core.workers

    @property
    def lanes(self) -> tuple[str, ...]:
        """The workers that can run side by side with this process, each on a core of its own."""
        return self.workers if self._cores is None else self.workers[: self._cores - 1]

    @property
    def waiting(self) -> int:
        return self._core.waiting

    @property
    def waits_for_any(self) -> bool:
        """Whether a job waits that any worker may take."""
        return self._core.waits_for_any

    @property
    def is_busy(self) -> bool:
        """Whether a worker still has a task, be it one that nobody waits for any more."""
        return self._core.is_busy

    def follow(self, peer: Peer) -> None:
        """A process asked for tasks (FollowTasks)."""
        name = self._name(peer)
        self._peers[name] = peer
        self._heard_at[name] = asyncio.get_running_loop().time()
        self.on_worker(name)
        self._give_up(self._core.add_worker(name))
        self._send()

    def left(self, peer: Peer) -> None:
        """A process is gone for good; it may have been no worker."""
        name = self._names.pop(peer, None)
        if name in self._peers:
            log.info("worker %s is gone", name)
            self._lose(name)
            self._send()

    def finished(self, peer: Peer, lease: int, answer: Message) -> None:
        """A worker answered a task. One whose lease was taken away speaks in vain, but is free for work again."""
        name = self._name(peer)
        if name not in self._peers:
            self.follow(peer)
            return
        self._heard_at[name] = asyncio.get_running_loop().time()
        job = self._core.finished(name, lease)
        if job is not None and not job.is_over:
            job.succeed(answer)
        self._send()

    def submit(
        self, message_for: Callable[[str, int], Message], limit_s: float = inf, pace: Pace = Pace.SHORT
    ) -> PoolJob:
        """Queue a job; `message_for(worker, lease)` makes its message when its turn comes. See `submit_job`."""
        job = PoolJob(message_for, limit_s, pace)
        self.submit_job(job)
        return job

    def submit_job(
        self,
        job: Job,
        preferred: str | None = None,
        *,
        losses_allowed: int | None = None,
    ) -> None:
        """Queue a job, for the preferred worker if that is there. Await its `answer`.

        `losses_allowed` is how many workers may be lost with it before it is given up, by default the pool's.

        Raises NoWorkers or PoolBusy. The answer raises WorkerLost, or NoWorkers once the last worker is gone.
        """
        if not self._core.workers and not self._wait_for_workers:
            raise NoWorkers("no worker is connected")
        if self._core.waiting >= self._max_waiting:
            raise PoolBusy(self._core.waiting)
        losses = self._losses_allowed if losses_allowed is None else losses_allowed
        job.waits_since = asyncio.get_running_loop().time()
        self._core.submit(job, preferred, losses)
        self._send()

    def submit_when_idle(self, job: PoolJob, worker: str) -> None:
        """Queue a job for when the worker, which must be there, has nothing else to do. Otherwise as `submit_job`."""
        if self._core.waiting >= self._max_waiting:
            raise PoolBusy(self._core.waiting)
        job.waits_since = asyncio.get_running_loop().time()
        self._core.submit_when_idle(job, worker, self._losses_allowed)
        self._send()

    async def run(
        self, message_for: Callable[[str, int], Message], time_limit_s: float, pace: Pace = Pace.SHORT
    ) -> Message:
        """Submit and wait. Raises as `submit` and its answer do, and JobTimeout.

        A worker that let a job's time pass is stuck: its other work goes to others until it answers again.
        """
        return await self.wait(self.submit(message_for, time_limit_s, pace))

    async def wait(self, job: PoolJob) -> Message:
        """A job's answer. Raises as `submit_job` says, and JobTimeout when it takes too long."""
        try:
            async with asyncio.timeout(job.limit_s):
                return await job.answer
        except TimeoutError:
            raise self.expired(job) from None
        except asyncio.CancelledError:
            self._core.withdraw(job)
            raise

    def withdraw(self, jobs: Iterable[Job]) -> None:
        """Nobody waits for these any more; what a worker holds already ends in vain."""
        for job in jobs:
            self._core.withdraw(job)
            job.cancel()

    def expired(self, job: Job) -> JobTimeout:
        """The time of a job, which must be over, has passed; what whoever waited for it is told."""
        self._core.withdraw(job)
        self._lose_if_stuck(job)
        return JobTimeout(f"no answer within {job.limit_s:g} s")

    def _lose_if_stuck(self, job: Job) -> None:
        """The job's time has passed, but its worker may have had another one before it, or have got it late."""
        holder = self._core.holder(job)
        if holder is None:
            return
        busy_with = self._core.oldest(holder)
        busy_s = asyncio.get_running_loop().time() - max(busy_with.sent_at, self._heard_at[holder])
        if busy_s + TIMER_STEP_S >= busy_with.limit_s:
            log.warning("worker %s is stuck: its other work goes to others", holder)
            self._lose(holder)
            self._send()

    def _name(self, peer: Peer) -> str:
        if peer not in self._names:
            taken = set(self._names.values())
            numbered = (f"{peer.name}#{number}" for number in count(2))
            self._names[peer] = next(name for name in chain((peer.name,), numbered) if name not in taken)
        return self._names[peer]

    def _send(self) -> None:
        while assignments := self._core.assignments():
            refused = set()
            for assignment in assignments:
                job, name = assignment.job, assignment.worker
                if job.is_over:
                    self._core.finished(name, assignment.lease)
                elif name not in refused:
                    job.worker = name
                    job.sent_at = asyncio.get_running_loop().time()
                    if not self._peers[name].push(job.message(name, assignment.lease)):
                        refused.add(name)
            for name in refused:
                log.warning("worker %s does not take its tasks", name)
                self._lose(name)
        waits = self._core.waits_for_open if self._core.waiting else None
        if waits is not self._patient:
            self._be_patient_with(waits)

    def _be_patient_with(self, job: Job | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patient, self._patience = job, None
        if job is not None:
            end = job.waits_since + SHORT_S
            self._patience = asyncio.get_running_loop().call_at(end, self._lose_patience)

    def _lose_patience(self) -> None:
        """A job has waited for a worker that may take long: another one takes it between the steps of its own."""
        waited, self._patient, self._patience = self._patient, None, None
        if self._core.waits_for_open is waited:  # else it was withdrawn
            self._core.grew_long()
        self._send()

    def _lose(self, name: str) -> None:
        self.lost_workers += 1
        del self._peers[name], self._heard_at[name]
        self.on_worker(name)
        self._give_up(self._core.remove_worker(name))
        if not self._core.workers and not self._wait_for_workers:
            _fail(self._core.abandon(), NoWorkers("no worker is connected"))

    def _give_up(self, jobs: list[Job]) -> None:
        _fail(jobs, WorkerLost("every worker that took the task was lost with it"))


def _fail(jobs: list[Job], error: ExecutionError) -> None:
    for job in jobs:
        if not job.is_over:
            job.fail(error)
