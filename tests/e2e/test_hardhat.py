"""Hardhat 3 with the chain as an external network: it deploys by script and by Ignition, uses a contract, and runs a
project's tests with network helpers, chai matchers and viem's assertions."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e.hardhat_project import Hardhat, hardhat_project
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import Node, running_tandem


@pytest.fixture(scope="module")
def hardhat(tmp_path_factory: pytest.TempPathFactory) -> Hardhat:
    return hardhat_project(tmp_path_factory.mktemp("hardhat"))


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


@pytest.mark.usefixtures("tandem_only")
def test_a_project_s_tests_run_with_hardhat_s_helpers_and_matchers(hardhat: Hardhat, node: Node) -> None:
    printed = hardhat.run(node, "test", "mocha", "--network", "unlocked")
    assert re.search(r"^ *15 passing", printed, re.MULTILINE), printed
