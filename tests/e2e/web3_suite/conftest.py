"""A chain and a scene for each file of this folder, under the names that web3.py's tests ask for."""

from collections.abc import Callable, Iterator
from typing import cast

import pytest
from eth_typing import ChecksumAddress, HexStr
from web3 import Web3
from web3._utils.module_testing.utils import RequestMocker
from web3.types import BlockData, RPCEndpoint

from tests.e2e.chain_process import wait_until
from tests.e2e.running_node import Node, running_tandem
from tests.e2e.web3_suite.scene import CHAIN_ID, Scene, set_scene


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_tandem("--chain-id", str(CHAIN_ID), "--block-time", "250ms") as node:
        yield node


@pytest.fixture(scope="module")
def scene(w3: Web3, node: Node) -> Scene:
    return set_scene(w3, node.private_keys[0])


@pytest.fixture(scope="module")
def w3(node: Node) -> Web3:
    return Web3(Web3.HTTPProvider(node.http_url))


@pytest.fixture
def manual_mining(w3: Web3, request: pytest.FixtureRequest) -> Iterator[None]:
    """For the tests that replace a pending transaction, or want none to be mined: nothing is, until they end."""
    if not any(word in request.node.name for word in ("_replace_transaction", "_modify_transaction", "_unmined")):
        yield
        return
    switch(w3, on=False)
    try:
        yield
    finally:
        switch(w3, on=True)
        wait_until(lambda: w3.geth.txpool.status()["pending"] == 0, "an empty pool")


def switch(w3: Web3, on: bool) -> None:
    """Automine. What waited is mined when it comes on."""
    answer = w3.provider.make_request(RPCEndpoint("evm_setAutomine"), [on])
    assert "error" not in answer, answer


@pytest.fixture(scope="module")
def empty_block(scene: Scene) -> BlockData:
    return scene.empty_block


@pytest.fixture(scope="module")
def block_with_txn(scene: Scene) -> BlockData:
    return scene.block_with_transaction


@pytest.fixture(scope="module")
def block_with_txn_with_log(scene: Scene) -> BlockData:
    return scene.block_with_log


@pytest.fixture(scope="module")
def mined_txn_hash(scene: Scene) -> HexStr:
    return cast(HexStr, scene.block_with_transaction["transactions"][0])


@pytest.fixture(scope="module")
def txn_hash_with_log(scene: Scene) -> HexStr:
    return cast(HexStr, scene.block_with_log["transactions"][0])


@pytest.fixture(scope="module")
def keyfile_account_address(scene: Scene) -> ChecksumAddress:
    return scene.account


@pytest.fixture(scope="module")
def keyfile_account_address_dual_type(scene: Scene) -> ChecksumAddress:
    return scene.account


@pytest.fixture(scope="module")
def keyfile_account_pkey(scene: Scene) -> str:
    return scene.key


@pytest.fixture
def request_mocker() -> type[RequestMocker]:
    return RequestMocker


@pytest.fixture
def skip_if_testrpc() -> Callable[[Web3], None]:
    """It is no eth-tester."""
    return lambda _: None
