"""What `tandem compare` shows: a table for people, an object for programs."""

from collections.abc import Iterator
from typing import Any

from node.comparison import Comparison, StrategyResult


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def lines_of(comparison: Comparison) -> list[str]:
    """The comparison for people."""
    case, path = comparison.case, comparison.path
    transactions, workers = counted(len(case.transactions), "transaction"), counted(comparison.workers, "worker")
    lines = [
        f"block {case.environment.number}  {transactions}  {comparison.gas_used:,} gas  "
        f"{workers}  {comparison.evm}  median of {comparison.repeats}"
    ]
    if path is not None:
        lines.append(_path_line(comparison, path.us, len(path.places)))
    lines += ["", "strategy         time  speed-up  attempts  conflicts  waits     lost"]
    lines += [_row(comparison, result) for result in comparison.results]
    return [*lines, "", *_verdict(comparison)]


def _path_line(comparison: Comparison, us: int, length: int) -> str:
    total = sum(each.attempts[-1].thread_us for each in comparison.serial.record.transactions if each.attempts)
    waiting = "one transaction" if length == 1 else f"{length} transactions, each waiting for the one before it"
    return f"critical path {us / 1000:.1f} ms of {total / 1000:.1f} ms of thread time: {waiting}"


def _row(comparison: Comparison, result: StrategyResult) -> str:
    record = result.record
    gave_up = "" if record.serial_from < 0 else f"  serial from {record.serial_from}"
    differs = "  DIFFERS" if result.differences else ""
    times = f"{record.execution_us / 1000:>7.1f} ms{comparison.speedup(result):>9.2f}x"
    counts = f"{result.attempts:>10}{result.conflicts:>11}{result.waits:>7}{result.lost_us / 1000:>6.1f} ms"
    return f"{result.strategy:<11}{times}{counts}{gave_up}{differs}"


def _verdict(comparison: Comparison) -> Iterator[str]:
    for result in comparison.results:
        if result.differences:
            yield f"{result.strategy} differs from serial execution in {'; '.join(result.differences)}"
    for difference in comparison.from_header:
        yield f"serial execution differs from the stored block: {difference}"
    if comparison.is_same:
        stored = "" if comparison.case.expected is None else ", and its gas, bloom and receipts root are the block's"
        yield f"all give what serial execution gives{stored}"


def as_told(comparison: Comparison) -> dict[str, Any]:
    """The comparison for programs."""
    path = comparison.path
    return {
        "block": comparison.case.environment.number,
        "transactions": len(comparison.case.transactions),
        "gasUsed": comparison.gas_used,
        "workers": comparison.workers,
        "evm": comparison.evm,
        "repeats": comparison.repeats,
        "criticalPathUs": None if path is None else path.us,
        "criticalPath": None if path is None else list(path.places),
        "strategies": [_result_told(comparison, result) for result in comparison.results],
        "differencesFromBlock": list(comparison.from_header),
        "same": comparison.is_same,
    }


def _result_told(comparison: Comparison, result: StrategyResult) -> dict[str, Any]:
    record = result.record
    return {
        "strategy": result.strategy,
        "executionUs": record.execution_us,
        "speedup": round(comparison.speedup(result), 3),
        "attempts": result.attempts,
        "conflicts": result.conflicts,
        "waits": result.waits,
        "lostUs": result.lost_us,
        "serialFrom": None if record.serial_from < 0 else record.serial_from,
        "differences": list(result.differences),
    }
