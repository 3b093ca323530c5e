"""A chain and a scene for each file of this folder, under the names that web3.py's tests ask for."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest
from eth_typing import ChecksumAddress, HexStr
from web3 import AsyncHTTPProvider, AsyncWeb3, Web3, WebSocketProvider
from web3._utils.module_testing.utils import RequestMocker
from web3.contract import AsyncContract
from web3.types import BlockData, RPCEndpoint

from tests.e2e.chain_process import wait_until
from tests.e2e.running_node import Node, running_tandem
from tests.e2e.web3_suite.scene import CHAIN_ID, CONTRACTS, Scene, set_scene

INTERVAL_MS = 250
IN_STILLNESS = ("_replace_transaction", "_modify_transaction", "_unmined", "_getBlockByNumber_pending")
"""The last compares the pending block's number with the newest one's, of which it asks before."""
MINED = "_already_mined"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_tandem("--chain-id", str(CHAIN_ID), "--block-time", f"{INTERVAL_MS}ms") as node:
        yield node


@pytest.fixture(scope="module")
def scene(w3: Web3, node: Node) -> Scene:
    return set_scene(w3, node.private_keys[0])


@pytest.fixture(scope="module")
def w3(node: Node) -> Web3:
    return Web3(Web3.HTTPProvider(node.http_url))


@pytest.fixture
def manual_mining(w3: Web3, request: pytest.FixtureRequest) -> Iterator[None]:
    """For the tests that replace a pending transaction, want none to be mined, or count blocks: nothing is, until they
    end.

    Every test begins with an empty pool, since some end without waiting for what they sent.
    """
    wait_until_mined(w3)
    name = request.node.name
    if MINED in name or not any(word in name for word in IN_STILLNESS):
        yield
        return
    switch(w3, on=False)
    try:
        yield
    finally:
        switch(w3, on=True)
        wait_until_mined(w3)


def wait_until_mined(w3: Web3) -> None:
    wait_until(lambda: w3.geth.txpool.status()["pending"] in (0, "0x0"), "an empty pool")


def switch(w3: Web3, on: bool) -> None:
    """Automine, and the blocks that come by the clock. What waited is mined when they come on."""
    for method, setting in (("evm_setIntervalMining", INTERVAL_MS if on else 0), ("evm_setAutomine", on)):
        answer = w3.provider.make_request(RPCEndpoint(method), [setting])
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


@pytest.fixture
async def async_w3(node: Node, request: pytest.FixtureRequest) -> AsyncIterator[AsyncWeb3[Any]]:
    """Over the transport that the test's class names."""
    if getattr(request.cls, "over_websocket", False):
        async with AsyncWeb3(WebSocketProvider(node.ws_url)) as connected:
            yield connected
        return
    provider = AsyncHTTPProvider(node.http_url)
    yield AsyncWeb3(provider)
    await provider.disconnect()


def async_contract(async_w3: AsyncWeb3[Any], scene: Scene, name: str) -> AsyncContract:
    return async_w3.eth.contract(scene.addresses[name], abi=CONTRACTS[name]["abi"])


@pytest.fixture
def async_math_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "math")


@pytest.fixture
def async_math_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["math"]


@pytest.fixture
def async_emitter_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "emitter")


@pytest.fixture
def async_emitter_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["emitter"]


@pytest.fixture
def async_revert_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "revert")


@pytest.fixture
def async_storage_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "storage")


@pytest.fixture
def async_panic_errors_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "panic_errors")


@pytest.fixture
def async_offchain_lookup_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return async_contract(async_w3, scene, "offchain_lookup")


@pytest.fixture
def async_empty_block(scene: Scene) -> BlockData:
    return scene.empty_block


@pytest.fixture
def async_block_with_txn(scene: Scene) -> BlockData:
    return scene.block_with_transaction


@pytest.fixture
def async_block_with_txn_with_log(scene: Scene) -> BlockData:
    return scene.block_with_log


@pytest.fixture
def async_keyfile_account_address(scene: Scene) -> ChecksumAddress:
    return scene.account


@pytest.fixture
def async_keyfile_account_address_dual_type(scene: Scene) -> ChecksumAddress:
    return scene.account


@pytest.fixture
def async_skip_if_testrpc() -> Callable[[AsyncWeb3[Any]], None]:
    """It is no eth-tester."""
    return lambda _: None
