"""Long work on the event loop, cut into slices: others run after each."""

import asyncio
from collections.abc import Generator
from time import monotonic
from typing import TypeVar

SLICE_S = 0.001

T = TypeVar("T")


async def in_slices(steps: Generator[None, None, T]) -> T:
    """Run a generator that only yields to pause, letting others run after each slice of time."""
    pause_at = monotonic() + SLICE_S
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if monotonic() >= pause_at:
            await asyncio.sleep(0)
            pause_at = monotonic() + SLICE_S
