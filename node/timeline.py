"""A block's execution drawn as text: a line for each worker, time from left to right. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 72
IDLE, COUNTED, LOST, WASTED = ".", "#", "x", "~"
MARKS = {"accepted": COUNTED, "conflict": LOST}
LEGEND = (
    f"{COUNTED} counted",
    f"{LOST} lost by a conflict",
    f"{WASTED} did not count for another reason",
    f"{IDLE} idle",
)


def timeline(block: Mapping[str, Any], width: int = WIDTH) -> list[str]:
    """Lines for the workers that ran something, execution's own last, and a scale."""
    runs = [run for transaction in block["transactions"] for run in transaction["attempts"]]
    if not runs:
        return []
    end_us = max(block["executionUs"], *(run["endUs"] for run in runs))
    rows = [(name, _row([run for run in runs if run["worker"] == name], end_us, width)) for name in _workers(runs)]
    label = max(len(name) for name, _ in rows) + 2
    end = f"{end_us / 1000:.1f} ms"
    lines = [f"{name:<{label}}{row}" for name, row in rows]
    legend = LEGEND if width < WIDTH else ("  ".join(LEGEND),)
    return [*lines, f"{'':<{label}}0{end:>{width - 1}}", *(f"{'':<{label}}{meaning}" for meaning in legend)]


def _workers(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {run["worker"] for run in runs}
    return sorted(names, key=lambda name: (name == "execution", _number_last(name)))


def _number_last(name: str) -> tuple[str, int]:
    """worker-10 comes after worker-9."""
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isascii() and number.isdigit() else (name, 0)


def _row(runs: Sequence[Mapping[str, Any]], end_us: int, width: int) -> str:
    """In each column what took most of its time; a run too short to fill one is seen all the same."""
    columns: list[dict[str, float]] = [{} for _ in range(width)]
    for run in runs:
        mark = MARKS.get(run["result"], WASTED)
        for column, share in _shares(run["startUs"], run["endUs"], end_us, width):
            columns[column][mark] = columns[column].get(mark, 0) + share
    return "".join(max(column, key=column.__getitem__) if column else IDLE for column in columns)


def _shares(start_us: int, end_us: int, total_us: int, width: int) -> Iterator[tuple[int, float]]:
    """The columns that a run covers, and how much of each."""
    start, end = start_us * width / total_us, end_us * width / total_us
    for column in range(min(int(start), width - 1), min(int(end), width - 1) + 1):
        yield column, max(min(end, column + 1) - max(start, column), 0.001)
