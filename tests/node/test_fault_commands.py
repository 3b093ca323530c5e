"""`tandem net` and `tandem validator` as typed: what is understood, and what is said of what is not."""

from typing import Any

import pytest
from click.testing import CliRunner

from node import fault_commands
from node.main import cli

WHOLE: dict[str, Any] = {"partition": None, "delays": [], "drops": [], "notTold": []}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a chain, which answers everything, was asked."""
    calls: list[tuple[Any, ...]] = []

    def answer(*call: Any) -> dict[str, Any]:
        calls.append(call)
        return {**WHOLE, "validator": 2, "state": "killed"}

    monkeypatch.setattr(fault_commands, "ask", answer)
    return calls


@pytest.mark.parametrize("name", ["2", "validator-2"])
def test_a_validator_is_named_by_its_number_or_as_status_names_it(name: str, asked: list[tuple[Any, ...]]) -> None:
    run = CliRunner().invoke(cli, ["validator", "kill", name])
    assert run.exit_code == 0, run.output
    assert asked == [("http://127.0.0.1:8545", "tandem_killValidator", 2)]


@pytest.mark.parametrize("name", ["two", "validator-", "execution", "1.5", "²"])
def test_what_is_no_validator_is_told_how_one_is_named(name: str, asked: list[tuple[Any, ...]]) -> None:
    run = CliRunner().invoke(cli, ["validator", "kill", name])
    assert run.exit_code == 2
    assert f"{name!r} is no validator: give its number, such as 2" in run.output
    assert not asked


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("net --port 9545 partition 0,1 / 2,3", "tandem net partition 0,1 / 2,3 --port 9545"),
        ("net --url=http://x heal", "tandem net heal --url=http://x"),
        ("validator --port 9545 kill 2", "tandem validator kill 2 --port 9545"),
        ("--port 9545 status", "tandem status --port 9545"),
        ("--port 9545 net heal", "tandem net heal --port 9545"),
    ],
)
def test_options_before_the_command_are_told_their_place(typed: str, meant: str, asked: list[tuple[Any, ...]]) -> None:
    run = CliRunner().invoke(cli, typed.split(), prog_name="tandem")
    assert run.exit_code == 2
    assert f"options stand after the command: {meant}\n" in run.output
    assert not asked


def test_net_without_a_command_shows_the_faults(asked: list[tuple[Any, ...]]) -> None:
    run = CliRunner().invoke(cli, ["net", "--port", "9545"])
    assert run.output == "the network is whole: nothing is cut, delayed or dropped\n"
    assert asked == [("http://127.0.0.1:9545", "tandem_network")]


@pytest.mark.parametrize("typed", ["net --help", "net -h", "--help", "--version", "validator --help"])
def test_a_group_keeps_its_own_options(typed: str) -> None:
    assert CliRunner().invoke(cli, typed.split()).exit_code == 0


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("tandem net ", ["delay", "drop", "heal", "partition", "show"]),
        ("tandem net pa", ["partition"]),
        ("tandem validator re", ["restart", "resume"]),
        ("tandem --port 1 status --u", []),
    ],
)
def test_the_shell_completes_what_can_be_broken(typed: str, completions: list[str]) -> None:
    words = {"_TANDEM_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)}
    run = CliRunner().invoke(cli, [], prog_name="tandem", env=words)
    assert run.output.split() == [f"plain,{completion}" for completion in completions]
