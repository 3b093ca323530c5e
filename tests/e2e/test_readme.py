"""What the README shows is run as it stands, but for the address."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from web3 import Web3

from node.main import cli
from tests.e2e.npm_packages import NpmPackages
from tests.e2e.running_node import DEADLINE_S, PROJECT, Node
from tests.e2e.web3_contracts import deploy, mined

README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
SHOWN_URL = "http://127.0.0.1:8545"


def block(name: str) -> str:
    """The code block after the README's mark of that name."""
    found = re.search(rf"<!-- run: {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"the README has no snippet marked {name}"
    return found[1]


def snippet(name: str, node: Node) -> str:
    """The same, for the node's address."""
    assert SHOWN_URL in block(name)
    return block(name).replace(SHOWN_URL, node.http_url)


def run_python(code: str) -> list[str]:
    """What it prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_the_web3_snippet_prints_what_it_says(node: Node) -> None:
    assert run_python(snippet("web3", node))[0] == "1 21000"


def test_the_foundry_snippet_works(node: Node, npm_packages: NpmPackages, tmp_path: Path) -> None:
    for line in snippet("foundry", node).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "cast"
        printed = npm_packages.run_foundry("cast", *arguments, cwd=tmp_path)
    assert float(printed) > 10_000


def test_the_faults_that_the_readme_shows_can_be_caused_and_ended(node: Node, tandem_only: None) -> None:
    printed = []
    for line in block("faults").splitlines():
        command = ["bash", "-c", line]
        environment = {**os.environ, "TANDEM_URL": node.http_url}
        run = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        assert run.returncode == 0, f"{line}: {run.stderr}"
        printed.append(run.stdout.strip())
    assert printed[1] == block("faults").splitlines()[1].partition("# ")[2]


def test_a_test_can_break_the_chain_as_the_readme_shows(node: Node, tandem_only: None) -> None:
    assert run_python(snippet("faults-web3", node)) == ["1"]


def test_traffic_and_its_report_print_what_the_readme_shows(node: Node, w3: Web3, tandem_only: None) -> None:
    owner = Web3.to_checksum_address(node.addresses[0])
    token = deploy(w3, "Token", "Gold", "GLD", sender=owner)
    mined(w3, token.functions.mint(owner, 10**6).transact({"from": owner}))
    traffic, report = block("traffic").splitlines()
    [shown] = re.findall(r"0x[0-9a-fA-F]{40}", traffic)
    environment = {**os.environ, "TANDEM_URL": node.http_url}
    printed = []
    for line in (traffic.replace(shown, token.address), report):
        command = ["bash", "-c", line]
        run = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        assert run.returncode == 0, f"{line}: {run.stderr}"
        printed.append(run.stdout)
    assert "sent 1,000   included 1,000   reverted 0   refused 0" in printed[0]
    assert "sent 1,000   included 1,000   reverted 0   refused 0" in README
    assert "transactions" in printed[1]


def test_every_option_in_the_readme_exists() -> None:
    table = README[README.index("## Options") : README.index("## Docker compose")]
    help_text = CliRunner().invoke(cli, ["up", "--help"]).output
    for option in set(re.findall(r"`(--[a-z-]+)", table)):
        assert option in help_text, option
    for option in set(re.findall(r"(--[a-z-]+)", help_text)) - {"--help"}:
        assert option in README, f"{option} is not in the README"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (page.parent / link).exists(), link
