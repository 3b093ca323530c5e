"""One block case under several strategies: what each of them took for it, and whether all came to the same.

Strategies take turns, so that whatever else the machine does meets all of them alike, and the first rounds are not
counted: after those every process has compiled what the block runs often.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chain.block_case import BlockCase
from chain.messages.traces import BlockTrace
from chain.records import AttemptResult, BlockRecord
from execution.case_differences import against_header
from execution.case_run import CaseRun
from execution.case_trace import trace_case
from execution.evm.tracing import TracingEngine
from execution.serial_check import differences_between
from execution.strategies import SERIAL
from node.workbench import Workbench, workbench
from rpc.critical_path import CriticalPath, critical_path

WARMING_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class StrategyResult:
    """The run of middle length, and in what any of the runs differed from serial execution."""

    record: BlockRecord
    differences: tuple[str, ...]

    @property
    def strategy(self) -> str:
        return self.record.strategy

    @property
    def attempts(self) -> int:
        return sum(len(each.attempts) for each in self.record.transactions)

    @property
    def conflicts(self) -> int:
        runs = (run for each in self.record.transactions for run in each.attempts)
        return sum(run.result == AttemptResult.CONFLICT for run in runs)

    @property
    def waits(self) -> int:
        return sum(len(each.waits) for each in self.record.transactions)

    @property
    def lost_us(self) -> int:
        """Thread time of runs that another one of the same transaction followed."""
        return sum(run.thread_us for each in self.record.transactions for run in each.attempts[:-1])


@dataclass(frozen=True, slots=True)
class Comparison:
    """`results` in the order asked for, serial first. `from_header` is in what serial execution differs from the block
    that was stored. `path` is in positions of the case; None if the block cannot be traced."""

    case: BlockCase
    gas_used: int
    workers: int
    evm: str
    repeats: int
    results: tuple[StrategyResult, ...]
    from_header: tuple[str, ...]
    path: CriticalPath | None

    @property
    def serial(self) -> StrategyResult:
        return self.results[0]

    def speedup(self, result: StrategyResult) -> float:
        """Over serial execution."""
        return self.serial.record.execution_us / max(1, result.record.execution_us)

    @property
    def is_same(self) -> bool:
        """Whether everything came to the same, and to what the header says if there is one."""
        return not self.from_header and not any(result.differences for result in self.results)


async def compare(
    case: BlockCase,
    strategies: Sequence[str],
    workers: int,
    evm: str,
    repeats: int,
    on_round: Callable[[], None] = lambda: None,
) -> Comparison:
    """Run the case under serial execution and each of the others. `on_round` is called when all have had their turn."""
    names = tuple(dict.fromkeys([SERIAL, *strategies]))
    async with workbench(workers=workers, evm=evm) as bench:
        runs = await _runs(bench, case, names, repeats, on_round)
    serial = runs[SERIAL][0]
    return Comparison(
        case=case,
        gas_used=serial.block.gas_used,
        workers=workers,
        evm=evm,
        repeats=repeats,
        results=tuple([_result(runs[name], serial) for name in names]),
        from_header=tuple(against_header(case, serial.block)),
        path=await _critical_path(case, _middle(runs[SERIAL]), evm),
    )


async def _runs(
    bench: Workbench, case: BlockCase, names: Sequence[str], repeats: int, on_round: Callable[[], None]
) -> dict[str, list[CaseRun]]:
    runs: dict[str, list[CaseRun]] = {name: [] for name in names}
    for round_ in range(WARMING_ROUNDS + repeats):
        for name in names:
            run = await bench.run(case, name)
            if round_ >= WARMING_ROUNDS:
                runs[name].append(run)
        on_round()
    return runs


def _result(runs: Sequence[CaseRun], serial: CaseRun) -> StrategyResult:
    found: dict[str, None] = {}
    for run in runs:
        found.update(dict.fromkeys(differences_between(run.block, run.changes, serial.block, serial.changes)))
    return StrategyResult(_middle(runs).record, tuple(found))


def _middle(runs: Sequence[CaseRun]) -> CaseRun:
    return sorted(runs, key=lambda run: run.record.execution_us)[len(runs) // 2]


async def _critical_path(case: BlockCase, serial: CaseRun, evm: str) -> CriticalPath | None:
    included = [position for position, turn in enumerate(serial.block.turns) if turn.outcome is not None]
    trace = await trace_case(case, included, TracingEngine(case.environment.fork, evm))
    if not isinstance(trace, BlockTrace):
        return None
    thread_us = [serial.record.transactions[position].attempts[-1].thread_us for position in included]
    path = critical_path(trace.transactions, trace.case.accounts, thread_us)
    return CriticalPath(tuple([included[place] for place in path.places]), path.us)
