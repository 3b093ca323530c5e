"""How much stake decides, and who leads."""

import pytest

from chain.types import Round, ValidatorIndex
from consensus.errors import UnknownLeaderSchedule
from consensus.registry import leader_schedule
from consensus.validators import ValidatorSet
from tests.consensus.builders import make_genesis


def members(*indices: int) -> list[ValidatorIndex]:
    return [ValidatorIndex(i) for i in indices]


@pytest.mark.parametrize(("validators", "quorum"), [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7)])
def test_a_quorum_is_more_than_two_thirds(validators: int, quorum: int) -> None:
    everyone = ValidatorSet(make_genesis(validators).validators)
    assert everyone.is_quorum(everyone.indices[:quorum])
    assert not everyone.is_quorum(everyone.indices[: quorum - 1])


@pytest.mark.parametrize(("validators", "enough"), [(1, 1), (2, 1), (3, 2), (4, 2), (6, 3), (7, 3)])
def test_joining_a_timeout_takes_more_than_a_third(validators: int, enough: int) -> None:
    everyone = ValidatorSet(make_genesis(validators).validators)
    assert everyone.exceeds_a_third(everyone.indices[:enough])
    assert not everyone.exceeds_a_third(everyone.indices[: enough - 1])


def test_stake_weighs() -> None:
    weighted = ValidatorSet(make_genesis(3, stakes=(1, 1, 7)).validators)
    assert weighted.is_quorum(members(2))
    assert not weighted.exceeds_a_third(members(0, 1))


def test_leaders_take_turns() -> None:
    schedule = leader_schedule("round-robin", (5, 1, 1))
    assert [schedule.leader(Round(round)) for round in range(1, 8)] == [1, 2, 0, 1, 2, 0, 1]


def test_an_unknown_schedule_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownLeaderSchedule, match=r"'dice'.*round-robin"):
        leader_schedule("dice", (1, 1))
