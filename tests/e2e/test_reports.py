"""docs/reports.md is run as it stands, but for the address: contracts, traffic, report, and the gates for users' CI."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import tandem
from tests.e2e.npm_packages import HERE, NODE_MODULES, NpmPackages
from tests.e2e.running_node import LONG_DEADLINE_S, PROJECT, Node, free_port, running_tandem

PAGE = (PROJECT / "docs" / "reports.md").read_text(encoding="utf-8")
SHOWN_URL = "http://127.0.0.1:8545"
SOLC = f'solc = "{HERE / "foundry" / "solc.mjs"}"\noffline = true\n'


def blocks(kind: str) -> dict[str, str]:
    """The code blocks after marks of this kind, by name."""
    return dict(re.findall(rf"<!-- {kind}: (\S+) -->\n```\w*\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, npm_packages: NpmPackages) -> Path:
    """A user's Foundry project, built, with the programs that the page calls by name."""
    folder = tmp_path_factory.mktemp("raffle")
    for name, text in blocks("file").items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + (SOLC if name == "foundry.toml" else ""))
    programs = folder / "programs"
    programs.mkdir()
    for tool in ("forge", "cast"):
        [program] = NODE_MODULES.glob(f"@foundry-rs/{tool}-*/bin/{tool}*")
        (programs / tool).symlink_to(program)
    (programs / "tandem").write_text(f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m node "$@"\n')
    (programs / "tandem").chmod(0o755)
    run_shell("forge build", folder)
    return folder


@pytest.fixture(scope="module")
def node(project: Path) -> Iterator[Node]:
    with running_tandem("--artifacts", str(project / "out")) as node:
        yield node


def run_shell(
    script: str, folder: Path, node: Node | None = None, status: int = 0
) -> "subprocess.CompletedProcess[str]":
    """What a snippet of the page printed, in the user's project."""
    if node is not None:
        script = script.replace(SHOWN_URL, node.http_url)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'programs'}:{os.environ['PATH']}",
        "NO_COLOR": "1",
        "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1",
    }
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONG_DEADLINE_S,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def printed(project: Path, node: Node) -> str:
    """What the page's traffic and report print."""
    return run_shell(blocks("run")["traffic"], project, node).stdout


def test_the_report_names_the_variable_that_held_up_whom(printed: str) -> None:
    unwrapped = printed.replace("\n  ", " ")
    said = r"^- \d+ of 100 `draw` calls .* `Raffle\.sold` .*: each changes it by 1\."
    assert re.search(said, unwrapped, re.MULTILINE)
    assert re.search(r"^ +\d+ +\d+ +\d+ +\d+\.\d ms  real +Raffle\.sold$", printed, re.MULTILINE)
    assert re.search(r"^(worker-\d+|execution) +[.#x~]{72}$", printed, re.MULTILINE), "one may run in execution alone"
    assert "Raffle.ticket" not in printed


def test_a_gate_fails_while_all_change_one_number(printed: str, node: Node) -> None:
    [blocks_of_report] = re.findall(r"^blocks (\d+) to (\d+): ", printed, re.MULTILINE)
    span = "..".join(blocks_of_report)
    run = tandem("report", "--url", node.http_url, "--range", span, "--fail-if", "held_up_rate>20%")
    assert run.returncode == 1
    assert re.fullmatch(r"tandem: held_up_rate is 0\.\d+, and to fail on is 'held_up_rate>20%': .* apart\n", run.stderr)


def test_the_gate_passes_once_each_has_a_number_of_their_own(project: Path, node: Node) -> None:
    passed = run_shell(blocks("run")["gate"], project, node)
    assert "held up  conflicts" not in passed.stdout


def test_the_gate_in_python_passes_then_too(project: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    gate: dict[str, Any] = {}
    exec(blocks("run")["test_parallel.py"].replace(SHOWN_URL, node.http_url), gate)
    monkeypatch.chdir(project)
    gate["test_players_do_not_hold_each_other_up"]()


def test_the_gate_in_python_fails_with_the_advice(project: Path, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    gate: dict[str, Any] = {}
    code = blocks("run")["test_parallel.py"].replace("FairRaffle", "Raffle").replace("range(5)", "range(20)")
    exec(code.replace(SHOWN_URL, node.http_url), gate)
    monkeypatch.chdir(project)
    with pytest.raises(AssertionError, match=r"`draw` calls .* `Raffle\.sold`"):
        gate["test_players_do_not_hold_each_other_up"]()


def test_json_tells_the_same_of_one_block(project: Path, node: Node) -> None:
    told = json_report(node, "--range", "..")
    busiest = told["hotspots"]["busiest"]
    one = json_report(node, "--block", str(busiest))
    assert one["block"]["number"] == one["hotspots"]["from"] == one["hotspots"]["to"] == busiest
    assert one["block"]["transactions"] == told["block"]["transactions"]
    assert one["metrics"]["critical_path_share"] is not None
    counted = [run for each in one["block"]["transactions"] for run in each["attempts"]]
    assert one["metrics"]["attempts"] == len(counted)
    assert told["metrics"]["critical_path_ms"] is None
    assert told["failed"] == []


def json_report(node: Node, *options: str) -> dict[str, Any]:
    run = tandem("report", "--url", node.http_url, "--json", *options)
    assert run.returncode == 0, run.stderr
    told: dict[str, Any] = json.loads(run.stdout)
    return told


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--block", "99999999"], 1, "block range extends beyond current head block"),
        (["--range", "5..2"], 1, "invalid block range: 5 is after 2"),
        (["--fail-if", "speed<1"], 2, "there is no 'speed'"),
        (["--block", "many"], 2, "'many' is no block"),
    ],
)
def test_what_cannot_be_shown_is_one_line(node: Node, options: list[str], status: int, words: str) -> None:
    run = tandem("report", "--url", node.http_url, *options)
    assert run.returncode == status
    assert run.stderr.startswith("tandem: ")
    assert words in run.stderr
    assert run.stderr.count("\n") == 1


def test_without_a_chain_it_is_one_line() -> None:
    run = tandem("report", "--port", str(free_port()))
    assert run.returncode == 1
    assert re.fullmatch(r"tandem: no chain answers at .*\n", run.stderr)
