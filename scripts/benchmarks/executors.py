"""Executors for a benchmark: the real code of execution with real worker processes over real queues, and nothing else.

Storage is in memory, in this process. What workers ask it costs this process time; warm workers ask nothing.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path

from chain.accounts import AccountChange
from chain.genesis import Genesis
from chain.keccak import keccak256
from chain.links import Peer
from chain.messages import Message
from chain.messages.link import Done
from chain.messages.storage import BlockApplied
from chain.messages.tasks import FollowTasks, ReceiptsSummarized, RootComputed, TransactionsRun
from chain.proposals import decode_proposal, encode_proposal
from chain.types import Hash32, Height
from execution.assembly import ExecutedBlock
from execution.block_run import BlockRun
from execution.engine import Engine
from execution.operations import Operations
from execution.pipeline import Pipeline
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.senders import Senders
from execution.strategies import SERIAL
from node.endpoints import LocalEndpoints
from node.folder import DataFolder
from node.lifeline import die_with_parent
from node.plan import Kind, Plan, Role
from node.roles import RARE_COLLECTIONS, run_role
from node.settings import Settings
from node.sockets import Sockets
from scripts.benchmarks.execution_blocks import SignedBlock
from tests.execution.memory_storage import MemoryStorage
from tests.execution.world import inputs_at, proposal

START_SECONDS = 60.0
EXIT_SECONDS = 10
KEPT_VERSIONS = 16
"""A worker may still be at a task that execution has given up."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What some blocks took: seconds by the clock, and of the CPU in this process, in the workers' main threads, and of
    that in their runs.
    """

    wall: float
    cpu: float
    workers_cpu: float
    runs_cpu: float


class LeanStorage(MemoryStorage):
    """It keeps few versions, and its state roots are digests of all changes so far: equal for equal ones."""

    _digest = Hash32(bytes(32))

    def forget_old(self) -> None:
        oldest = self.head.version - KEPT_VERSIONS
        self.versions = {version: state for version, state in self.versions.items() if version > oldest}
        self.blocks.clear()
        self.requests.clear()

    def _take(self, changes: Sequence[AccountChange]) -> None:
        super()._take(changes)
        in_order = sorted((change.address, repr(change.account), sorted(change.slots.items())) for change in changes)
        self._digest = keccak256(self._digest + repr(in_order).encode())

    def _root(self) -> Hash32:
        return self._digest


class Executor:
    """Blocks in the order of their chain through execution's pipeline."""

    def __init__(self, genesis: Genesis, strategy: str, evm: str) -> None:
        self.strategy = strategy
        self.storage = LeanStorage(genesis)
        self.pool = Pool(cores=len(os.sched_getaffinity(0)))
        self.pids: list[int] = []
        self.has_workers = asyncio.Event()
        self._senders = Senders(genesis.forks.newest)
        self._parent = genesis.id()
        self._number = 0
        engines = cache(lambda fork: Engine(fork, evm))
        self.processor = BlockProcessor(
            genesis.chain_id,
            genesis.forks,
            self.storage.head,
            self.storage,
            engines,
            strategy,
            self.pool,
            self._senders,
        )
        operations = Operations(genesis, self.processor, self.storage)
        self._pipeline = Pipeline(self.processor, operations, Height(0), lambda: None)

    async def run(self, blocks: Sequence[SignedBlock]) -> tuple[Timing, list[ExecutedBlock]]:
        """Executes the blocks one upon the other, which is what is timed, and applies them."""
        encoded = [self._proposal(block) for block in blocks]
        self._senders.hint((transaction.hash, sender) for block in blocks for transaction, sender in block)
        self.storage.forget_old()
        gc.collect()
        wall, cpu, workers = time.perf_counter(), time.thread_time(), self._workers_cpu()
        executed = await self._through_pipeline(encoded)
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        runs = sum(
            ran.thread_us for block in executed for t in block.record.transactions for ran in t.attempts if ran.worker
        )
        timing = Timing(wall, cpu, self._workers_cpu() - workers, runs / 1e6)
        for block in executed:
            await self._apply(block)
        return timing, executed

    async def record(self, block: SignedBlock) -> BlockRun:
        """Executes and applies one more block, and keeps its run with all outcomes."""
        self._senders.hint((transaction.hash, sender) for transaction, sender in block)
        proposed = decode_proposal(self._proposal(block))
        gc.collect()  # else one in the middle of a block counts as a run of 30 ms
        ran = await self.processor.run(proposed, self.processor.signed(proposed))
        await self._apply(await self.processor.assemble(ran))
        return ran.run

    async def _apply(self, block: ExecutedBlock) -> None:
        applied = await self.storage.request(block.apply)
        assert isinstance(applied, BlockApplied)
        self.processor.applied(block, applied)

    def _proposal(self, block: SignedBlock) -> bytes:
        self._number += 1
        raws = [transaction.raw for transaction, _ in block]
        proposed = proposal(self._number, self._parent, raws, inputs_at(self._number))
        self._parent = proposed.id
        return encode_proposal(proposed)

    async def _through_pipeline(self, encoded: Sequence[bytes]) -> list[ExecutedBlock]:
        for data in encoded:
            self._pipeline.proposals.put_nowait(data)
        running = asyncio.ensure_future(self._pipeline.run())
        try:
            executed = [await self._pipeline.blocks.get() for _ in encoded]
            return [block for block in executed if isinstance(block, ExecutedBlock)]
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _workers_cpu(self) -> float:
        return sum(map(_cpu_seconds, self.pids))


class _Tasks:
    """What execution offers its workers (implements chain.links.Service)."""

    def __init__(self, executor: Executor, workers: int) -> None:
        self._executor = executor
        self._pool = executor.pool
        self._workers = workers

    async def answer(self, message: Message, peer: Peer) -> Message:
        assert isinstance(message, FollowTasks)
        self._pool.follow(peer)
        if len(self._pool.workers) == self._workers:
            self._executor.has_workers.set()
        return Done()

    def hear(self, message: Message, peer: Peer) -> None:
        assert isinstance(message, TransactionsRun | RootComputed | ReceiptsSummarized)
        self._pool.finished(peer, message.task_id, message)

    def joined(self, peer: Peer) -> None: ...

    def left(self, peer: Peer) -> None:
        self._pool.left(peer)


class _State:
    """What storage offers the workers (implements chain.links.Service)."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage

    async def answer(self, message: Message, peer: Peer) -> Message:
        return self._storage.answer(message)

    def joined(self, peer: Peer) -> None: ...

    def left(self, peer: Peer) -> None: ...


@contextlib.asynccontextmanager
async def running_executors(
    genesis: Genesis, strategies: Sequence[str], evm: str, workers: int
) -> AsyncIterator[list[Executor]]:
    """One executor for each strategy, each with workers of its own."""
    gc.set_threshold(*RARE_COLLECTIONS)
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as path, contextlib.ExitStack() as stack:
        plan = _plan(genesis, evm, Path(path))
        executors = [Executor(genesis, strategy, evm) for strategy in strategies]
        sockets = Sockets(Role(Kind.EXECUTION))
        try:
            for number, executor in enumerate(executors):
                tasks = _Tasks(executor, workers)
                sockets.serve(plan.endpoints.execution(number), tasks, tasks.hear)
                sockets.serve(plan.endpoints.storage(number), _State(executor.storage))
                if executor.strategy == SERIAL:
                    executor.has_workers.set()
                    continue
                for index in range(workers):
                    executor.pids.append(_start(plan, Role(Kind.WORKER, index, number), stack))
            async with asyncio.timeout(START_SECONDS):
                for executor in executors:
                    await executor.has_workers.wait()
            yield executors
        finally:
            await sockets.close()


def _plan(genesis: Genesis, evm: str, path: Path) -> Plan:
    folder = DataFolder(path, genesis, "", (), durable=False)
    settings = Settings(evm=evm, log_level="warning", quiet=True)
    return Plan(settings, folder, LocalEndpoints(path), None, None, None, None, faults_file=str(path / "faults"))


def _start(plan: Plan, role: Role, stack: contextlib.ExitStack) -> int:
    process = multiprocessing.get_context("spawn").Process(
        target=_be_worker, name=role.name, args=(plan, role.name, os.getpid()), daemon=True
    )
    process.start()
    stack.callback(_end, process)
    return process.pid or 0


def _be_worker(plan: Plan, name: str, parent: int) -> None:
    die_with_parent(parent)
    raise SystemExit(run_role(plan, name))


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process's main thread, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(EXIT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
