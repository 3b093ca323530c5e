"""What a measurement gives: a number with its unit, over one round or several."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one request took, in milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `note` says what a reader should know about it, `rounds` what each round gave."""

    name: str
    value: float
    unit: str
    note: str = ""
    latency: Latency | None = None
    rounds: tuple[float, ...] = ()


def percentile(samples: Sequence[float], rank: float) -> float:
    """Nearest-rank percentile of sorted samples."""
    return samples[max(0, math.ceil(rank / 100 * len(samples)) - 1)]


def latency_of(seconds: Sequence[float]) -> Latency:
    ordered = sorted(seconds)
    return Latency(percentile(ordered, 50) * 1000, percentile(ordered, 99) * 1000)


def over_rounds(rounds: Sequence[Sequence[Figure]]) -> list[Figure]:
    """Each figure as the median of the rounds that have it, in the order of the first."""
    names = dict.fromkeys(figure.name for figures in rounds for figure in figures)
    return [_median([figure for figures in rounds for figure in figures if figure.name == name]) for name in names]


def _median(figures: Sequence[Figure]) -> Figure:
    values = tuple(figure.value for figure in figures)
    latencies = [figure.latency for figure in figures if figure.latency is not None]
    latency = None
    if latencies:
        latency = Latency(
            statistics.median(one.p50 for one in latencies), statistics.median(one.p99 for one in latencies)
        )
    notes = dict.fromkeys(figure.note for figure in figures if figure.note)
    return replace(figures[0], value=statistics.median(values), note="; ".join(notes), latency=latency, rounds=values)
