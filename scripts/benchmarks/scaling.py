"""What more workers give: measured with one and two, worked out for more from recorded blocks on a virtual clock."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from execution.block_run import BlockRun
from execution.outcome import Slot
from execution.schedule import Candidate
from execution.scheduler import Scheduler, SchedulingRule, Send
from execution.speculative_strategy import SpeculativeStrategy
from execution.strategies import SERIAL
from execution.transfers import may_be_plain
from scripts.benchmarks.execution import SHARES, WORKER_REST, ExecutionLoad, Measured, Recording, measure_execution
from scripts.benchmarks.execution_blocks import Workload
from scripts.benchmarks.virtual_execution import Costs, RecordedTransaction, VirtualExecution

OPTIMISTIC = "optimistic"
MEASURED_WORKERS = (1, 2)
VIRTUAL_WORKERS = (1, 2, 4, 8, 16)
"""The first two as well, so that one sees how far the virtual clock can be believed."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How many times faster than serial, by workers."""

    workload: str
    evm: str
    measured: dict[int, float]
    virtual: dict[int, float]


async def measure_scaling(load: ExecutionLoad, evm: str, workloads: Sequence[Workload]) -> list[Curve]:
    """A curve for each workload. Raises as `measure_execution`."""
    by_workers = {
        workers: await measure_execution(replace(load, workers=workers), [OPTIMISTIC], evm, workloads)
        for workers in MEASURED_WORKERS
    }
    return [
        Curve(
            of_two.workload.name,
            evm,
            {workers: statistics.median(each[at].ratios(OPTIMISTIC)) for workers, each in by_workers.items()},
            {workers: _virtual_ratio(of_two, load, workers) for workers in VIRTUAL_WORKERS},
        )
        for at, of_two in enumerate(by_workers[2])
    ]


def _virtual_ratio(measured: Measured, load: ExecutionLoad, workers: int) -> float:
    [recording] = [each for each in measured.recorded if isinstance(each.strategy, SpeculativeStrategy)]
    serial_us = sum(measured.shares[SERIAL][share] for share in SHARES) * load.blocks * measured.workload.size
    execution = VirtualExecution(workers, _costs(measured, recording))
    for run in recording.runs:
        execution.run(_recorded(run), _rule(recording).scheduler(run, _candidates(run), execution.workers))
    execution.assemble()
    return serial_us / execution.now


def _rule(recording: Recording) -> SchedulingRule:
    assert isinstance(recording.strategy, SpeculativeStrategy)
    return recording.strategy.rule


def _costs(measured: Measured, recording: Recording) -> Costs:
    """From where the CPU time went with two workers; what queues took is shared among the tasks there were."""
    shares = measured.shares[OPTIMISTIC]
    run = recording.runs[0]
    sent = sum(any(ran.worker for ran in turn.runs) for turn in run.turns)
    tasks = _count_tasks(_rule(recording).scheduler(run, _candidates(run), ("a",)))
    turn = sum(shares[share] for share in ("unpack", "validate", "merge", "other"))
    return Costs(
        prepare=shares["decode"] + shares["dispatch"],
        turn=turn,
        assemble=shares["assemble"],
        worker=shares[WORKER_REST] * len(run.turns) / max(sent, 1),
        task=shares["encode"] * len(run.turns) / max(tasks, 1),
    )


def _count_tasks(scheduler: Scheduler) -> int:
    waiting = [command.task for command in scheduler.start() if isinstance(command, Send)]
    count = 0
    while waiting:
        count += 1
        waiting += [command.task for command in scheduler.ran(waiting.pop(0), ()) if isinstance(command, Send)]
    return count


def _candidates(run: BlockRun) -> list[Candidate]:
    """As execution chooses them, with the times that the runs took."""
    candidates = []
    for index, turn in enumerate(run.turns):
        transaction, sender = turn.signed.transaction, turn.signed.sender
        assert transaction is not None
        assert sender is not None
        if not may_be_plain(transaction):
            candidates.append(Candidate(index, sender, turn.runs[-1].thread_us))
    return candidates


def _recorded(run: BlockRun) -> list[RecordedTransaction]:
    """Each depends on who wrote a slot last that it read, and on its sender's transaction before it."""
    last_writer: dict[Slot, int] = {}
    last_sent: dict[bytes, int] = {}
    recorded = []
    for index, turn in enumerate(run.turns):
        outcome, sender = turn.outcome, turn.signed.sender
        assert outcome is not None
        assert sender is not None
        depends_on = {last_writer[slot] for slot in outcome.reads.slots if slot in last_writer}
        if sender in last_sent:
            depends_on.add(last_sent[sender])
        recorded.append(RecordedTransaction(turn.runs[-1].thread_us, frozenset(depends_on), outcome))
        last_writer.update(dict.fromkeys(outcome.writes.slots, index))
        last_sent[sender] = index
    return recorded


def scaling_as_table(curves: Sequence[Curve]) -> str:
    measured = [f"{workers} measured" for workers in MEASURED_WORKERS]
    virtual = [f"{workers} virtual" for workers in VIRTUAL_WORKERS]
    lines = ["optimistic, times faster than serial; on the virtual clock every process has a core of its own"]
    for evm in dict.fromkeys(curve.evm for curve in curves):
        lines += ["", f"{evm:<24}" + "".join(f"{head:>13}" for head in (*measured, *virtual))]
        for curve in (each for each in curves if each.evm == evm):
            ratios = (*curve.measured.values(), *curve.virtual.values())
            lines.append(f"{curve.workload:<24}" + "".join(f"{ratio:>13.2f}" for ratio in ratios))
    return "\n".join(lines)


def scaling_as_json(curves: Sequence[Curve]) -> str:
    return json.dumps([asdict(curve) for curve in curves], indent=2, ensure_ascii=False)
