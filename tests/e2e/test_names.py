"""Names from what Foundry and Hardhat really write, on contracts that really run."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chain.addresses import checksummed
from chain.keccak import keccak256
from chain.types import Address
from rpc.naming.layout import layout_from
from rpc.naming.namespaces import erc7201_slot
from rpc.naming.preimages import Preimages, origin_of
from rpc.naming.syntax_tree import SyntaxTrees
from rpc.naming.variables import variables_at
from tests.e2e.accounts import receipts_of
from tests.e2e.hardhat_project import hardhat_project
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import HERE, NpmPackages
from tests.e2e.running_node import DEADLINE_S, PROJECT, Node, running_tandem

FOUNDRY = HERE / "foundry"
SOLIDITY = PROJECT / "tests" / "contracts" / "src"
NAMESPACED = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.31;
abstract contract Base {
    /// @custom:storage-location erc7201:example.base
    struct BaseStorage { uint128 low; uint128 high; mapping(address => uint256) shares; }
}
contract Upgradeable is Base {
    uint256 internal constant FIXED = 1;
    uint256 internal immutable once = 2;
    uint256 internal transient passing;
    uint256 internal plain;
    function(uint256) external handler;
    struct Link { Link[] next; mapping(bytes32 => Link) by; uint8 depth; }
    Link internal link;
}
"""


@dataclass(frozen=True, slots=True)
class Built:
    """Where the compilers wrote to."""

    foundry: Path
    hardhat: Path


@pytest.fixture(scope="module")
def built(npm_packages: NpmPackages, tmp_path_factory: pytest.TempPathFactory) -> Built:
    npm_packages.run_foundry("forge", "build", cwd=FOUNDRY)
    hardhat = hardhat_project(tmp_path_factory.mktemp("hardhat"))
    return Built(Path(npm_packages.environment["FOUNDRY_OUT"]), hardhat.build())


@pytest.fixture(scope="module")
def node(built: Built) -> Iterator[Node]:
    with running_tandem("--artifacts", str(built.foundry), "--artifacts", str(built.hardhat)) as node:
        yield node


def deployed(rpc: JsonRpc, node: Node, code: str) -> str:
    sent = rpc.call("eth_sendTransaction", {"from": node.addresses[0], "data": code})
    [receipt] = receipts_of(rpc, [sent])
    return str(receipt["contractAddress"])


def traffic(node: Node, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "node", "traffic", *arguments, "--json", "--url", node.http_url]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["reverted"], told["refused"]) == (0, {})
    return told


def conflicts(rpc: JsonRpc, told: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The transactions of these blocks that lost a run or waited for others, and over what."""
    found = []
    for number in range(told["firstBlock"], told["lastBlock"] + 1):
        for transaction in rpc.call("tandem_getBlockExecution", hex(number))["transactions"]:
            found += [(transaction, run["conflict"]) for run in transaction["attempts"] if run["conflict"]]
            found += [(transaction, wait) for wait in transaction["waits"]]
    return found


def test_a_foundry_project_s_variables_and_functions_have_names(built: Built, node: Node, rpc: JsonRpc) -> None:
    artifact = json.loads((built.foundry / "Poll.sol" / "Poll.json").read_text())
    poll = deployed(rpc, node, artifact["bytecode"]["object"])
    told = traffic(node, poll, "vote", "3", "true", "--senders", "30", "--count", "180")
    assert told["name"] == "Poll"
    lost = conflicts(rpc, told)
    assert {transaction["contract"] for transaction, _ in lost} == {"Poll"}
    assert {transaction["function"] for transaction, _ in lost} == {"vote(uint256,bool)"}
    assert {conflict["variable"].split(",")[0] for _, conflict in lost} == {"Poll.ballots[3].yes"}
    spots = rpc.call("tandem_getHotspots", hex(told["firstBlock"]), hex(told["lastBlock"]))
    assert spots["hotspots"][0]["contract"] == "Poll"
    assert spots["hotspots"][0]["variable"] == "Poll.ballots[3].yes"  # which shares its slot with `no`


def test_a_hardhat_project_s_variables_have_names_without_asking_for_layouts(
    built: Built, node: Node, rpc: JsonRpc
) -> None:
    artifact = json.loads((built.hardhat / "contracts" / "Jar.sol" / "Jar.json").read_text())
    jar = deployed(rpc, node, artifact["bytecode"])
    told = traffic(node, jar, "drop()", "--value", "7", "--senders", "30", "--count", "180")
    assert told["name"] == "Jar"
    lost = conflicts(rpc, told)
    assert {(transaction["contract"], transaction["function"]) for transaction, _ in lost} == {("Jar", "drop()")}
    assert "Jar.total" in {conflict["variable"] for _, conflict in lost}


def test_a_contract_without_artifacts_is_described_by_what_was_hashed(built: Built, rpc: JsonRpc, node: Node) -> None:
    artifact = json.loads((built.foundry / "Poll.sol" / "Poll.json").read_text())
    with running_tandem() as other, contextlib.closing(JsonRpc(other.http_url)) as other_rpc:
        poll = deployed(other_rpc, other, artifact["bytecode"]["object"])
        told = traffic(other, poll, "vote(uint256,bool)", "3", "true", "--senders", "30", "--count", "180")
        lost = conflicts(other_rpc, told)
        assert {(transaction["contract"], transaction["function"]) for transaction, _ in lost} == {(None, None)}
        assert {conflict["variable"] for _, conflict in lost} == {"mapping at slot 0, key 3"}
        registered = {"name": "Ballot box", **{key: artifact[key] for key in ("abi", "storageLayout")}}
        other_rpc.call("tandem_registerContract", poll, registered)
        named = {conflict["variable"].split(",")[0] for _, conflict in conflicts(other_rpc, told)}
        assert named == {"Ballot box.ballots[3].yes"}


def compiled(sources: dict[str, str]) -> dict[str, Any]:
    """What solc says of them, with syntax trees and layouts."""
    settings = {"outputSelection": {"*": {"*": ["abi", "storageLayout"], "": ["ast"]}}}
    contents = {path: {"content": content} for path, content in sources.items()}
    question = json.dumps({"language": "Solidity", "sources": contents, "settings": settings})
    command = ["node", str(FOUNDRY / "solc.mjs"), "--standard-json"]
    done = subprocess.run(command, input=question, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    errors = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    assert not errors, errors
    return answer


def placed(layout: Any) -> list[tuple[str, int, int, int]]:
    """Each variable's name, slot, offset and size in bytes."""
    types = layout["types"] or {}
    return [
        (each["label"], int(each["slot"]), each["offset"], int(types[each["type"]]["numberOfBytes"]))
        for each in layout["storage"]
    ]


def test_the_layout_in_a_syntax_tree_is_the_one_that_solc_gives(npm_packages: NpmPackages) -> None:
    sources = {
        path.name: path.read_text() for path in sorted(SOLIDITY.glob("*.sol")) if "import" not in path.read_text()
    }
    answer = compiled({**sources, "Upgradeable.sol": NAMESPACED})
    trees, checked = SyntaxTrees(answer["sources"]), 0
    for path, contracts in answer["contracts"].items():
        for name, contract in contracts.items():
            ours, namespaces = trees.layout(path, name), trees.namespaces(path, name)
            assert ours is not None, name
            of_namespaces = len(namespaces["storage"]) if namespaces else 0
            assert placed(ours)[: len(ours["storage"]) - of_namespaces] == placed(contract["storageLayout"]), name
            checked += len(contract["storageLayout"]["storage"])
    assert checked > 30


def test_a_namespace_in_a_syntax_tree_gives_its_variables_names(npm_packages: NpmPackages) -> None:
    found = SyntaxTrees(compiled({"U.sol": NAMESPACED})["sources"]).namespaces("U.sol", "Upgradeable")
    layout = layout_from(found)
    begins = erc7201_slot("example.base")
    assert variables_at(layout, origin_of(begins, [])) == ["example.base.low", "example.base.high"]
    holder = Address(b"\xaa" * 20)
    preimage = holder.rjust(32, b"\0") + (begins + 1).to_bytes(32, "big")
    slot = int.from_bytes(keccak256(preimage), "big")
    origin = origin_of(slot, [Preimages({keccak256(preimage): preimage})])
    assert variables_at(layout, origin) == [f"example.base.shares[{checksummed(holder)}]"]
