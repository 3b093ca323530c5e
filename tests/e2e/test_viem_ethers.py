"""ethers and viem, each in a Node script: deploy, write, read, decode errors, hear of an event over WebSocket."""

import json
from typing import Any

import pytest
from eth_utils import to_checksum_address

from tests.contracts import ARTIFACTS
from tests.e2e.accounts import ETHER, Purse
from tests.e2e.npm_packages import HERE, NpmPackages
from tests.e2e.running_node import Node


@pytest.mark.parametrize("script", ["with_ethers.mjs", "with_viem.mjs"])
def test_a_javascript_library_deploys_writes_reads_decodes_and_listens(
    npm_packages: NpmPackages, node: Node, purse: Purse, script: str
) -> None:
    key = "0x" + purse.account(ETHER).key.hex()
    token = str(ARTIFACTS / "Token.json")
    output = npm_packages.run_script(HERE / "javascript" / script, node.http_url, node.ws_url, key, token)
    seen: dict[str, Any] = json.loads(output)
    wallet, address = (to_checksum_address(seen.pop(name)) for name in ("wallet", "address"))
    error = seen.pop("customError")
    assert seen == {
        "network": 31337,
        "balance": "1234",
        "status": 1,
        "event": "1234",
        "reason": "not on a Sunday",
        "hasFees": True,
    }
    assert error == {"name": "ERC20InsufficientBalance", "args": [wallet, "1234", "5000"]}
    assert address != wallet


def test_ethers_over_a_websocket_sees_every_transaction_through(
    npm_packages: NpmPackages, node: Node, purse: Purse
) -> None:
    key = "0x" + purse.account(ETHER).key.hex()
    script = HERE / "javascript" / "with_ethers_websocket.mjs"
    output = npm_packages.run_script(script, node.ws_url, key, "5", "120")
    assert json.loads(output) == {"unlocked": [1] * 5, "ownKey": [1] * 5}


def test_viem_simulates_pretends_and_waits_for_receipts(npm_packages: NpmPackages, node: Node, purse: Purse) -> None:
    key = "0x" + purse.account(ETHER).key.hex()
    script = HERE / "javascript" / "simulating_with_viem.mjs"
    output = npm_packages.run_script(script, node.http_url, key, str(ARTIFACTS / "Counter.json"))
    assert json.loads(output) == {
        "created": "success",
        "blocks": 2,
        "transferred": str(3 * ETHER),
        "statuses": ["success", "success"],
        "ether": ["-7"],
        "touched": True,
        "pretended": 5,
        "blobBaseFee": "1",
    }
