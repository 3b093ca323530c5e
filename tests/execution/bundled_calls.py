"""Calls that can be told apart, and readers that are answered for by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chain.messages.calls import CallOutcome, CallOutcomes, RunCall, RunCalls
from chain.messages.tasks import FollowTasks
from chain.types import Gas
from execution.call_pool import CallPool
from tests.execution.pool_workers import CALL, Worker, answered


def numbered(number: int) -> RunCall:
    """A call that can be told from others."""
    return CALL._replace(call=CALL.call._replace(data=bytes([number])))


def run(pool: CallPool, *numbers: int) -> "list[asyncio.Task[CallOutcome]]":
    return [asyncio.ensure_future(pool.call(numbered(number))) for number in numbers]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def numbers_of(task: Any) -> list[int]:
    return [call.data[0] for call in (task.calls if isinstance(task, RunCalls) else [task.call])]


def outcomes(task: Any, ended: int | None = None, call_us: int = 30) -> CallOutcomes:
    """Each call answered with its own data, the first `ended` of a bundle."""
    if isinstance(task, RunCall):
        return replace(answered(task, task.call.data), took_us=call_us)
    every = [CallOutcome(call.data, "", Gas(1)) for call in task.calls]
    return CallOutcomes(task.call_id, tuple(every[:ended]), call_us * len(every))


async def pool_of(*readers: Worker) -> CallPool:
    pool = CallPool()
    for reader in readers:
        await pool.answer(FollowTasks(), reader)
    return pool


def leaping_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The loop's time stands still, but for the seconds that it is told to pass over."""
    now = asyncio.get_running_loop().time()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)

    def leap(seconds: float) -> None:
        nonlocal now
        now += seconds

    return leap
