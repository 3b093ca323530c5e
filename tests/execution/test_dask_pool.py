"""The workers of a Dask cluster run blocks as the pool's own do: a real scheduler and two worker processes."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from chain.block_case import BlockCase
from chain.codec import decode_message, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.storage import ReadState, StateValues
from chain.messages.tasks import AttemptStatus, TransactionsRun
from chain.records import AttemptResult
from chain.types import Gas, Version
from execution.case_run import CaseRun, CaseRunner
from execution.dask_pool import DaskWorkers
from execution.dask_tasks import MAX_LIVES, ForgottenLife, _lives, run_task
from execution.engine import COMPILED
from execution.held_state import HeldState
from execution.pool import Pool
from tests.e2e.running_node import free_port
from tests.execution.memory_storage import MemoryStorage
from tests.execution.test_equivalence import world_genesis
from tests.execution.test_workers import increment, task
from tests.execution.world import ENGINE, KEYS, transaction
from tests.node.test_workbench import by_address, case, counting, hasher, hashing, workers_of

PROJECT = Path(__file__).parents[2]
CLUSTER = [sys.executable, "-m", "tests.execution.dask_cluster"]
MIXED = hashing(32) + counting(32, nonce=1)
LONG = [transaction(KEYS[i], 0, to=hasher(i % 16), gas=Gas(800_000)) for i in range(32)]


@dataclass(slots=True)
class Cluster:
    address: str
    pids: dict[str, int]
    process: "subprocess.Popen[str]"


@contextlib.contextmanager
def cluster_of(workers: int, port: int = 0) -> Iterator[Cluster]:
    command = [*CLUSTER, str(workers), str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        yield Cluster(said["address"], said["pids"], process)
    finally:
        process.communicate()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with cluster_of(2) as made:
        yield made


class WatchedPool(Pool):
    """Calls `changed` when a job goes out or comes back, and when a worker comes or goes."""

    changed: Callable[[], None]

    def _send(self) -> None:
        super()._send()
        self.changed()

    def _lose(self, name: str) -> None:
        super()._lose(name)
        self.changed()


class Bench:
    """Runs cases on a pool. `refusing` lets storage refuse what workers read."""

    def __init__(self) -> None:
        self.pool = WatchedPool()
        self.pool.changed = self._notice
        self.state = HeldState()
        self.trouble: list[str] = []
        self.refusing = False
        self._changed = asyncio.Event()
        self._versions = 0

    async def request(self, message: Message) -> Message:
        if self.refusing:
            raise RequestFailed("VersionOutOfRange", "state version 1 is out of range")
        return await self.state.request(message)

    async def run(self, given: BlockCase, strategy: str = "optimistic") -> CaseRun:
        self._versions += 1
        runner = CaseRunner(strategy, self.pool, lambda _: ENGINE, self.state)
        done = await runner.run(given, Version(self._versions))
        await self.until(lambda: not self.pool.is_busy)
        return done

    async def workers(self, count: int) -> None:
        await self.until(lambda: len(self.pool.workers) == count)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(120):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def tell(self, trouble: str) -> None:
        self.trouble.append(trouble)
        self._notice()

    def _notice(self) -> None:
        self._changed.set()


@contextlib.asynccontextmanager
async def bench_with(address: str) -> AsyncIterator[tuple[Bench, DaskWorkers]]:
    bench = Bench()
    workers = DaskWorkers(address, bench.pool, bench, COMPILED, bench.tell, retry_s=0.05)
    running = asyncio.create_task(workers.run())
    try:
        yield bench, workers
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def same(one: CaseRun, other: CaseRun) -> bool:
    return by_address(one) == by_address(other) and one.block.gas_used == other.block.gas_used


async def test_a_block_comes_out_as_it_does_serially(cluster: Cluster) -> None:
    async with bench_with(cluster.address) as (bench, _):
        await bench.workers(2)
        for strategy in ("optimistic", "block-stm"):
            parallel = await bench.run(case(MIXED, counter=5), strategy)
            assert workers_of(parallel) & {"dask-0", "dask-1"}
            assert same(parallel, await bench.run(case(MIXED, counter=5), "serial"))
    assert bench.trouble == []


async def test_a_worker_gets_tasks_only_once_it_is_ready_for_them() -> None:
    """The first task waited for its imports, which on a busy machine took longer than a task may."""
    bench, ready = Bench(), asyncio.get_running_loop().create_future()
    workers = DaskWorkers("tcp://nowhere:1", bench.pool, bench, COMPILED, bench.tell)
    workers._add(SimpleNamespace(status="running", submit=lambda *_, **__: ready), "tcp://somewhere:1")
    await asyncio.sleep(0)
    assert bench.pool.workers == ()
    ready.set_result(None)
    await bench.workers(1)
    workers._remove("tcp://somewhere:1")


async def test_a_worker_killed_in_mid_task_costs_a_retry_and_never_a_result(cluster: Cluster) -> None:
    async with bench_with(cluster.address) as (bench, _):
        await bench.workers(2)
        serial = await bench.run(case(LONG), "serial")
        running = asyncio.create_task(bench.run(case(LONG)))
        await bench.until(lambda: bench.pool.is_busy)
        os.kill(next(iter(cluster.pids.values())), signal.SIGKILL)
        assert same(await running, serial)
        await bench.until(lambda: bench.pool.lost_workers == 1)
        await bench.workers(2)  # Dask starts another in its place
        assert same(await bench.run(case(LONG)), serial)
    assert bench.trouble == []


async def test_a_worker_that_forgot_what_it_was_told_begins_anew(cluster: Cluster) -> None:
    async with bench_with(cluster.address) as (bench, workers):
        await bench.workers(2)
        await bench.run(case(MIXED))
        for peer, _ in workers._peers.values():
            peer.life = "another one"
        again = await bench.run(case(MIXED, counter=3))
        assert same(again, await bench.run(case(MIXED, counter=3), "serial"))
        assert len(bench.pool.workers) == 2


async def test_what_storage_refuses_fails_the_task_and_not_the_worker(cluster: Cluster) -> None:
    async with bench_with(cluster.address) as (bench, _):
        await bench.workers(2)
        bench.refusing = True
        refused = await bench.run(case(MIXED))
        bench.refusing = False
        results = [run.result for turn in refused.block.turns for run in turn.runs]
        assert AttemptResult.ENGINE_FAILED in results
        assert same(refused, await bench.run(case(MIXED), "serial"))
        assert len(bench.pool.workers) == 2
    assert bench.trouble == []


async def test_execution_goes_on_by_itself_without_a_scheduler_says_so_and_takes_the_cluster_back() -> None:
    port = free_port()  # which nobody else is given before it is served again
    with cluster_of(1, port) as cluster:
        async with bench_with(cluster.address) as (bench, _):
            await bench.workers(1)
            serial = await bench.run(case(MIXED), "serial")
            cluster.process.kill()
            cluster.process.wait()
            assert same(await bench.run(case(MIXED)), serial)
            gone = f"the Dask cluster at {cluster.address} is gone: execution runs everything by itself"
            await bench.until(lambda: bench.trouble == [gone])
            with cluster_of(1, port):
                await bench.workers(1)
                assert same(await bench.run(case(MIXED)), serial)
            assert bench.trouble[1:2] == [f"the Dask cluster at {cluster.address} is back"]


def test_a_task_that_misses_something_says_what_and_runs_once_it_is_told() -> None:
    storage = MemoryStorage(world_genesis())
    answers: dict[bytes, bytes] = {}
    encoded = encode_message(task(7, increment(0)))
    done, said = run_task("told", COMPILED, encoded, answers)
    while not done:
        request = decode_message(said)
        assert isinstance(request, ReadState)
        answer = storage.answer(request)
        assert isinstance(answer, StateValues)
        answers[said] = encode_message(answer)
        done, said = run_task("told", COMPILED, encoded, answers)
    run = decode_message(said)
    assert isinstance(run, TransactionsRun)
    assert (run.task_id, [attempt.status for attempt in run.attempts]) == (7, [AttemptStatus.RAN])
    assert len(answers) > 1


def test_a_task_in_the_middle_of_a_life_that_this_process_does_not_know_is_refused() -> None:
    with pytest.raises(ForgottenLife):
        run_task("elsewhere", COMPILED, encode_message(task(1, increment(0), reset=False)), {})


def test_a_process_keeps_the_newest_lives_only() -> None:
    for number in range(2 * MAX_LIVES):
        run_task(f"life {number}", COMPILED, encode_message(task(1)), {})
    assert list(_lives) == [f"life {number}" for number in range(MAX_LIVES, 2 * MAX_LIVES)]
