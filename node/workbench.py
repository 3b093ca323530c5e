"""Block cases outside a chain: worker processes over the real pool and queues, for one case after the other.

The workers, and the process that holds a case's state in place of storage, are forked from this one and speak with it
over sockets in a private folder; they end with it. Without workers everything happens in this process.
"""

import asyncio
import contextlib
import functools
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import count
from typing import Any, TypeVar

import uvloop

from chain.block_case import BlockCase
from chain.forks import Fork
from chain.links import Peer
from chain.messages import Message
from chain.messages.link import Done
from chain.messages.tasks import FollowTasks, TransactionsRun
from chain.types import Version
from execution.case_run import CaseRun, CaseRunner
from execution.engine import COMPILED, Engine
from execution.errors import ExecutionError, InvalidDepositLog, SystemContractFailed
from execution.held_state import HeldState
from execution.pool import Pool
from execution.storage_requests import StorageRequests
from execution.worker import WorkerProcess
from execution.worker_limits import DEFAULT_LIMITS, WorkerLimits
from node.endpoints import LocalEndpoints
from node.errors import NodeError
from node.forkserver import ForkServer
from node.plan import Kind, Role, role_named
from node.queues.blocking import BlockingSocket
from node.roles import RARE_COLLECTIONS
from node.runtime_folder import runtime_folder
from node.sockets import sockets_of

Result = TypeVar("Result")


class WorkbenchBroken(NodeError):
    """A process of the workbench ended by itself."""


class CaseCannotRun(NodeError):
    """A case that lacks what its fork's rules need, such as the system contracts."""

    def __init__(self, case: BlockCase, reason: ExecutionError) -> None:
        super().__init__(f"block {case.environment.number} cannot be run on the state that comes with it: {reason}")


class NotForTheWorkbench(ExecutionError):
    """A message that is none of a worker's."""

    def __init__(self, message: Message) -> None:
        super().__init__(f"the workbench does not take a {type(message).__name__}")


class Workbench:
    """Runs cases; a strategy keeps what it learns from case to case. Implements chain.links.Service for the workers."""

    def __init__(self, engine_for: Callable[[Fork], Engine], storage: StorageRequests) -> None:
        self.pool = Pool(cores=len(os.sched_getaffinity(0)))
        self.pids: dict[str, int] = {}
        """The forked processes by name: storage, worker-0, worker-1 and so on."""
        self._engine_for = engine_for
        self._storage = storage
        self._versions = count(1)
        self._runners: dict[str, CaseRunner] = {}
        self._workers_seen: set[str] = set()
        self._changed = asyncio.Event()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, case: BlockCase, strategy: str) -> CaseRun:
        """The finished run of a case; afterwards every worker is idle. Raises UnknownStrategy, CaseCannotRun and
        WorkbenchBroken.
        """
        runner = self._runners.get(strategy)
        if runner is None:
            runner = CaseRunner(strategy, self.pool, self._engine_for, self._storage)
            self._runners[strategy] = runner
        try:
            run = await self._unless_broken(runner.run(case, Version(next(self._versions))))
        except (SystemContractFailed, InvalidDepositLog) as reason:
            del self._runners[strategy]  # it stands in the middle of a block
            raise CaseCannotRun(case, reason) from None
        await self._until(lambda: not self.pool.is_busy)
        return run

    async def all_there(self, workers: int) -> None:
        """Wait until so many workers are connected. Raises WorkbenchBroken."""
        await self._unless_broken(self._until(lambda: len(self.pool.workers) == workers))

    def started(self, name: str, pid: int) -> None:
        self.pids[name] = pid

    def ended(self, name: str) -> None:
        """A process ended by itself. Cases run on without a worker that was there, but not without anything else."""
        if name not in self._workers_seen and not self._broken.done():
            self._broken.set_exception(WorkbenchBroken(f"{name} of the workbench ended by itself"))

    async def answer(self, message: Message, peer: Peer) -> Message:
        if not isinstance(message, FollowTasks):
            raise NotForTheWorkbench(message)
        self._workers_seen.add(peer.name)
        self.pool.follow(peer)
        self._changed.set()
        return Done()

    def hear(self, message: Message, peer: Peer) -> None:
        """A worker's outcomes."""
        if not isinstance(message, TransactionsRun):
            raise NotForTheWorkbench(message)
        self.pool.finished(peer, message.task_id, message)
        self._changed.set()

    def joined(self, peer: Peer) -> None:
        """A worker says by its first request that it is one."""

    def left(self, peer: Peer) -> None:
        self.pool.left(peer)
        self._changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    async def _unless_broken(self, work: Coroutine[Any, Any, Result]) -> Result:
        task: asyncio.Future[Result] = asyncio.ensure_future(work)
        either: list[asyncio.Future[Any]] = [task, self._broken]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            return task.result()
        finally:
            task.cancel()


@contextlib.asynccontextmanager
async def workbench(
    workers: int = 2, evm: str = COMPILED, limits: WorkerLimits = DEFAULT_LIMITS
) -> AsyncIterator[Workbench]:
    """A workbench with so many worker processes. Open it before other sockets and threads are there: it forks."""
    engine_for = functools.cache(lambda fork: Engine(fork, evm))
    if not workers:
        yield Workbench(engine_for, HeldState())
        return
    with runtime_folder() as folder:
        endpoints = LocalEndpoints(folder)
        with _fork_server(endpoints, engine_for, limits) as server:
            async with sockets_of(Role(Kind.EXECUTION)) as sockets:
                bench = Workbench(engine_for, sockets.link(endpoints.storage(0)))
                sockets.serve(endpoints.execution(0, bind=True), bench, bench.hear)
                with _watched(server, bench):
                    for role in (Role(Kind.STORAGE), *(Role(Kind.WORKER, index) for index in range(workers))):
                        server.start(role.name)
                    await bench.all_there(workers)
                    yield bench


@contextlib.contextmanager
def _fork_server(
    endpoints: LocalEndpoints, engine_for: Callable[[Fork], Engine], limits: WorkerLimits
) -> Iterator[ForkServer]:
    server = ForkServer("workbench", ("uvloop",), lambda name: _be(role_named(name), endpoints, engine_for, limits))
    try:
        yield server
    finally:
        server.close()
        os.waitpid(server.pid, 0)


@contextlib.contextmanager
def _watched(server: ForkServer, bench: Workbench) -> Iterator[None]:
    """Tells the bench what becomes of its processes."""
    loop = asyncio.get_running_loop()

    def take() -> None:
        message = server.receive()
        if message is None:
            loop.remove_reader(server.socket)
            bench.ended("the fork server")
        elif "started" in message:
            bench.started(message["started"], message["pid"])
        else:
            bench.ended(message["ended"])

    loop.add_reader(server.socket, take)
    try:
        yield
    finally:
        loop.remove_reader(server.socket)


def _be(role: Role, endpoints: LocalEndpoints, engine_for: Callable[[Fork], Engine], limits: WorkerLimits) -> int:
    """Be that process until it is killed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.set_threshold(*RARE_COLLECTIONS)
    holds = role.kind == Kind.STORAGE
    uvloop.run(_hold_state(role, endpoints) if holds else _take_tasks(role, endpoints, engine_for, limits))
    return 0


async def _hold_state(role: Role, endpoints: LocalEndpoints) -> None:
    async with sockets_of(role) as sockets:
        sockets.serve(endpoints.storage(0, bind=True), HeldState())
        await asyncio.Event().wait()


async def _take_tasks(
    role: Role, endpoints: LocalEndpoints, engine_for: Callable[[Fork], Engine], limits: WorkerLimits
) -> None:
    async with sockets_of(role) as sockets:
        reads = BlockingSocket(endpoints.storage(0), role.name)
        limits.limit_memory()
        await WorkerProcess(sockets.link(endpoints.execution(0)), reads, engine_for, limits).run()
