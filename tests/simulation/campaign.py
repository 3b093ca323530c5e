"""Many scenarios one after the other, and what they covered together."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.drawing import draw
from tests.simulation.running import Outcome, run
from tests.simulation.scenario import scenario_from_json
from tests.simulation.twins_drawing import numbered
from tests.simulation.twins_scenario import scenarios_from_json, to_json
from tests.simulation.twins_world import run_twins


@dataclass(frozen=True, slots=True)
class Failure:
    """`stored` is the scenario as JSON, `replay` the command that runs it again."""

    name: str
    reason: str
    stored: str
    replay: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}\nto see it again: {self.replay}"


@dataclass(slots=True)
class Tally:
    """Sums over scenarios."""

    scenarios: int = 0
    simulated_us: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    rounds_between_commits: Counter[int] = field(default_factory=Counter)
    rounds_to_recover: Counter[int] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        self.scenarios += 1
        self.simulated_us += outcome.simulated_us
        self.counts.update(outcome.counts)
        self.rounds_between_commits.update(outcome.rounds_between_commits)
        self.rounds_to_recover[outcome.rounds_to_recover] += 1

    def add(self, other: "Tally") -> None:
        self.scenarios += other.scenarios
        self.simulated_us += other.simulated_us
        self.counts.update(other.counts)
        self.rounds_between_commits.update(other.rounds_between_commits)
        self.rounds_to_recover.update(other.rounds_to_recover)
        self.failures += other.failures

    def attempt(self, name: str, stored: str, replay: str, scenario: Callable[[], Outcome]) -> None:
        """Anything that a scenario raises is a failure of it: a broken promise, or a replica that fell over."""
        try:
            self.count(scenario())
        except Exception as error:
            self.scenarios += 1
            frame = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({frame.name}, line {frame.lineno})"
            self.failures.append(Failure(name, reason, stored, replay))


def run_twins_numbers(numbers: Iterable[int], rules: str | None = None) -> Tally:
    tally = Tally()
    for number in numbers:
        scenario = numbered(number, rules)
        replay = f"scripts/simulate --twin {number}" + (f" --rules {rules}" if rules else "")
        tally.attempt(f"Twins scenario {number}", to_json(scenario), replay, partial(run_twins, scenario))
    return tally


def in_processes(runs: Callable[[Iterable[int]], Tally], numbers: range, chunk: int, processes: int) -> Iterator[Tally]:
    """A tally for each chunk of numbers, in their order."""
    chunks = [numbers[start : start + chunk] for start in range(0, len(numbers), chunk)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(runs, chunks)


def replay_file(path: Path) -> Tally:
    """A stored scenario, of either kind."""
    tally = Tally()
    text, replay = path.read_text(), f"scripts/simulate --scenario {path}"
    if "num_of_nodes" not in json.loads(text):
        tally.attempt(path.name, text, replay, partial(run, scenario_from_json(text)))
        return tally
    for scenario in scenarios_from_json(text):
        tally.attempt(path.name, to_json(scenario), replay, partial(run_twins, scenario))
    return tally


def run_seeds(seeds: Iterable[int], rules: str | None = None) -> Tally:
    tally = Tally()
    for seed in seeds:
        scenario = draw(seed, rules)
        replay = f"scripts/simulate --seed {seed}" + (f" --rules {rules}" if rules else "")
        tally.attempt(f"seed {seed}", scenario.to_json(), replay, partial(run, scenario))
    return tally
