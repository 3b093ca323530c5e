"""Twins scenarios: those of others, and a thousand generated ones. Each must keep every promise."""

from collections import Counter
from pathlib import Path

import pytest

from consensus.registry import RULE_SETS
from tests.simulation.campaign import Tally, in_processes, run_twins_numbers
from tests.simulation.twins_drawing import FAMILIES, WITH_TWIN, numbered, partitions, sample
from tests.simulation.twins_scenario import read_twins, scenarios_from_json, to_json
from tests.simulation.twins_world import TwinsWorld, run_twins

GIVEN = Path(__file__).parent / "twins"
SCENARIOS = 1_000
CHUNK = 50
PROCESSES = 2
every_rule_set = pytest.mark.parametrize("rules", sorted(RULE_SETS))


@every_rule_set
@pytest.mark.parametrize("file", ["streamlet_twins.json", "test_scenarios.json"])
def test_no_given_scenario_breaks_a_promise(file: str, rules: str) -> None:
    for scenario in read_twins(GIVEN / file, rules):
        run_twins(scenario)


@every_rule_set
def test_what_breaks_a_fast_hotstuff_does_not_break_these_rules(rules: str) -> None:
    """The known safety break of one implementation: leaders whose certificates are hidden, then cut off."""
    (scenario,) = read_twins(GIVEN / "fhs_twins.json", rules)
    outcome = run_twins(scenario)
    assert outcome.counts["rivals of another proposal"] >= 2, "branches do compete"
    assert outcome.counts["messages between partitions"] > 50


@pytest.fixture(scope="module")
def tally() -> Tally:
    total = Tally()
    for one in in_processes(run_twins_numbers, range(SCENARIOS), CHUNK, PROCESSES):
        total.add(one)
    return total


def test_no_generated_scenario_breaks_a_promise(tally: Tally) -> None:
    assert tally.scenarios == SCENARIOS
    assert not tally.failures, f"{len(tally.failures)} of {SCENARIOS} fail, the first: {tally.failures[0]}"


def test_twins_equivocate_and_branches_compete_in_most_scenarios(tally: Tally) -> None:
    assert tally.counts["rivals of another proposal"] > 2 * SCENARIOS
    assert tally.counts["refused: Equivocation"] > SCENARIOS / 2
    assert tally.counts["fault: power loss"] > SCENARIOS / 2
    assert tally.counts["lie: stale certificates"] > SCENARIOS


def test_a_sample_takes_every_choice_of_every_round_about_equally_often() -> None:
    count = 2_000
    chosen = list(sample(WITH_TWIN, count, "hotstuff-2"))
    for round in range(1, WITH_TWIN.rounds + 1):
        leaders = Counter(scenario.leaders[round] for scenario in chosen)
        groups = Counter(scenario.partitions[round] for scenario in chosen)
        assert len(leaders) == 4
        assert max(leaders.values()) < 1.3 * min(leaders.values())
        assert len(groups) == len(set(partitions(5)))


def test_a_twin_has_its_siblings_key_and_another_opinion() -> None:
    world = TwinsWorld(numbered(0))
    assert [node.index for node in world.nodes] == [0, 1, 2, 3, 0]
    assert [node.watched for node in world.nodes] == [False, True, True, True, False]
    world.start()
    world.run_until(lambda: world.counts["rivals of another proposal"] > 0, limit_ms=1_000)


@pytest.mark.parametrize("number", range(4 * len(FAMILIES)))
def test_a_scenario_survives_its_file(number: int) -> None:
    scenario = numbered(number)
    assert scenarios_from_json(to_json(scenario)) == [scenario]
