"""What the README shows is run as it stands, but for the address."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from node.main import cli
from tests.e2e.npm_packages import NpmPackages
from tests.e2e.running_node import PROJECT, Node

README = (PROJECT / "README.md").read_text(encoding="utf-8")
SHOWN_URL = "http://127.0.0.1:8545"


def snippet(name: str, node: Node) -> str:
    """The code block after the README's mark of that name, for the node's address."""
    found = re.search(rf"<!-- run: {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"the README has no snippet marked {name}"
    assert SHOWN_URL in found[1]
    return found[1].replace(SHOWN_URL, node.http_url)


def test_the_web3_snippet_prints_what_it_says(node: Node) -> None:
    run = subprocess.run(
        [sys.executable, "-c", snippet("web3", node)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0] == "1 21000"


def test_the_foundry_snippet_works(node: Node, npm_packages: NpmPackages, tmp_path: Path) -> None:
    for line in snippet("foundry", node).splitlines():
        program, *arguments = shlex.split(line)
        assert program == "cast"
        printed = npm_packages.run_foundry("cast", *arguments, cwd=tmp_path)
    assert float(printed) > 10_000


def test_every_option_in_the_readme_exists() -> None:
    table = README[README.index("## Options") : README.index("## Docker compose")]
    help_text = CliRunner().invoke(cli, ["up", "--help"]).output
    for option in set(re.findall(r"`(--[a-z-]+)", table)):
        assert option in help_text, option
    for option in set(re.findall(r"(--[a-z-]+)", help_text)) - {"--help"}:
        assert option in README, f"{option} is not in the README"
