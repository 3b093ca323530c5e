"""`scripts/simulate`: what it prints, what it stores, how it exits."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scripts.simulations import __main__ as command
from scripts.simulations.campaigns import Plan
from tests.simulation import campaign
from tests.simulation.drawing import draw
from tests.simulation.oracles import Violation
from tests.simulation.running import Outcome, run
from tests.simulation.scenario import Scenario, scenario_from_json


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(command.main, arguments)


def test_one_seed_says_what_happened_in_plain_words() -> None:
    result = simulate("--seed", "3")
    assert result.exit_code == 0
    assert result.output.startswith("1 scenario in ")
    assert "none broke a promise" in result.output
    assert "proposals committed" in result.output
    assert "What broke" in result.output


def test_many_scenarios_are_summed_over_processes() -> None:
    result = simulate("--seeds", "60", "--twins", "10", "--processes", "2")
    assert result.exit_code == 0
    assert "70 scenarios in " in result.output  # after lines that say how far it is, if it takes long


def test_a_broken_promise_is_stored_named_with_its_command_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(scenario: Scenario) -> Outcome:
        raise Violation("two proposals are committed at depth 7")

    monkeypatch.setattr(campaign, "run", fails)
    monkeypatch.setattr(command, "REGRESSIONS", tmp_path / "kept")
    result = simulate("--seed", "5", "--rules", "hotstuff-2")
    assert result.exit_code == 1
    assert "1 BROKE A PROMISE" in result.output
    assert "two proposals are committed at depth 7" in result.output
    assert "scripts/simulate --seed 5 --rules hotstuff-2" in result.output
    (stored,) = (tmp_path / "kept").iterdir()
    assert scenario_from_json(stored.read_text()) == draw(5, "hotstuff-2")


def test_a_stored_scenario_runs_again_exactly(tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    file.write_text(draw(12).to_json())
    (outcome,) = [run(draw(12))]
    tally = campaign.replay_file(file)
    assert tally.counts == outcome.counts
    assert simulate("--scenario", str(file)).exit_code == 0


def test_what_is_no_scenario_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    for text in ("{", json.dumps([1]), json.dumps({"format": 99})):
        file.write_text(text)
        result = simulate("--scenario", str(file))
        assert result.exit_code == 2
        assert "is no scenario" in result.output


def test_with_minutes_both_kinds_go_on_by_turns_until_the_time_is_over() -> None:
    assert list(Plan(0, 0).chunks()) == []
    chunks = Plan(0, 0, first=7, seconds=1_000.0).chunks()
    firsts = [next(chunks).args[0] for _ in range(4)]  # type: ignore[attr-defined]
    assert firsts == [range(7, 57), range(7, 57), range(57, 107), range(57, 107)]
