"""How much stake decides, and who leads."""

import random

import pytest

from chain.types import Round, ValidatorIndex
from consensus.errors import StakesTooFine, UnknownLeaderSchedule, UnknownRuleSet
from consensus.leaders import MAX_TURNS, Weighted
from consensus.registry import RULE_SETS, leader_schedule, rule_set
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


def leaders(stakes: tuple[int, ...], rounds: int) -> list[int]:
    schedule = leader_schedule("weighted", stakes)
    return [schedule.leader(Round(round)) for round in range(rounds)]


def test_weighted_turns_are_those_of_smooth_weighted_round_robin() -> None:
    """Worked out by hand: the richest leads and pays 4 of the gains 2, 1, 1; then the ones of 40, 30, 20, 10."""
    assert leaders((2, 1, 1), 8) == [0, 1, 2, 0, 0, 1, 2, 0]
    assert leaders((40, 30, 20, 10), 10) == [0, 1, 2, 0, 1, 3, 0, 2, 1, 0]


@pytest.mark.parametrize("stakes", [(1,), (1, 1, 1, 1), (7, 7, 7)])
def test_equal_stakes_take_plain_turns(stakes: tuple[int, ...]) -> None:
    plain = leader_schedule("round-robin", stakes)
    assert leaders(stakes, 20) == [plain.leader(Round(round)) for round in range(20)]


@pytest.mark.parametrize("seed", range(30))
def test_in_every_cycle_turns_are_in_proportion_to_stake_and_evenly_spread(seed: int) -> None:
    chance = random.Random(seed)
    stakes = tuple(chance.randrange(1, 40) for _ in range(chance.randrange(1, 9)))
    total = sum(stakes)
    turns = leaders(stakes, 2 * total)
    assert turns[:total] == turns[total:]
    for validator, stake in enumerate(stakes):
        assert turns[:total].count(validator) == stake
        for length in range(1, total + 1):
            exact = length * stake / total
            assert abs(turns[:length].count(validator) - exact) < len(stakes), f"seed {seed}, validator {validator}"


@pytest.mark.parametrize("seed", range(30))
def test_whoever_dies_with_less_than_a_third_there_are_three_live_leaders_in_a_row(seed: int) -> None:
    """What three phases need to commit: over a cycle the dead have less than half as many turns as the living."""
    chance = random.Random(seed)
    stakes = tuple(chance.randrange(1, 30) for _ in range(chance.randrange(4, 9)))
    dead: set[int] = set()
    for validator in chance.sample(range(len(stakes)), len(stakes)):
        if 3 * sum(stakes[v] for v in {*dead, validator}) < sum(stakes):
            dead.add(validator)
    turns = leaders(stakes, 2 * sum(stakes))
    alive = "".join("." if leader in dead else "#" for leader in turns)
    assert "###" in alive, f"seed {seed}: {stakes} without {dead}"


def test_stakes_that_would_take_too_long_a_cycle_are_refused() -> None:
    assert Weighted((MAX_TURNS - 1, 1)).leader(Round(0)) == 0
    assert Weighted((10**18, 10**18)).leader(Round(1)) == 1
    with pytest.raises(StakesTooFine, match="10,001 where 10,000"):
        Weighted((MAX_TURNS, 1))


@pytest.mark.parametrize("name", RULE_SETS)
def test_a_rule_set_has_the_name_it_is_asked_for_by(name: str) -> None:
    assert rule_set(name).name == name


def test_an_unknown_rule_set_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownRuleSet, match=r"'paxos'.*hotstuff-2"):
        rule_set("paxos")


def test_an_unknown_schedule_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownLeaderSchedule, match=r"'dice'.*round-robin"):
        leader_schedule("dice", (1, 1))
