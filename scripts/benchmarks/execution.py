"""The executor alone: every strategy with real workers against serial execution of the same blocks, equally warm.

All executors run the same chain, in short streams of blocks and by turns, so that what else the machine does meets them
alike. Ratios are taken within a round; the blocks that come out must be the same.
"""

import itertools
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from chain.receipts import Receipt
from execution import assembly, roots, speculative_runs
from execution.ahead_runs import AheadRuns
from execution.block_run import BlockRun, Strategy
from execution.merged import MergedState
from execution.pool import Pool
from execution.reader import StateReader
from execution.senders import Senders
from execution.speculative_strategy import SpeculativeStrategy
from execution.strategies import SERIAL
from execution.worker_tasks import WorkerTasks
from node.queues import serving
from node.queues.frames import Connection
from scripts.benchmarks.cpu_account import CpuAccount, Place
from scripts.benchmarks.execution_blocks import SignedBlock, Source, Workload, World
from scripts.benchmarks.executors import Executor, Timing, running_executors

WARM_UP_STREAMS = 3
"""Enough for hot bytecode to be compiled everywhere and for strategies to learn who conflicts."""

PLACES: Sequence[Place] = (
    (Senders, "all_signed", "decode"),
    (StateReader, "expected", "dispatch"),
    (SpeculativeStrategy, "expect", "dispatch"),
    (StateReader, "guess", "dispatch"),
    (SpeculativeStrategy, "_candidates", "dispatch"),
    (speculative_runs.SpeculativeRuns, "start", "dispatch"),
    (WorkerTasks, "message", "dispatch"),
    (Pool, "_send", "dispatch"),
    (serving, "encode_message", "encode"),
    (serving, "decode_message", "encode"),
    (Connection, "send", "encode"),
    (Connection, "data_received", "encode"),
    (speculative_runs, "unpack_outcome", "unpack"),
    (BlockRun, "_execute", "run"),
    (AheadRuns, "_outcome", "run"),
    (MergedState, "stale_reads", "validate"),
    (MergedState, "merge", "merge"),
    (StateReader, "touched", "merge"),
    (MergedState, "changes", "merge"),
    (MergedState, "commit", "merge"),
    (assembly, "record_of", "assemble"),
    (assembly, "_included", "assemble"),
    (Receipt, "encode", "assemble"),
    (roots, "bloom_of", "assemble"),
    (roots, "_pack_receipts", "assemble"),
    (assembly, "encode_record", "assemble"),
    (roots, "ordered_root", "assemble"),
)
SHARES = ("decode", "dispatch", "encode", "unpack", "run", "validate", "merge", "assemble", "other")
"""Of the execution process. "encode" is what queues take, besides unpacking the outcomes."""
WORKER_RUN, WORKER_REST = "runs in workers", "rest of workers"


class ExecutorsDiffer(Exception):
    """Two strategies made different blocks of the same transactions."""

    def __init__(self, strategies: str) -> None:
        super().__init__(f"the blocks of {strategies} are not the same: report this with the output of --json")


class TransactionLeftOut(Exception):
    """A benchmark's transaction came into no block: its figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class ExecutionLoad:
    """`rounds` count; in each, every strategy executes a stream of `blocks`."""

    workers: int
    rounds: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Blocks as they were run, and the strategy with what it has learnt by then."""

    strategy: Strategy
    runs: Sequence[BlockRun]


@dataclass(slots=True)
class Measured:
    """One workload under one EVM: timings by strategy and round, and where the CPU time went, in us a transaction."""

    workload: Workload
    evm: str
    timings: dict[str, list[Timing]] = field(default_factory=dict)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    recorded: list[Recording] = field(default_factory=list)

    def us(self, strategy: str, transactions: int) -> float:
        """Microseconds a transaction by the clock, the median."""
        return statistics.median(timing.wall for timing in self.timings[strategy]) / transactions * 1e6

    def ratios(self, strategy: str) -> list[float]:
        """How many times faster than serial, round by round, sorted."""
        pairs = zip(self.timings[SERIAL], self.timings[strategy], strict=True)
        return sorted(serial.wall / timing.wall for serial, timing in pairs)


async def measure_execution(
    load: ExecutionLoad, strategies: Sequence[str], evm: str, workloads: Sequence[Workload]
) -> list[Measured]:
    """All workloads under one EVM. Raises ExecutorsDiffer."""
    world = World()
    sources = [workload.source(world) for workload in workloads]
    async with running_executors(world.genesis(), (SERIAL, *strategies), evm, load.workers) as executors:
        for block in world.first_blocks():
            await _run_all(executors, [block])
        return [
            await _measured(executors, load, workload, evm, source)
            for workload, source in zip(workloads, sources, strict=True)
        ]


async def _measured(
    executors: Sequence[Executor], load: ExecutionLoad, workload: Workload, evm: str, source: Source
) -> Measured:
    measured = Measured(workload, evm, {executor.strategy: [] for executor in executors})
    for number in range(WARM_UP_STREAMS + load.rounds):
        turn = number % len(executors)
        timings = await _run_all([*executors[turn:], *executors[:turn]], _stream(source, workload, load))
        if number >= WARM_UP_STREAMS:
            for strategy, timing in timings.items():
                measured.timings[strategy].append(timing)
    for executor in executors:
        await _run_all(
            [other for other in executors if other is not executor], stream := _stream(source, workload, load)
        )
        account = CpuAccount()
        with account.of(PLACES):
            timing, _ = await executor.run(stream)
        measured.shares[executor.strategy] = _shares(account, timing, load.blocks * workload.size)
    last = _stream(source, workload, load)
    measured.recorded = [await _recorded(executor, last) for executor in executors]
    return measured


async def _recorded(executor: Executor, stream: Sequence[SignedBlock]) -> Recording:
    return Recording(executor.processor.strategy, [await executor.record(block) for block in stream])


def _shares(account: CpuAccount, timing: Timing, transactions: int) -> dict[str, float]:
    seconds = {share: account.seconds[share] for share in SHARES}
    seconds["other"] = timing.cpu - sum(account.seconds.values())
    seconds[WORKER_RUN] = timing.runs_cpu
    seconds[WORKER_REST] = max(0.0, timing.workers_cpu - timing.runs_cpu)
    return {share: spent / transactions * 1e6 for share, spent in seconds.items()}


async def _run_all(executors: Sequence[Executor], stream: Sequence[SignedBlock]) -> dict[str, Timing]:
    timings, hashes = {}, {}
    for executor in executors:
        timings[executor.strategy], blocks = await executor.run(stream)
        hashes[executor.strategy] = [block.apply.header.hash() for block in blocks]
        left_out = [reason for block in blocks for reason in block.left_out]
        if left_out:
            raise TransactionLeftOut(left_out[0].reason)
    if any(of_one != hashes[executors[0].strategy] for of_one in hashes.values()):
        raise ExecutorsDiffer(", ".join(hashes))
    return timings


def _stream(source: Source, workload: Workload, load: ExecutionLoad) -> list[SignedBlock]:
    return [list(itertools.islice(source, workload.size)) for _ in range(load.blocks)]


def execution_as_table(load: ExecutionLoad, results: Sequence[Measured]) -> str:
    """Times and ratios, then where the CPU time of each strategy goes."""
    strategies = [strategy for strategy in results[0].timings if strategy != SERIAL]
    lines = [
        f"{load.workers} workers on {len(os.sched_getaffinity(0))} cores, load average {os.getloadavg()[0]:.1f}; "
        f"median of {load.rounds} rounds of {load.blocks} blocks",
        "serial: us a transaction. Others: how many times faster in the same round, median (least to most)",
    ]
    for evm in dict.fromkeys(measured.evm for measured in results):
        lines += ["", _row(evm, ["block", SERIAL, *strategies])]
        for measured in (each for each in results if each.evm == evm):
            transactions = load.blocks * measured.workload.size
            cells = [str(measured.workload.size), f"{measured.us(SERIAL, transactions):.0f} us"]
            cells += [_ratio(measured.ratios(strategy)) for strategy in strategies]
            lines.append(_row(measured.workload.name, cells))
    for strategy in (SERIAL, *strategies):
        for evm in dict.fromkeys(measured.evm for measured in results):
            of_evm = [measured for measured in results if measured.evm == evm]
            lines += ["", _row(f"CPU, {strategy}, {evm}", [measured.workload.name for measured in of_evm])]
            for share in (*SHARES, WORKER_RUN, WORKER_REST):
                lines.append(_row(share, [f"{measured.shares[strategy][share]:.1f}" for measured in of_evm]))
    return "\n".join(lines)


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<28}" + "".join(f"{cell:>21}" for cell in cells)


def execution_as_json(load: ExecutionLoad, results: Sequence[Measured]) -> str:
    rows = [
        {
            "workload": measured.workload.name,
            "evm": measured.evm,
            "blockTransactions": measured.workload.size,
            "usPerTransaction": {
                strategy: measured.us(strategy, load.blocks * measured.workload.size) for strategy in measured.timings
            },
            "ratios": {strategy: measured.ratios(strategy) for strategy in measured.timings if strategy != SERIAL},
            "cpuUsPerTransaction": measured.shares,
        }
        for measured in results
    ]
    return json.dumps({"load": asdict(load), "measured": rows}, indent=2, ensure_ascii=False)
