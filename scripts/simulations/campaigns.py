"""Scenarios in several processes, until there were enough or the time is over."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from tests.simulation.campaign import Tally, run_seeds, run_twins_numbers

CHUNK = 50
"""Scenarios that a process runs before it reports."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many of each kind, from which number on. With `seconds` both go on, by turns, for at least so long."""

    seeds: int
    twins: int
    first: int = 0
    seconds: float = 0.0
    rules: str | None = None

    def chunks(self) -> Iterator[Callable[[], Tally]]:
        started, start = time.monotonic(), 0
        while start < max(self.seeds, self.twins) or time.monotonic() - started < self.seconds:
            for runs, count in ((run_seeds, self.seeds), (run_twins_numbers, self.twins)):
                end = start + CHUNK if self.seconds else min(start + CHUNK, count)
                if start < end:
                    yield partial(runs, range(self.first + start, self.first + end), self.rules)
            start += CHUNK


def carry_out(plan: Plan, processes: int) -> Iterator[Tally]:
    """A tally as soon as a chunk is done. Never more under way than there are processes to do it, and one each more."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        under_way: set[Future[Tally]] = set()
        try:
            for chunk in plan.chunks():
                under_way.add(pool.submit(chunk))
                if len(under_way) >= 2 * processes:
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            yield from (future.result() for future in under_way)
        finally:
            pool.shutdown(cancel_futures=True)
