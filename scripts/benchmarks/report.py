"""How figures are shown: a table with a column for each node, or JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scripts.benchmarks.measurements import Figure, Load
from scripts.benchmarks.node_process import MeasuredNode


@dataclass(frozen=True, slots=True)
class Result:
    node: MeasuredNode
    figures: Sequence[Figure]

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)


def as_json(results: Sequence[Result], load: Load) -> str:
    nodes = [{**asdict(result.node), "figures": [asdict(figure) for figure in result.figures]} for result in results]
    return json.dumps({"load": asdict(load), "nodes": nodes}, indent=2, ensure_ascii=False)


def as_table(results: Sequence[Result]) -> str:
    """Figures of the first node and, for each other one, its figure and how many times better the first one is."""
    names = list(dict.fromkeys(figure.name for result in results for figure in result.figures))
    rows = [["", *(result.node.name for result in results)]]
    rows += [[name, *(_cell(results[0], result, name) for result in results)] for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    notes = [
        f"{result.node.name}, {figure.name}: {figure.note}"
        for result in results
        for figure in result.figures
        if figure.note
    ]
    versions = [f"{result.node.name}: {result.node.version} at {result.node.url}" for result in results]
    return "\n".join([*versions, "", *lines, "", *notes])


def _cell(first: Result, result: Result, name: str) -> str:
    figure = result.figure(name)
    if figure is None or figure.value == 0:
        return "-"
    shown = f"{figure.value:,.{_decimals(figure.value)}f} {figure.unit}"
    reference = first.figure(name)
    if result is first or reference is None or reference.value == 0:
        return shown
    # Of a duration less is better, of a rate more.
    ratio = figure.value / reference.value if figure.unit in ("s", "ms") else reference.value / figure.value
    return f"{shown} ({ratio:.2f}x)"


def _decimals(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
