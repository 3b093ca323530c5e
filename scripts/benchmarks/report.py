"""How figures are shown: a table with a column for each that was measured, or JSON."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeAlias

from scripts.benchmarks.evm import EvmLoad, EvmSubject
from scripts.benchmarks.figures import Figure
from scripts.benchmarks.measurements import Load
from scripts.benchmarks.node_process import MeasuredNode
from scripts.benchmarks.ordering import OrderingLoad
from scripts.benchmarks.validators import OrderingChain

Subject: TypeAlias = MeasuredNode | OrderingChain | EvmSubject


@dataclass(frozen=True, slots=True)
class Result:
    subject: Subject
    figures: Sequence[Figure]

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)


def as_json(results: Sequence[Result], load: Load | OrderingLoad | EvmLoad) -> str:
    measured = [{**asdict(result.subject), "figures": [asdict(f) for f in result.figures]} for result in results]
    return json.dumps({"load": asdict(load), "measured": measured}, indent=2, ensure_ascii=False)


def as_table(results: Sequence[Result]) -> str:
    """Figures of the first subject and, for each other one, its figure and how many times better the first one is."""
    names = list(dict.fromkeys(figure.name for result in results for figure in result.figures))
    rows = [["", *(result.subject.name for result in results)]]
    rows += [[name, *(_cell(results[0], result, name) for result in results)] for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    notes = [
        f"{result.subject.name}, {figure.name}: {figure.note}"
        for result in results
        for figure in result.figures
        if figure.note
    ]
    subjects = [f"{result.subject.name}: {result.subject.description}" for result in results]
    return "\n".join([*subjects, "", *lines, "", *notes])


def _cell(first: Result, result: Result, name: str) -> str:
    figure = result.figure(name)
    if figure is None:
        return "-"
    shown = _number(figure.value, figure.unit)
    if figure.latency is not None:
        shown += f", {_number(figure.latency.p50)} / {_number(figure.latency.p99, 'ms')}"
    reference = first.figure(name)
    if result is first or reference is None or not figure.value or not reference.value:
        return shown
    return f"{shown} ({_ratio(reference, figure):.2f}x)"


def _ratio(reference: Figure, figure: Figure) -> float:
    """How many times better the reference is, as the median of the rounds in which both were measured."""
    pairs = zip(reference.rounds or (reference.value,), figure.rounds or (figure.value,), strict=False)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    # Of a duration less is better, of a rate more.
    return 1 / ratio if figure.unit in ("s", "ms", "us", "bytes") else ratio


def _number(value: float, unit: str = "") -> str:
    return f"{value:,.{_decimals(value)}f} {unit}".strip()


def _decimals(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
