"""Validators that lost what was executed are told apart from those that are merely catching up."""

import asyncio

from chain.messages.mempool import CatchingUp
from chain.types import Height
from execution.lost_blocks import LostBlocks

EXECUTED = Height(20)


def behind(committed: int) -> CatchingUp:
    return CatchingUp(Height(committed), done=False)


CAUGHT_UP = CatchingUp(EXECUTED, done=True)


class Case:
    """Patience passes when the test says so."""

    def __init__(self, *stakes: int) -> None:
        self.told: list[str] = []
        self.lost_blocks = LostBlocks(stakes or (1, 1, 1, 1), self.told.append, patience_s=0)

    def hear(self, **said: CatchingUp) -> None:
        for validator, catching_up in said.items():
            self.lost_blocks.heard(int(validator.removeprefix("v")), catching_up, EXECUTED)

    async def patience_passes(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)


async def test_all_of_them_standing_still_is_said_once_with_what_each_has_and_the_remedy() -> None:
    case = Case()
    case.hear(v0=behind(10), v1=behind(10), v2=behind(0), v3=behind(10))
    assert case.told == []
    await case.patience_passes()
    (text,) = case.told
    assert "blocks up to 20 are executed" in text
    assert "validator 0 ends at 10, validator 1 ends at 10, validator 2 ends at 0, validator 3 ends at 10" in text
    assert "restore the data folder as a whole from one backup" in text
    assert "start the others" not in text
    assert case.lost_blocks.stalled == text


async def test_validators_that_began_another_chain_are_told_from_those_that_are_behind() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(21), v2=behind(20))
    await case.patience_passes()
    assert "validator 0 ends at 0, validator 1 has others up to 21, validator 2 has others up to 20" in case.told[0]


async def test_fewer_than_two_thirds_of_the_stake_can_get_it_from_the_others() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0))
    await case.patience_passes()
    assert case.told == []
    weighty = Case(5, 1, 1, 1)
    weighty.hear(v1=behind(0), v2=behind(0), v3=behind(0))
    await weighty.patience_passes()
    assert weighty.told == []


async def test_one_that_has_it_and_is_away_is_asked_for() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0), v3=behind(0))
    await case.patience_passes()
    assert "start the others if they have more" in case.told[0]


async def test_who_comes_nearer_in_time_is_catching_up() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0), v2=behind(0))
    for number in range(1, 20):
        await asyncio.sleep(0)
        case.hear(v0=behind(number))
    case.hear(v0=CAUGHT_UP)
    await case.patience_passes()
    assert case.told == []


async def test_it_is_over_once_enough_of_them_have_it_again_or_connect_anew() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0), v2=behind(0))
    await case.patience_passes()
    assert case.lost_blocks.stalled
    case.lost_blocks.not_heard(1)
    assert case.lost_blocks.stalled == ""
    case.hear(v1=behind(0))
    await case.patience_passes()
    assert len(case.told) == 2


async def test_the_same_said_again_does_not_put_it_off() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0), v2=behind(0))
    case.hear(v0=behind(0), v1=behind(0), v2=behind(0))
    await asyncio.sleep(0)
    await case.patience_passes()
    assert len(case.told) == 1


async def test_nothing_is_scheduled_once_closed() -> None:
    case = Case()
    case.hear(v0=behind(0), v1=behind(0), v2=behind(0))
    case.lost_blocks.close()
    await case.patience_passes()
    assert case.told == []
