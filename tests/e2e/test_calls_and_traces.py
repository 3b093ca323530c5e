"""Overrides, access lists and geth's tracers on a running chain."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import eth_account
import pytest
from web3 import Web3
from web3.contract import Contract

from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import Node
from tests.e2e.web3_contracts import deploy, mined

SPINNING = "0x5b600056"
"""A loop without an end: JUMPDEST PUSH1 0 JUMP."""


@pytest.fixture(scope="module")
def token(w3: Web3, node: Node) -> Contract:
    sender = Web3.to_checksum_address(node.addresses[1])
    contract = deploy(w3, "Token", "Gold", "GLD", sender=sender)
    mined(w3, contract.functions.mint(sender, 100).transact({"from": sender}))
    return contract


@pytest.fixture(scope="module")
def transferred(w3: Web3, node: Node, token: Contract) -> str:
    """The hash of a token transfer."""
    sender, friend = (Web3.to_checksum_address(address) for address in node.addresses[1:3])
    receipt = mined(w3, token.functions.transfer(friend, 7).transact({"from": sender}))
    return Web3.to_hex(receipt["transactionHash"])


def test_a_traced_transaction_is_the_one_that_was_executed(rpc: JsonRpc, token: Contract, transferred: str) -> None:
    receipt = rpc.call("eth_getTransactionReceipt", transferred)
    struct = rpc.call("debug_traceTransaction", transferred)
    assert (hex(struct["gas"]), struct["failed"]) == (receipt["gasUsed"], False)
    assert int(struct["returnValue"], 16) == 1
    call = rpc.call("debug_traceTransaction", transferred, {"tracer": "callTracer", "tracerConfig": {"withLog": True}})
    assert (call["type"], call["to"], call["gasUsed"]) == ("CALL", token.address.lower(), receipt["gasUsed"])
    assert [log["topics"] for log in call["logs"]] == [log["topics"] for log in receipt["logs"]]
    diff = rpc.call(
        "debug_traceTransaction", transferred, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    )
    for slot, value in diff["post"][token.address.lower()]["storage"].items():
        assert rpc.call("eth_getStorageAt", token.address, slot, receipt["blockNumber"]) == value
    for address, account in diff["post"].items():
        if "balance" in account:
            assert rpc.call("eth_getBalance", address, receipt["blockNumber"]) == account["balance"]
    assert [each["result"] for each in rpc.call("debug_traceBlockByNumber", receipt["blockNumber"])] == [struct]


def test_a_call_is_traced_with_what_it_pretends(rpc: JsonRpc, node: Node) -> None:
    call = {"to": "0x" + "99" * 20}
    pretended = {call["to"]: {"code": "0x4360005260206000f3"}}
    options = {"stateOverrides": pretended, "blockOverrides": {"number": "0x77"}}
    assert int(rpc.call("debug_traceCall", call, "latest", options)["returnValue"], 16) == 0x77
    assert int(rpc.call("eth_call", call, "latest", pretended, {"number": "0x77"}), 16) == 0x77
    assert int(rpc.call("eth_estimateGas", call, "latest", pretended), 16) > 21_000
    with pytest.raises(RpcError, match="ReferenceError: myTracer is not defined"):
        rpc.call("debug_traceCall", call, "latest", {"tracer": "myTracer"})


def test_traced_calls_go_on_from_one_another_and_tell_what_they_changed(
    rpc: JsonRpc, node: Node, token: Contract
) -> None:
    sender, friend = (Web3.to_checksum_address(address) for address in node.addresses[1:3])
    send = {"from": sender, "to": token.address, "data": token.encode_abi("transfer", [friend, 3])}
    ask = {"to": token.address, "data": token.encode_abi("balanceOf", [friend])}
    before = int(rpc.call("eth_call", ask, "latest"), 16)
    asked = [[each, ["trace", "stateDiff"]] for each in (send, ask)]
    sent, told = rpc.call("trace_callMany", asked, "latest")
    assert int(told["output"], 16) == before + 3
    assert told["trace"][0]["action"]["callType"] == "call"
    assert token.address.lower() not in told["stateDiff"]
    changes = sent["stateDiff"][token.address.lower()]
    assert (changes["balance"], changes["code"]) == ("=", "=")
    amounts = {tuple(int(change["*"][side], 16) for side in ("from", "to")) for change in changes["storage"].values()}
    assert (before, before + 3) in amounts
    assert rpc.call("trace_call", send, ["trace", "stateDiff"], "latest") == sent
    assert int(rpc.call("eth_call", ask, "latest"), 16) == before


def test_the_slots_of_a_contract_are_listed_before_and_after_a_transaction(
    rpc: JsonRpc, token: Contract, transferred: str
) -> None:
    receipt = rpc.call("eth_getTransactionReceipt", transferred)
    block, index = receipt["blockHash"], int(receipt["transactionIndex"], 16)
    for after in (index, index + 1):
        listed = rpc.call("debug_storageRangeAt", block, after, token.address, "0x", 100)
        number = hex(int(receipt["blockNumber"], 16) - 1 + after - index)
        assert listed["nextKey"] is None
        for hashed, slot in listed["storage"].items():
            assert Web3.to_hex(Web3.keccak(hexstr=slot["key"])) == hashed
            assert rpc.call("eth_getStorageAt", token.address, slot["key"], number) == slot["value"]
    hashes = list(listed["storage"])
    assert hashes == sorted(hashes)
    first = rpc.call("debug_storageRangeAt", block, 1, token.address, "0x", 1)
    assert (list(first["storage"]), first["nextKey"]) == (hashes[:1], hashes[1])
    rest = rpc.call("debug_storageRangeAt", block, 1, token.address, hashes[1], 100)
    assert list(rest["storage"]) == hashes[1:]
    with pytest.raises(RpcError, match="transaction index 2 out of range"):
        rpc.call("debug_storageRangeAt", block, 2, token.address, "0x", 1)
    changed = rpc.call("debug_getModifiedAccountsByHash", block)
    assert {receipt["from"], token.address.lower()} <= set(changed)
    height = int(receipt["blockNumber"], 16)
    assert rpc.call("debug_getModifiedAccountsByNumber", height - 1, height) == changed
    with pytest.raises(RpcError, match="must be less than end block height"):
        rpc.call("debug_getModifiedAccountsByNumber", height, height)


def test_an_access_list_names_the_slots_and_saves_their_gas(rpc: JsonRpc, node: Node, token: Contract) -> None:
    sender, friend = node.addresses[1:3]
    call: dict[str, Any] = {"from": sender, "to": token.address, "data": token.encode_abi("transfer", [friend, 1])}
    found = rpc.call("eth_createAccessList", call)
    (entry,) = found["accessList"]
    assert (entry["address"], len(entry["storageKeys"])) == (token.address.lower(), 2)
    traced = rpc.call("debug_traceCall", call | {"accessList": found["accessList"]}, "latest")
    assert hex(traced["gas"]) == found["gasUsed"]


def test_a_trace_that_takes_long_keeps_no_call_waiting(rpc: JsonRpc, node: Node) -> None:
    spinning = {"to": "0x" + "99" * 20, "gas": hex(30_000_000)}
    options = {"tracer": "noopTracer", "timeout": "3s", "stateOverrides": {spinning["to"]: {"code": SPINNING}}}

    def trace() -> str:
        with contextlib.closing(JsonRpc(node.http_url)) as other, pytest.raises(RpcError) as raised:
            other.call("debug_traceCall", spinning, "latest", options)
        return raised.value.message

    with ThreadPoolExecutor() as threads:
        tracing, answered = threads.submit(trace), 0
        while not tracing.done():
            rpc.call("eth_call", {"to": node.addresses[1]}, "latest")
            answered += 1
        assert tracing.result() == "execution timeout"
    assert answered > 2


def test_a_blob_transaction_gets_into_a_block_without_its_blobs(rpc: JsonRpc, node: Node) -> None:
    account = eth_account.Account.from_key(node.private_keys[5])
    fields = {
        "chainId": node.chain_id,
        "gas": 21_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "to": node.addresses[1],
        "value": 1,
    }
    plain = [Web3.to_hex(account.sign_transaction(fields | {"nonce": nonce}).raw_transaction) for nonce in (0, 2)]
    with_blobs = fields | {"type": 3, "maxFeePerBlobGas": 10**9, "nonce": 1}
    blobs = Web3.to_hex(account.sign_transaction(with_blobs, blobs=[b"\x07" * 131_072]).raw_transaction)
    rpc.call("eth_sendRawTransaction", plain[0])  # which is waited for: the two do not wait beside each other
    receipt = rpc.call("eth_sendRawTransactionSync", blobs)
    assert (receipt["status"], receipt["type"]) == ("0x1", "0x3")
    assert (receipt["blobGasUsed"], receipt["blobGasPrice"]) == (hex(2**17), "0x1")
    block = rpc.call("eth_getBlockByNumber", receipt["blockNumber"], True)
    assert block["blobGasUsed"] == hex(2**17)
    raw = rpc.call("eth_getRawTransactionByHash", receipt["transactionHash"])
    assert Web3.to_hex(Web3.keccak(hexstr=raw)) == receipt["transactionHash"]
    assert len(raw) < 1_000
    rpc.call("evm_setAutomine", False)
    with contextlib.ExitStack() as stack:
        stack.callback(rpc.call, "evm_setAutomine", True)
        rpc.call("eth_sendRawTransaction", plain[1])
        later = account.sign_transaction(with_blobs | {"nonce": 3}, blobs=[b"\x07" * 131_072]).raw_transaction
        with pytest.raises(RpcError, match="address already reserved"):
            rpc.call("eth_sendRawTransaction", Web3.to_hex(later))
        rpc.call("anvil_dropAllTransactions")
