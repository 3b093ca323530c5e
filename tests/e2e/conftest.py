import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from web3 import Web3

from tests.e2e.accounts import Purse
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.npm_packages import NpmPackages, install
from tests.e2e.running_node import Node, node_at, running_tandem

SEED = os.environ.get("TANDEM_TEST_SEED") or secrets.token_hex(4)


def pytest_report_header() -> str:
    return f"accounts of the end-to-end tests: TANDEM_TEST_SEED={SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A chain for the tests of one module; `TANDEM_TEST_URL` names another node to use instead, over HTTP and WS."""
    url = os.environ.get("TANDEM_TEST_URL")
    if url is None:
        with running_tandem() as node:
            yield node
        return
    with contextlib.closing(JsonRpc(url)) as rpc:
        chain_id = int(rpc.call("eth_chainId"), 16)
    yield node_at(url, url.replace("http", "ws", 1), chain_id=chain_id, is_tandem=False)


@pytest.fixture(scope="module")
def rpc(node: Node) -> Iterator[JsonRpc]:
    with contextlib.closing(JsonRpc(node.http_url)) as rpc:
        yield rpc


@pytest.fixture
def fresh(rpc: JsonRpc) -> Iterator[JsonRpc]:
    """A chain on which the test may do what it likes."""
    snapshot = rpc.call("evm_snapshot")
    yield rpc
    assert rpc.call("evm_revert", snapshot) is True


@pytest.fixture(scope="module")
def purse(node: Node, rpc: JsonRpc, request: pytest.FixtureRequest) -> Purse:
    return Purse(node, rpc, f"{SEED}/{request.module.__name__}")


@pytest.fixture(scope="module")
def w3(node: Node) -> Web3:
    return Web3(Web3.HTTPProvider(node.http_url))


@pytest.fixture
def tandem_only(node: Node) -> None:
    """For what other nodes lack or do otherwise."""
    if not node.is_tandem:
        pytest.skip("needs Tandem, but TANDEM_TEST_URL names another node")


@pytest.fixture(scope="session")
def npm_packages(tmp_path_factory: pytest.TempPathFactory) -> NpmPackages:
    """Foundry's and JavaScript clients; what Foundry writes goes to a temporary folder."""
    install()
    folder = tmp_path_factory.mktemp("foundry")
    outputs = {f"FOUNDRY_{name}": str(folder / name.lower()) for name in ("OUT", "CACHE_PATH", "BROADCAST")}
    return NpmPackages({**outputs, "NO_COLOR": "1", "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"})
