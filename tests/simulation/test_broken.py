"""Rule sets that lack one thing each: the simulation must catch every one, within a number of scenarios fixed here.

Which of them catches it is the same in every run, so a bound that fails says that the simulation became weaker. The
bounds are twice what was needed when they were set, or a little more.
"""

from collections.abc import Callable

import pytest

from tests.simulation.broken import BREAKAGES, broken
from tests.simulation.drawing import draw
from tests.simulation.oracles import Violation
from tests.simulation.running import run
from tests.simulation.twins_drawing import DEPARTING, sample
from tests.simulation.twins_world import run_twins

MOST = 600


def first_caught(scenarios: list[Callable[[], object]], seen: str) -> tuple[int, str]:
    """How many scenarios it took until that was seen."""
    for number, scenario in enumerate(scenarios, start=1):
        try:
            scenario()
        except Violation as violation:
            if seen in str(violation):
                return number, str(violation)
    pytest.fail(f"not caught by any of {len(scenarios)} scenarios")


def by_seeds(breakage: str, rules: str) -> list[Callable[[], object]]:
    return [lambda seed=seed: run(draw(seed, rules), broken(breakage, rules)) for seed in range(MOST)]  # type: ignore[misc]


def by_departures(breakage: str, rules: str) -> list[Callable[[], object]]:
    scenarios = sample(DEPARTING, MOST, rules)
    return [lambda one=one: run_twins(one, broken(breakage, rules)) for one in scenarios]  # type: ignore[misc]


FORK = "two proposals are committed"


@pytest.mark.parametrize(
    ("breakage", "rules", "scenarios", "bound", "seen"),
    [
        ("votes without the lock check", "hotstuff-2", by_departures, 80, FORK),
        ("votes without the lock check", "hotstuff-3", by_departures, 600, FORK),
        ("commits one certificate early", "hotstuff-2", by_departures, 10, FORK),
        ("commits one certificate early", "hotstuff-3", by_departures, 80, FORK),
        ("commits one certificate early", "hotstuff-2", by_seeds, 60, FORK),
        ("forgets last_voted_round on restart", "hotstuff-2", by_seeds, 20, "voted in round"),
        ("forgets last_voted_round on restart", "hotstuff-3", by_seeds, 20, "voted in round"),
        ("counts a duplicate vote twice", "hotstuff-2", by_seeds, 10, "for a quorum"),
        ("counts a duplicate vote twice", "hotstuff-3", by_seeds, 10, "for a quorum"),
        ("keeps the lock only in memory", "hotstuff-2", by_seeds, 10, "though it had voted on"),
        ("keeps the lock only in memory", "hotstuff-3", by_seeds, 10, "though it had voted on"),
    ],
)
def test_a_broken_rule_set_is_caught(
    breakage: str,
    rules: str,
    scenarios: Callable[[str, str], list[Callable[[], object]]],
    bound: int,
    seen: str,
) -> None:
    number, violation = first_caught(scenarios(breakage, rules), seen)
    print(f"{rules} that {breakage}: caught by scenario {number} ({violation})")
    assert number <= bound


def test_every_breakage_is_tried_under_every_rule_set() -> None:
    (mark,) = test_a_broken_rule_set_is_caught.pytestmark  # type: ignore[attr-defined]
    tried = {(breakage, rules) for breakage, rules, *_ in mark.args[1]}
    assert tried == {(breakage, rules) for breakage in BREAKAGES for rules in ("hotstuff-2", "hotstuff-3")}
