"""Contracts that every chain has at one address: each is created by a transaction for which nobody has the key."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils import keccak, to_checksum_address

from tests.contracts import artifact
from tests.e2e.accounts import ETHER, receipts_of
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import Node

MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"
MULTICALL3_SENDER = "0x05f32b3cc3888453ff71b01135b34ff8e41263f2"
MULTICALL3_DEPLOYMENT = (Path(__file__).parent / "presigned" / "multicall3.hex").read_text().strip()
"""Mainnet's transaction 0x07471adfe8f4ec553c1199f495be97fc8be8e0626ae307281c22534460184ed1."""
PROXY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
PROXY_SENDER = "0x3fab184622dc19b6109349b94811493bf2a45362"
PROXY_CODE = (
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd"
    "5b8082525050506014600cf3"
)
PROXY_DEPLOYMENT = (
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    + PROXY_CODE
    + "1ba0"
    + "22" * 32
    + "a0"
    + "22" * 32
)


def published(rpc: JsonRpc, node: Node, raw: str, sender: str) -> dict[str, Any]:
    """The receipt of a presigned transaction whose sender was given the ether for it."""
    rpc.call("eth_sendTransaction", {"from": node.addresses[0], "to": sender, "value": hex(ETHER // 5)})
    [receipt] = receipts_of(rpc, [rpc.call("eth_sendRawTransaction", raw)])
    return receipt


def test_multicall3_is_deployed_by_its_own_transaction_and_calls_many(rpc: JsonRpc, node: Node) -> None:
    with pytest.raises(RpcError, match="insufficient funds for gas"):
        rpc.call("eth_sendRawTransaction", MULTICALL3_DEPLOYMENT)
    receipt = published(rpc, node, MULTICALL3_DEPLOYMENT, MULTICALL3_SENDER)
    assert (receipt["status"], receipt["contractAddress"], receipt["type"]) == ("0x1", MULTICALL3, "0x0")
    assert len(rpc.call("eth_getCode", MULTICALL3, "latest")) == 2 + 2 * 3808
    with pytest.raises(RpcError, match="nonce too low"):
        rpc.call("eth_sendRawTransaction", MULTICALL3_DEPLOYMENT)

    balance_of = keccak(text="getEthBalance(address)")[:4]
    calls = [(MULTICALL3, True, balance_of + encode(["address"], [address])) for address in node.addresses[:5]]
    calls.append((MULTICALL3, True, keccak(text="nothing()")[:4]))
    data = keccak(text="aggregate3((address,bool,bytes)[])")[:4] + encode(["(address,bool,bytes)[]"], [calls])
    answer = rpc.call("eth_call", {"to": MULTICALL3, "data": "0x" + data.hex()}, "latest")
    [results] = decode(["(bool,bytes)[]"], bytes.fromhex(answer[2:]))
    assert [succeeded for succeeded, _ in results] == [True] * 5 + [False]
    balances = [int(rpc.call("eth_getBalance", address, "latest"), 16) for address in node.addresses[:5]]
    assert [int.from_bytes(balance) for _, balance in results[:5]] == balances


@pytest.mark.usefixtures("tandem_only")
def test_the_deployment_proxy_is_there_and_creates_where_create2_says(rpc: JsonRpc, node: Node) -> None:
    assert rpc.call("eth_getCode", PROXY, "latest") == "0x" + PROXY_CODE
    salt, code = bytes(31) + b"\x2a", artifact("Counter").bytecode
    expected = keccak(b"\xff" + bytes.fromhex(PROXY[2:]) + salt + keccak(code))[12:]
    deployment = {"from": node.addresses[0], "to": PROXY, "data": "0x" + (salt + code).hex()}
    assert rpc.call("eth_call", deployment, "latest") == "0x" + expected.hex()
    [receipt] = receipts_of(rpc, [rpc.call("eth_sendTransaction", deployment)])
    assert receipt["status"] == "0x1"
    created = to_checksum_address(expected)
    assert rpc.call("eth_getCode", created, "latest") == "0x" + artifact("Counter").deployed_bytecode.hex()
    with pytest.raises(RpcError, match="execution reverted"):
        rpc.call("eth_call", deployment, "latest")


@pytest.mark.usefixtures("tandem_only")
def test_the_deployment_proxy_s_own_transaction_makes_the_same_contract(rpc: JsonRpc, node: Node) -> None:
    rpc.call("anvil_setCode", PROXY, "0x")
    with contextlib.ExitStack() as after:
        after.callback(rpc.call, "anvil_setCode", PROXY, "0x" + PROXY_CODE)
        rpc.call("anvil_setNonce", PROXY, 0)
        receipt = published(rpc, node, PROXY_DEPLOYMENT, PROXY_SENDER)
        assert (receipt["status"], receipt["contractAddress"]) == ("0x1", PROXY)
        assert rpc.call("eth_getCode", PROXY, "latest") == "0x" + PROXY_CODE
