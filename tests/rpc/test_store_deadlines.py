"""How long clients wait for validators, on a loop whose time passes only when nothing else is to be done."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVarTuple, Unpack

import pytest

from rpc.store_deadlines import StoreDeadlines
from rpc.transaction_errors import NoRoomLeft, NoValidatorAnswered

Ts = TypeVarTuple("Ts")


class Leap(selectors.SelectSelector):
    """Waits for nothing: the time that it would wait has passed at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class LeapLoop(asyncio.SelectorEventLoop):
    """Its timers may be early, as uvloop's."""

    def __init__(self, early_s: float) -> None:
        self.leap = Leap()
        self.early_s = early_s
        super().__init__(self.leap)

    def time(self) -> float:
        return self.leap.now

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when - self.early_s, callback, *args, context=context)


def run(main: Coroutine[Any, Any, None], early_s: float = 0.0) -> None:
    with asyncio.Runner(loop_factory=lambda: LeapLoop(early_s)) as runner:
        runner.run(main)


async def waited_s(deadlines: StoreDeadlines, error: type[Exception], after_s: float = 0.0) -> float:
    """How long one that begins then waits until it is told that."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after_s)
    begun = loop.time()
    with pytest.raises(error):
        await deadlines.wait(loop.create_future())
    return loop.time() - begun


def test_each_waits_ten_seconds_for_a_validator_whoever_else_waits() -> None:
    async def check() -> None:
        deadlines = StoreDeadlines(lambda: False)
        waits = (waited_s(deadlines, NoValidatorAnswered, after_s) for after_s in (0.0, 0.4, 0.9, 3.25, 20.0))
        assert await asyncio.gather(*waits) == [pytest.approx(10.0)] * 5

    run(check())


def test_each_waits_one_second_where_no_room_is_left() -> None:
    async def check() -> None:
        deadlines = StoreDeadlines(lambda: True)
        waits = (waited_s(deadlines, NoRoomLeft, after_s) for after_s in (0.0, 0.4, 0.9, 3.25))
        assert await asyncio.gather(*waits) == [pytest.approx(1.0)] * 4

    run(check())


def test_room_that_is_lost_meanwhile_is_told_within_a_second() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        deadlines = StoreDeadlines(lambda: loop.time() > 4.5)
        waits = (waited_s(deadlines, NoRoomLeft, after_s) for after_s in (0.0, 3.6, 4.0))
        long, short, new = await asyncio.gather(*waits)
        assert 4.5 < long <= 5.5
        assert short == pytest.approx(1.0)
        assert new == pytest.approx(1.0)

    run(check())


def test_a_timer_that_is_early_ends_a_wait_all_the_same() -> None:
    async def check() -> None:
        waited = await waited_s(StoreDeadlines(lambda: True), NoRoomLeft)
        assert waited == pytest.approx(1.0, abs=0.002)
        waited = await waited_s(StoreDeadlines(lambda: False), NoValidatorAnswered)
        assert waited == pytest.approx(10.0, abs=0.002)

    run(check(), early_s=0.001)


def test_the_timer_rests_when_nobody_waits() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        deadlines = StoreDeadlines(lambda: False)
        stored: asyncio.Future[None] = loop.create_future()
        loop.call_later(0.5, stored.set_result, None)
        await deadlines.wait(stored)
        await asyncio.sleep(5)
        assert deadlines._timer is None
        assert await waited_s(deadlines, NoValidatorAnswered) == pytest.approx(10.0)

    run(check())
