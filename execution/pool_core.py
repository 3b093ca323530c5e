"""Who runs what: the pool of workers as a value. Events in, assignments out; no sockets, no clock.

Each worker holds a bounded number of leases, so that the next task is with it when it ends one. A job may prefer a
worker, because that one has its predecessors' results. When a worker is lost, its jobs go to any other, unless they
were tried too often.

A job that may take long (Pace.OPEN) is a worker's last lease: what came behind it would wait for all of it, though
another worker may be free in a moment. Nor does anything wait for that worker because it prefers it. One that goes on
in steps (Pace.STEPS) lets others in between, but these go there only where nobody can take them sooner.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

Job = TypeVar("Job")

MAX_IN_FLIGHT = 2


class Pace(IntEnum):
    """What a job means for what is sent to its worker after it."""

    SHORT = 0
    """It ends soon: the next one may wait behind it."""
    STEPS = 1
    """It takes long, and after each of its steps others have their turn."""
    OPEN = 2
    """It may take long, and holds its worker for that time."""
    LONG = 3
    """It takes long, and holds its worker."""

    @property
    def holds_worker(self) -> bool:
        """For how long nobody knows."""
        return self > Pace.STEPS


@dataclass(frozen=True, slots=True)
class Assignment(Generic[Job]):
    """Send the job to the worker under this lease."""

    worker: str
    lease: int
    job: Job


@dataclass(slots=True)
class _Queued(Generic[Job]):
    job: Job
    losses_left: int
    pace: Pace = Pace.SHORT


@dataclass(slots=True)
class _Worker(Generic[Job]):
    leases: dict[int, _Queued[Job]] = field(default_factory=dict)
    queue: deque[_Queued[Job]] = field(default_factory=deque)
    when_idle: deque[_Queued[Job]] = field(default_factory=deque)
    pace: Pace = Pace.SHORT
    """That of its slowest lease."""

    def set_pace(self) -> None:
        """After a lease that was not short came, ended or grew long."""
        self.pace = max([queued.pace for queued in self.leases.values()], default=Pace.SHORT)


class PoolCore(Generic[Job]):
    """Assigns jobs to workers. Callers send what `assignments` yields after each event.

    Leases count up from `first_lease`. A pool that outlives none of its workers must not count from where its former
    life did: their answers to that one would be taken for answers to this one. `pace_of` a job is asked when it is
    leased.
    """

    def __init__(
        self,
        max_in_flight: int = MAX_IN_FLIGHT,
        first_lease: int = 1,
        pace_of: Callable[[Job], Pace] = lambda _: Pace.SHORT,
    ) -> None:
        self._max_in_flight = max_in_flight
        self._pace_of = pace_of
        self._workers: dict[str, _Worker[Job]] = {}
        self._shared: deque[_Queued[Job]] = deque()
        self._next_lease = first_lease
        self.waiting = 0
        """Jobs that no worker holds a lease for."""

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of those there, in the order they came."""
        return tuple(self._workers)

    @property
    def is_busy(self) -> bool:
        """Whether a worker still has a task, be it one that nobody waits for any more."""
        return any(worker.leases for worker in self._workers.values())

    def add_worker(self, name: str) -> list[Job]:
        """A worker came, or came anew without what it held. Gives the jobs lost for good with its former life."""
        given_up = self.remove_worker(name)
        self._workers[name] = _Worker()
        return given_up

    def remove_worker(self, name: str) -> list[Job]:
        """A worker is gone: its jobs go first to the others. Gives those that were lost too often: it was at its oldest
        one, and had not begun the next."""
        worker = self._workers.pop(name, None)
        if worker is None:
            return []
        given_up = []
        self._shared.extendleft(reversed((*worker.queue, *worker.when_idle)))
        leased = list(worker.leases.values())
        for queued in leased[:1]:
            queued.losses_left -= 1
        for queued in reversed(leased):
            if queued.losses_left < 0:
                given_up.append(queued.job)
            else:
                self._shared.appendleft(queued)
                self.waiting += 1
        return given_up

    def submit(self, job: Job, preferred: str | None = None, losses_allowed: int = 1) -> None:
        """Queue a job, for the preferred worker if that is there and its turn will come soon."""
        queued = _Queued(job, losses_allowed)
        worker = self._workers.get(preferred) if preferred is not None else None
        (self._shared if worker is None or worker.pace.holds_worker else worker.queue).append(queued)
        self.waiting += 1

    def submit_when_idle(self, job: Job, worker: str, losses_allowed: int = 1) -> None:
        """Queue a job for when the worker has nothing else to do."""
        self._workers[worker].when_idle.append(_Queued(job, losses_allowed))
        self.waiting += 1

    def finished(self, worker: str, lease: int) -> Job | None:
        """The worker answered. None if the lease is not (any more) the worker's."""
        state = self._workers.get(worker)
        if state is None or lease not in state.leases:
            return None
        queued = state.leases.pop(lease)
        if queued.pace != Pace.SHORT:
            state.set_pace()
        return queued.job

    def withdraw(self, job: Job) -> bool:
        """Forget a job that no worker holds yet. False if it was not waiting."""
        if not self.waiting:
            return False
        of_workers = [queue for worker in self._workers.values() for queue in (worker.queue, worker.when_idle)]
        for queue in (self._shared, *of_workers):
            for queued in queue:
                if queued.job is job:
                    queue.remove(queued)
                    self.waiting -= 1
                    return True
        return False

    def abandon(self) -> list[Job]:
        """Take back every waiting job, because no worker is left to run them."""
        jobs = [queued.job for queued in self._shared]
        self._shared.clear()
        self.waiting -= len(jobs)
        return jobs

    def holder(self, job: Job) -> str | None:
        """The worker that has a lease for the job."""
        for name, worker in self._workers.items():
            if any(queued.job is job for queued in worker.leases.values()):
                return name
        return None

    def oldest(self, worker: str) -> Job:
        """The job that a worker with a lease is busy with: it takes them in order."""
        return next(iter(self._workers[worker].leases.values())).job

    def assignments(self) -> list[Assignment[Job]]:
        """Leases to send now: each worker's own queue first, then the shared one, evenly."""
        assigned: list[Assignment[Job]] = []
        for in_flight in range(self._max_in_flight):
            for name, worker in self._workers.items():
                if not self.waiting:
                    return assigned
                if len(worker.leases) != in_flight or (in_flight and not self._takes_more(worker)):
                    continue
                queue = worker.queue or self._shared
                if queue:
                    assigned.append(self._lease(name, worker, queue.popleft()))
        for name, worker in self._workers.items():
            if not worker.leases and worker.when_idle:
                assigned.append(self._lease(name, worker, worker.when_idle.popleft()))
        return assigned

    @property
    def waits_for_any(self) -> bool:
        """Whether a job waits that any worker may take."""
        return bool(self._shared)

    @property
    def waits_for_open(self) -> Job | None:
        """The first job for any worker, if it waits for one that may take long while one that goes on in steps could
        take it."""
        if not self._shared:
            return None
        paces = [worker.pace for worker in self._workers.values()]
        waits = Pace.OPEN in paces and Pace.STEPS in paces and Pace.SHORT not in paces
        return self._shared[0].job if waits else None

    def grew_long(self) -> None:
        """What might take long does: nothing waits any more for workers that are at it."""
        for worker in self._workers.values():
            for queued in worker.leases.values():
                if queued.pace == Pace.OPEN:
                    queued.pace = Pace.LONG
            worker.set_pace()

    def _takes_more(self, worker: _Worker[Job]) -> bool:
        """Whether a job can be sent to a worker that has one."""
        if worker.pace != Pace.STEPS:
            return worker.pace == Pace.SHORT
        return all(other.pace in (Pace.STEPS, Pace.LONG) for other in self._workers.values())

    def _lease(self, name: str, worker: _Worker[Job], queued: _Queued[Job]) -> Assignment[Job]:
        lease, self._next_lease = self._next_lease, self._next_lease + 1
        queued.pace = self._pace_of(queued.job)
        worker.leases[lease] = queued
        if queued.pace != Pace.SHORT:
            worker.set_pace()
            if worker.pace.holds_worker:
                self._shared.extendleft(reversed(worker.queue))
                worker.queue.clear()
        self.waiting -= 1
        return Assignment(name, lease, queued.job)
