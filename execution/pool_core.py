"""Who runs what: the pool of workers as a value. Events in, assignments out; no sockets, no clock.

Each worker holds a bounded number of leases, so that the next task is with it when it ends one. A job may prefer a
worker, because that one has its predecessors' results. When a worker is lost, its jobs go to any other, unless they
were tried too often.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")

MAX_IN_FLIGHT = 2


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
    is_long: bool


@dataclass(slots=True)
class _Worker(Generic[Job]):
    leases: dict[int, _Queued[Job]] = field(default_factory=dict)
    queue: deque[_Queued[Job]] = field(default_factory=deque)
    when_idle: deque[_Queued[Job]] = field(default_factory=deque)

    @property
    def has_long(self) -> bool:
        return any(queued.is_long for queued in self.leases.values())


class PoolCore(Generic[Job]):
    """Assigns jobs to workers. Callers send what `assignments` yields after each event.

    Leases count up from `first_lease`. A pool that outlives none of its workers must not count from where its former
    life did: their answers to that one would be taken for answers to this one.
    """

    def __init__(self, max_in_flight: int = MAX_IN_FLIGHT, first_lease: int = 1) -> None:
        self._max_in_flight = max_in_flight
        self._workers: dict[str, _Worker[Job]] = {}
        self._shared: deque[_Queued[Job]] = deque()
        self._next_lease = first_lease

    @property
    def workers(self) -> tuple[str, ...]:
        """The names of those there, in the order they came."""
        return tuple(self._workers)

    @property
    def waiting(self) -> int:
        """Jobs that no worker holds a lease for."""
        return len(self._shared) + sum(len(w.queue) + len(w.when_idle) for w in self._workers.values())

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
        return given_up

    def submit(self, job: Job, preferred: str | None = None, losses_allowed: int = 1, *, is_long: bool = False) -> None:
        """Queue a job, for the preferred worker if that is there. Behind a long one nothing is queued as long as there
        is a worker without."""
        queued = _Queued(job, losses_allowed, is_long)
        worker = self._workers.get(preferred) if preferred is not None else None
        (self._shared if worker is None else worker.queue).append(queued)

    def submit_when_idle(self, job: Job, worker: str, losses_allowed: int = 1) -> None:
        """Queue a job for when the worker has nothing else to do."""
        self._workers[worker].when_idle.append(_Queued(job, losses_allowed, is_long=False))

    def finished(self, worker: str, lease: int) -> Job | None:
        """The worker answered. None if the lease is not (any more) the worker's."""
        state = self._workers.get(worker)
        queued = state.leases.pop(lease, None) if state is not None else None
        return None if queued is None else queued.job

    def withdraw(self, job: Job) -> bool:
        """Forget a job that no worker holds yet. False if it was not waiting."""
        of_workers = [queue for worker in self._workers.values() for queue in (worker.queue, worker.when_idle)]
        for queue in (self._shared, *of_workers):
            for queued in queue:
                if queued.job is job:
                    queue.remove(queued)
                    return True
        return False

    def abandon(self) -> list[Job]:
        """Take back every waiting job, because no worker is left to run them."""
        jobs = [queued.job for queued in self._shared]
        self._shared.clear()
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
        if not self.waiting:
            return []
        assigned: list[Assignment[Job]] = []
        may_avoid_long = any(not worker.has_long for worker in self._workers.values())
        for in_flight in range(self._max_in_flight):
            for name, worker in self._workers.items():
                if len(worker.leases) != in_flight or (may_avoid_long and worker.has_long):
                    continue
                queue = worker.queue or self._shared
                if queue:
                    assigned.append(self._lease(name, worker, queue.popleft()))
        for name, worker in self._workers.items():
            if not worker.leases and worker.when_idle:
                assigned.append(self._lease(name, worker, worker.when_idle.popleft()))
        return assigned

    def _lease(self, name: str, worker: _Worker[Job], queued: _Queued[Job]) -> Assignment[Job]:
        lease, self._next_lease = self._next_lease, self._next_lease + 1
        worker.leases[lease] = queued
        return Assignment(name, lease, queued.job)
