"""Asynchronous, over HTTP and over a WebSocket."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from eth_typing import ChecksumAddress
from web3 import AsyncHTTPProvider, AsyncWeb3, WebSocketProvider
from web3._utils.module_testing.eth_module import AsyncEthModuleTest
from web3._utils.module_testing.go_ethereum_debug_module import GoEthereumAsyncDebugModuleTest
from web3._utils.module_testing.go_ethereum_txpool_module import GoEthereumAsyncTxPoolModuleTest
from web3._utils.module_testing.net_module import AsyncNetModuleTest
from web3._utils.module_testing.persistent_connection_provider import PersistentConnectionProviderTest
from web3._utils.module_testing.web3_module import AsyncWeb3ModuleTest
from web3.contract import AsyncContract
from web3.types import BlockData

from tests.e2e.running_node import Node
from tests.e2e.web3_suite.scene import CONTRACTS, Scene


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


def contract(async_w3: AsyncWeb3[Any], scene: Scene, name: str) -> AsyncContract:
    return async_w3.eth.contract(scene.addresses[name], abi=CONTRACTS[name]["abi"])


@pytest.fixture
def async_math_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "math")


@pytest.fixture
def async_math_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["math"]


@pytest.fixture
def async_emitter_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "emitter")


@pytest.fixture
def async_emitter_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["emitter"]


@pytest.fixture
def async_revert_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "revert")


@pytest.fixture
def async_storage_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "storage")


@pytest.fixture
def async_panic_errors_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "panic_errors")


@pytest.fixture
def async_offchain_lookup_contract(async_w3: AsyncWeb3[Any], scene: Scene) -> AsyncContract:
    return contract(async_w3, scene, "offchain_lookup")


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


# The tests of batches leave coroutines that are never awaited.
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
class TestAsyncWeb3Module(AsyncWeb3ModuleTest):
    def _check_web3_client_version(self, client_version: Any) -> Any:
        assert client_version.startswith("Tandem/")


class TestAsyncNetModule(AsyncNetModuleTest):
    pass


@pytest.mark.usefixtures("manual_mining")
class TestAsyncEthModule(AsyncEthModuleTest):
    async def test_eth_sign_typed_data(self, *_: Any) -> None:
        pytest.skip("web3.py 8.0.0 fails in its own formatter before it sends anything")

    async def test_invalid_eth_sign_typed_data(self, *_: Any) -> None:
        pytest.skip("the test wants web3.py itself to refuse the message, and web3.py leaves that to the node")


class TestAsyncTxPoolModule(GoEthereumAsyncTxPoolModuleTest):
    pass


class TestAsyncDebugModule(GoEthereumAsyncDebugModuleTest):
    pass


class TestPersistentConnection(PersistentConnectionProviderTest):
    over_websocket = True

    async def test_async_eth_subscribe_syncing_mocked(self, *_: Any) -> None:
        pytest.skip("the test's own message must come first, and the node says at once that it is in sync")


@pytest.mark.full
class TestAsyncEthModuleOverWebSocket(TestAsyncEthModule):
    over_websocket = True
