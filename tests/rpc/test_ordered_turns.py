"""Turns come in the order in which they were asked for, whatever those who asked do first."""

import asyncio

import pytest

from rpc.ordered_turns import OrderedTurns


async def test_who_is_ready_first_waits_for_those_before() -> None:
    turns, taken = OrderedTurns(), list[int]()
    ready = [asyncio.Event() for _ in range(4)]

    async def take(number: int) -> None:
        with turns.place() as place:
            await ready[number].wait()
            await place.turn()
            taken.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(4)]
    await asyncio.sleep(0)
    for number in (3, 1, 0, 2):
        ready[number].set()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert taken == [0, 1, 2, 3]


async def test_who_fails_or_is_cancelled_before_its_turn_gives_it_up_but_lets_nobody_pass() -> None:
    turns, taken = OrderedTurns(), list[int]()
    first = asyncio.Event()

    async def take(number: int, preparation: asyncio.Event | None) -> None:
        with turns.place() as place:
            if preparation is None:
                raise ValueError(number)
            await preparation.wait()
            await place.turn()
            taken.append(number)

    done = asyncio.Event()
    done.set()
    tasks = [asyncio.create_task(take(*each)) for each in ((0, first), (1, None), (2, asyncio.Event()), (3, done))]
    await asyncio.sleep(0)
    tasks[2].cancel()
    with pytest.raises(ValueError, match="1"):
        await tasks[1]
    await asyncio.sleep(0)
    assert taken == []
    first.set()
    await asyncio.wait_for(tasks[3], 60)
    assert taken == [0, 3]


async def test_all_are_over_when_the_last_place_is_given_up_and_are_not_waited_for_longer_than_the_limit() -> None:
    turns = OrderedTurns()
    await turns.all_over(60)
    with turns.place(), turns.place():
        await turns.all_over(0)
        waiting = asyncio.create_task(turns.all_over(60))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
