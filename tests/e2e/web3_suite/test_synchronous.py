"""Synchronous, over HTTP."""

from typing import Any

import pytest
from eth_typing import ChecksumAddress, HexStr
from web3 import Web3
from web3._utils.module_testing.eth_module import EthModuleTest
from web3._utils.module_testing.go_ethereum_debug_module import GoEthereumDebugModuleTest
from web3._utils.module_testing.go_ethereum_txpool_module import GoEthereumTxPoolModuleTest
from web3._utils.module_testing.net_module import NetModuleTest
from web3._utils.module_testing.web3_module import Web3ModuleTest
from web3.contract import Contract

from tests.e2e.web3_suite.scene import CONTRACTS, Scene


def contract(w3: Web3, scene: Scene, name: str) -> Contract:
    return w3.eth.contract(scene.addresses[name], abi=CONTRACTS[name]["abi"])


@pytest.fixture(scope="module")
def math_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "math")


@pytest.fixture(scope="module")
def math_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["math"]


@pytest.fixture(scope="module")
def math_contract_deploy_txn_hash(scene: Scene) -> HexStr:
    return scene.math_deployment


@pytest.fixture(scope="module")
def emitter_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "emitter")


@pytest.fixture(scope="module")
def emitter_contract_address(scene: Scene) -> ChecksumAddress:
    return scene.addresses["emitter"]


@pytest.fixture(scope="module")
def revert_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "revert")


@pytest.fixture(scope="module")
def storage_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "storage")


@pytest.fixture(scope="module")
def panic_errors_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "panic_errors")


@pytest.fixture(scope="module")
def offchain_lookup_contract(w3: Web3, scene: Scene) -> Contract:
    return contract(w3, scene, "offchain_lookup")


class TestWeb3Module(Web3ModuleTest):
    def _check_web3_client_version(self, client_version: Any) -> Any:
        assert client_version.startswith("anvil-Tandem/")


class TestNetModule(NetModuleTest):
    pass


@pytest.mark.usefixtures("manual_mining")
class TestEthModule(EthModuleTest):
    def test_invalid_eth_sign_typed_data(self, *_: Any) -> None:
        pytest.skip("the test wants web3.py itself to refuse the message, and web3.py leaves that to the node")


class TestTxPoolModule(GoEthereumTxPoolModuleTest):
    pass


class TestDebugModule(GoEthereumDebugModuleTest):
    pass
