"""Tasks that begin at once: to what runs in them they are as asyncio's own."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import uvloop

from rpc.prompt_tasks import PromptTask, PromptTasks

Program = Callable[[list[str]], Awaitable[None]]


def outside(start: Callable[[], Any]) -> "asyncio.Future[Any]":
    """Have the event loop do it, which is in no task then."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(start()))
    return done


async def started(program: Program, log: list[str]) -> set[PromptTask]:
    """It has begun; what waits of it."""
    waiting: set[PromptTask] = set()
    tasks = PromptTasks(asyncio.get_running_loop(), waiting)

    async def run() -> None:
        await program(log)

    await outside(lambda: tasks.start(run()))
    return waiting


async def ends(waiting: set[PromptTask]) -> None:
    for task in tuple(waiting):
        await task.end()


async def test_what_waits_for_nothing_is_over_at_once() -> None:
    log: list[str] = []
    waiting: set[PromptTask] = set()
    tasks = PromptTasks(asyncio.get_running_loop(), waiting)

    async def run(word: str) -> None:
        log.append(word)

    def start() -> None:
        for word in ("one", "two"):
            tasks.start(run(word))
            log.append("over")

    await outside(start)
    assert log == ["one", "over", "two", "over"]
    assert not waiting


async def test_what_waits_goes_on_when_that_is_done() -> None:
    gate = asyncio.Event()

    async def program(log: list[str]) -> None:
        await gate.wait()
        log.append("through")
        await asyncio.sleep(0)
        with pytest.raises(ZeroDivisionError):
            await asyncio.gather(fails(), asyncio.sleep(0))
        log.append("on")

    async def fails() -> None:
        raise ZeroDivisionError

    log: list[str] = []
    waiting = await started(program, log)
    assert (log, len(waiting)) == ([], 1)
    gate.set()
    await ends(waiting)
    assert log == ["through", "on"]
    assert not waiting


async def test_two_that_wait_do_not_know_of_each_other() -> None:
    gates = asyncio.Event(), asyncio.Event()
    log: list[Any] = []
    waiting: set[PromptTask] = set()
    tasks = PromptTasks(asyncio.get_running_loop(), waiting)

    async def run(number: int) -> None:
        before = asyncio.current_task()
        await gates[number].wait()
        assert asyncio.current_task() is before
        log.append(number)

    for number in range(2):
        await outside(partial(tasks.start, run(number)))
    assert len(waiting) == 2
    for number in (1, 0):
        gates[number].set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert log == [1, 0]


async def times_out(log: list[str]) -> None:
    try:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    except TimeoutError:
        log.append("late")
    async with asyncio.timeout(60):
        await asyncio.sleep(0)
    log.append("in time")


async def has_a_child_that_fails(log: list[str]) -> None:
    async def fail() -> None:
        raise ValueError("child")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.Event().wait()
    except* ValueError as errors:
        log.append(f"{errors.exceptions}")
    task = asyncio.current_task()
    assert task is not None
    log.append(f"cancelled {task.cancelling()}")


async def cancels_itself(log: list[str]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    log.append("on")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        log.append(f"cancelled {task.cancelling()}, then {task.uncancel()}")
    task.cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        log.append("again")


async def passes_a_cancellation_on(log: list[str]) -> None:
    inner = asyncio.ensure_future(asyncio.Event().wait())
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await inner
    except asyncio.CancelledError:
        log.append(f"inner cancelled {inner.cancelled()}")


@pytest.mark.parametrize("program", [times_out, has_a_child_that_fails, cancels_itself, passes_a_cancellation_on])
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_what_runs_in_it_finds_a_task_like_any(
    program: Program, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def both() -> None:
        of_asyncio: list[str] = []
        await program(of_asyncio)
        log: list[str] = []
        await ends(await started(program, log))
        assert log == of_asyncio
        assert log

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(both())


async def test_chance_finds_no_difference_to_a_task_of_asyncio() -> None:
    for seed in range(300):
        of_asyncio: list[str] = []
        await asyncio.create_task(wander(of_asyncio, random.Random(seed)))
        log: list[str] = []
        await ends(await started(partial(wander, dice=random.Random(seed)), log))
        assert log == of_asyncio, f"seed {seed}"


async def wander(log: list[str], dice: random.Random) -> None:
    """Waits, turns, timeouts and cancellations in any order."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for step in range(dice.randrange(12)):
        if dice.random() < 0.3:
            loop.call_soon(task.cancel)
        try:
            match dice.randrange(5):
                case 0:
                    await asyncio.sleep(0)
                case 1:
                    done = loop.create_future()
                    loop.call_soon(set_unless_done, done)
                    await done
                case 2:
                    async with asyncio.timeout(-1):
                        await asyncio.Event().wait()
                case 3:
                    await asyncio.shield(asyncio.sleep(0))
                case 4:
                    task.cancel()
            log.append(f"{step} done")
        except (asyncio.CancelledError, TimeoutError) as error:
            log.append(f"{step} {type(error).__name__} {task.cancelling()}")
    for _ in range(20):
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            log.append("late")


def set_unless_done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
