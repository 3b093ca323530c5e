"""Asynchronous, over HTTP and over a WebSocket."""

from typing import Any

import pytest
from web3._utils.module_testing.go_ethereum_debug_module import GoEthereumAsyncDebugModuleTest
from web3._utils.module_testing.go_ethereum_txpool_module import GoEthereumAsyncTxPoolModuleTest
from web3._utils.module_testing.net_module import AsyncNetModuleTest
from web3._utils.module_testing.web3_module import AsyncWeb3ModuleTest

from tests.e2e.web3_suite.asynchronous_eth import AsyncEthModuleHere


# The tests of batches leave coroutines that are never awaited.
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
class TestAsyncWeb3Module(AsyncWeb3ModuleTest):
    def _check_web3_client_version(self, client_version: Any) -> Any:
        assert client_version.startswith("anvil-Tandem/")


class TestAsyncNetModule(AsyncNetModuleTest):
    pass


@pytest.mark.usefixtures("manual_mining")
class TestAsyncEthModule(AsyncEthModuleHere):
    pass


class TestAsyncTxPoolModule(GoEthereumAsyncTxPoolModuleTest):
    pass


class TestAsyncDebugModule(GoEthereumAsyncDebugModuleTest):
    pass
