"""What geth, Reth and anvil answer besides about states, codes and runs, on a running chain, with other oracles."""

import contextlib
import itertools
from typing import Any

import pytest
import rlp
from eth_account import Account
from trie import HexaryTrie
from web3 import Web3

from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import Node
from tests.e2e.test_proofs import data, proven
from tests.e2e.web3_contracts import deploy, mined

COUNTER = "0x" + "91" * 20
NUMBER = "0x" + "92" * 20
RETURN_NUMBER = "0x4360005260206000f3"
COUNT = "0x60005460010160005560005460005260206000f3"
"""Adds one to slot 0 and returns it."""
DENY = "0x600080fd"


@pytest.fixture(scope="module")
def transferred(w3: Web3, node: Node) -> Any:
    """The receipt of a token's transfer."""
    sender, friend = (Web3.to_checksum_address(address) for address in node.addresses[1:3])
    token = deploy(w3, "Token", "Gold", "GLD", sender=sender)
    mined(w3, token.functions.mint(sender, 100).transact({"from": sender}))
    return mined(w3, token.functions.transfer(friend, 7).transact({"from": sender}))


def root_of(rows: dict[bytes, bytes]) -> str:
    trie = HexaryTrie({})
    for key, value in rows.items():
        trie[Web3.keccak(key)] = value
    return str(trie.root_hash.hex())


def test_a_dumped_state_gives_the_roots_that_the_trie_package_computes(rpc: JsonRpc, transferred: Any) -> None:
    dump = rpc.call("debug_dumpBlock", "latest")
    accounts = {}
    for address, account in dump["accounts"].items():
        assert account["key"] == Web3.to_hex(Web3.keccak(hexstr=address))
        slots = {
            bytes.fromhex(slot[2:]): rlp.encode(int(value, 16)) for slot, value in account.get("storage", {}).items()
        }
        assert account["root"] == "0x" + root_of(slots)
        assert Web3.to_hex(Web3.keccak(hexstr=account.get("code", "0x"))) == account["codeHash"]
        fields = [
            account["nonce"],
            int(account["balance"]),
            *(bytes.fromhex(account[n][2:]) for n in ("root", "codeHash")),
        ]
        accounts[bytes.fromhex(address[2:])] = rlp.encode(fields)
    assert dump["root"] == root_of(accounts)
    assert "0x" + dump["root"] == rpc.call("eth_getBlockByNumber", "latest", False)["stateRoot"]
    assert any(account.get("storage") for account in dump["accounts"].values())


def test_accounts_are_listed_a_page_at_a_time(rpc: JsonRpc, transferred: Any) -> None:
    whole = list(rpc.call("debug_dumpBlock", "latest")["accounts"])
    found, start = [], "0x"
    for _ in itertools.repeat(None, len(whole)):
        page = rpc.call("debug_accountRange", "latest", start, 3, True, True, False)
        assert not any({"code", "storage"} & account.keys() for account in page["accounts"].values())
        found += list(page["accounts"])
        if "next" not in page:
            break
        start = page["next"]
    assert found == whole


def test_the_root_after_the_last_transaction_is_the_blocks(rpc: JsonRpc, transferred: Any) -> None:
    block = rpc.call("eth_getBlockByHash", Web3.to_hex(transferred["blockHash"]), False)
    roots = rpc.call("debug_intermediateRoots", block["hash"])
    assert (len(roots), roots[-1]) == (len(block["transactions"]), block["stateRoot"])
    with pytest.raises(RpcError, match="genesis is not traceable"):
        rpc.call("debug_intermediateRoots", rpc.call("eth_getBlockByNumber", "0x0", False)["hash"])


def test_an_account_is_told_right_after_a_transaction(rpc: JsonRpc, transferred: Any) -> None:
    block, index = transferred["blockNumber"], transferred["transactionIndex"]
    for account in (transferred["from"], transferred["to"]):
        told = rpc.call("debug_accountInfoAt", hex(block), index, account)
        assert told["balance"] == rpc.call("eth_getBalance", account, hex(block))
        assert hex(told["nonce"]) == rpc.call("eth_getTransactionCount", account, hex(block))
        assert told["code"] == rpc.call("eth_getCode", account, hex(block))
    with pytest.raises(RpcError, match="tx_index 9 out of bounds for block with 1 transactions"):
        rpc.call("debug_accountInfoAt", hex(block), 9, transferred["from"])


def test_a_code_is_found_by_its_hash(rpc: JsonRpc, transferred: Any) -> None:
    code = rpc.call("eth_getCode", transferred["to"])
    hashed = Web3.to_hex(Web3.keccak(hexstr=code))
    assert rpc.call("debug_codeByHash", hashed) == rpc.call("debug_dbGet", "0x63" + hashed[2:]) == code
    assert rpc.call("debug_codeByHash", "0x" + "01" * 32) is None
    with pytest.raises(RpcError, match="Invalid key length: expected 33 bytes, got 1"):
        rpc.call("debug_dbGet", "0x63")


def test_calls_of_bundles_go_on_from_one_another(rpc: JsonRpc) -> None:
    pretended = {COUNTER: {"code": COUNT}, NUMBER: {"code": RETURN_NUMBER}}
    first = {"transactions": [{"to": COUNTER}, {"to": COUNTER}, {"to": NUMBER}], "blockOverride": {"number": "0x50"}}
    second = {"transactions": [{"to": NUMBER}, {"to": COUNTER}]}
    told = rpc.call("eth_callMany", [first, second], {"blockNumber": "latest", "transactionIndex": -1}, pretended)
    assert [[int(call["value"], 16) for call in bundle] for bundle in told] == [[1, 2, 0x50], [0x51, 3]]
    denied = rpc.call("eth_callMany", [{"transactions": [{"to": COUNTER}]}], None, {COUNTER: {"code": DENY}})
    assert denied == [[{"error": "execution reverted"}]]
    with pytest.raises(RpcError, match="bundles are empty"):
        rpc.call("eth_callMany", [])


def test_a_bundle_tells_what_it_would_bring_and_does_what_it_does_when_it_is_sent(
    rpc: JsonRpc, w3: Web3, node: Node
) -> None:
    account, miner = Account.from_key(node.private_keys[4]), "0x" + "93" * 20
    base_fee = int(rpc.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    common = {"chainId": w3.eth.chain_id, "maxFeePerGas": 3 * base_fee, "maxPriorityFeePerGas": 7, "gas": 100_000}
    nonce = w3.eth.get_transaction_count(account.address)
    wanted: tuple[dict[str, Any], ...] = (
        {"to": miner, "value": 5},
        {"data": DENY},
        {"data": RETURN_NUMBER, "value": 0},
    )
    signed = [account.sign_transaction({**common, **each, "nonce": nonce + i}) for i, each in enumerate(wanted)]
    raw = [one.raw_transaction.to_0x_hex() for one in signed]
    asked = {"txs": raw, "blockNumber": "0x5000", "stateBlockNumber": "latest", "coinbase": miner}
    told = rpc.call("eth_callBundle", asked)
    paid, denied, made = told["results"]
    assert [one["txHash"] for one in told["results"]] == [one.hash.to_0x_hex() for one in signed]
    assert (paid["value"], denied["revert"], int(made["value"], 16)) == ("0x", "0x", 0x5000)
    assert (paid["gasUsed"], paid["gasPrice"], paid["ethSentToCoinbase"]) == (21_000, "7", "5")
    assert (denied["coinbaseDiff"], denied["ethSentToCoinbase"]) == (str(7 * denied["gasUsed"]), "0")
    assert told["coinbaseDiff"] == str(5 + 7 * told["totalGasUsed"])
    assert (w3.eth.get_balance(Web3.to_checksum_address(miner)), made["toAddress"]) == (0, None)
    with pytest.raises(RpcError, match="-32000: nonce too high"):
        rpc.call("eth_callBundle", asked | {"txs": raw[1:]})
    for one, found in zip(signed, told["results"], strict=True):
        receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(one.raw_transaction))
        assert (receipt["gasUsed"], receipt["status"]) == (found["gasUsed"], int("value" in found))


def test_what_opcodes_cost_is_what_their_steps_cost(rpc: JsonRpc, transferred: Any) -> None:
    named = Web3.to_hex(transferred["transactionHash"])
    told = rpc.call("trace_transactionOpcodeGas", named)
    steps = rpc.call("debug_traceTransaction", named, {"disableStack": True, "disableStorage": True})["structLogs"]
    for each in told["opcodeGas"]:
        costs = [step["gasCost"] for step in steps if step["op"] == each["opcode"]]
        assert (len(costs), sum(costs)) == (each["count"], each["gasUsed"])
    assert sum(each["count"] for each in told["opcodeGas"]) == len(steps)
    block = rpc.call("trace_blockOpcodeGas", hex(transferred["blockNumber"]))
    assert block["transactions"] == [told]
    assert rpc.call("trace_transactionOpcodeGas", "0x" + "01" * 32) is None


def test_a_block_access_list_has_all_its_names(rpc: JsonRpc, transferred: Any) -> None:
    number, named = hex(transferred["blockNumber"]), Web3.to_hex(transferred["blockHash"])
    listed = rpc.call("eth_getBlockAccessList", number)
    assert rpc.call("eth_getBlockAccessListByBlockNumber", number) == listed
    assert rpc.call("eth_getBlockAccessListByBlockHash", named) == listed
    assert rpc.call("eth_getBlockAccessListRaw", number) == rpc.call("debug_getRawBlockAccessList", number)
    assert rpc.call("eth_getBlockAccessListRaw", "0xffff") is None


def test_a_waiting_transaction_is_sent_again_for_another_price(rpc: JsonRpc, node: Node) -> None:
    sender, friend = node.addresses[4:6]
    nonce = rpc.call("eth_getTransactionCount", sender, "pending")
    wanted = {"from": sender, "to": friend, "value": "0x5", "nonce": nonce, "gasPrice": hex(3 * 10**9)}
    rpc.call("evm_setAutomine", False)
    with contextlib.ExitStack() as stack:
        stack.callback(rpc.call, "evm_setAutomine", True)
        sent = rpc.call("eth_sendTransaction", wanted)
        again = rpc.call("eth_resend", wanted, hex(5 * 10**9), hex(30_000))
        assert rpc.call("eth_getTransactionByHash", sent) is None
        shown = rpc.call("eth_getTransactionByHash", again)
        assert [int(shown[name], 16) for name in ("gasPrice", "gas", "value")] == [5 * 10**9, 30_000, 5]
        with pytest.raises(RpcError, match=r"transaction 0x[0-9a-f]{64} not found"):
            rpc.call("eth_resend", wanted | {"value": "0x6"}, hex(5 * 10**9))
        with pytest.raises(RpcError, match="missing transaction nonce in transaction spec"):
            rpc.call("eth_resend", {"from": sender, "to": friend})
        rpc.call("debug_clearTxpool")
        assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}


def test_pending_state_is_proven_and_simulated_on_as_the_pool_leaves_it(rpc: JsonRpc, node: Node) -> None:
    sender, number = node.addresses[7], int(rpc.call("eth_blockNumber"), 16)
    rpc.call("anvil_setCode", COUNTER, COUNT)
    rpc.call("evm_setAutomine", False)
    with contextlib.ExitStack() as stack:
        stack.callback(rpc.call, "evm_setAutomine", True)
        for nonce in range(2):
            rpc.call("eth_sendTransaction", {"from": sender, "to": COUNTER, "gas": "0x20000", "nonce": hex(nonce)})
        proof = rpc.call("eth_getProof", COUNTER, ["0x0", "0x1"], "pending")
        assert [slot["value"] for slot in proof["storageProof"]] == ["0x2", "0x0"]
        in_trie = [proven(Web3.keccak(hexstr=proof["accountProof"][0]), data(COUNTER), proof["accountProof"])]
        in_trie.append(proven(data(proof["storageHash"]), bytes(32), proof["storageProof"][0]["proof"]))
        account = [0, 0, data(proof["storageHash"]), data(proof["codeHash"])]
        assert in_trie == [rlp.encode(account), rlp.encode(2)]
        assert rpc.call("eth_getAccount", COUNTER, "pending")["storageRoot"] == proof["storageHash"]
        assert int(rpc.call("eth_getAccount", sender, "pending")["nonce"], 16) == 2
        assert rpc.call("eth_getProof", COUNTER, ["0x0"], "latest")["storageProof"][0]["value"] == "0x0"
        calls = {"calls": [{"to": COUNTER}, {"to": COUNTER}]}
        first, second = rpc.call("eth_simulateV1", {"blockStateCalls": [calls, calls]}, "pending")
        returned = [int(call["returnData"], 16) for block in (first, second) for call in block["calls"]]
        assert (returned, int(first["number"], 16)) == ([3, 4, 5, 6], number + 2)
        assert first["hash"] == second["parentHash"]
        tracer = {"tracer": "callTracer"}
        traces = rpc.call("debug_traceBlockByNumber", "pending", tracer)
        assert [int(trace["result"]["output"], 16) for trace in traces] == [1, 2]
    rpc.call("evm_mine")
    assert rpc.call("debug_traceBlockByNumber", hex(number + 1), tracer) == traces
    assert rpc.call("debug_traceBlockByNumber", "pending", tracer) == []
    assert rpc.call("eth_getProof", COUNTER, ["0x0"], "latest")["storageHash"] == proof["storageHash"]


def test_a_transaction_is_sent_if_its_condition_is_met(rpc: JsonRpc, node: Node, w3: Web3, transferred: Any) -> None:
    sender = w3.eth.account.from_key(node.private_keys[6])
    fields = {"nonce": 0, "to": node.addresses[5], "gas": 21_000, "gasPrice": 3 * 10**9, "chainId": node.chain_id}
    raw = Web3.to_hex(sender.sign_transaction(fields).raw_transaction)
    token = transferred["to"]
    root = rpc.call("eth_getProof", token, [], "latest")["storageHash"]
    for unmet in (
        {"blockNumberMax": "0x0"},
        {"timestampMin": "0xffffffffffff"},
        {"knownAccounts": {token: "0x" + "01" * 32}},
        {"knownAccounts": {token: {"0x7777": "0x01"}}},
    ):
        with pytest.raises(RpcError, match="transaction rejected: ") as raised:
            rpc.call("eth_sendRawTransactionConditional", raw, unmet)
        assert raised.value.code == -32003
    met = {"knownAccounts": {token: root, node.addresses[9]: {"0x0": "0x00"}}, "blockNumberMin": "0x0"}
    assert rpc.call("eth_sendRawTransactionConditional", raw, met) == Web3.to_hex(Web3.keccak(hexstr=raw))


def test_the_node_tells_of_itself_and_of_its_validators(rpc: JsonRpc, node: Node) -> None:
    info = rpc.call("admin_nodeInfo")
    chain = info["protocols"]["eth"]
    assert (chain["network"], chain["config"]["chainId"]) == (node.chain_id, node.chain_id)
    assert chain["genesis"] == rpc.call("eth_getBlockByNumber", "0x0", False)["hash"]
    assert (chain["config"]["londonBlock"], chain["config"]["cancunTime"]) == (0, 0)
    assert len(rpc.call("admin_peers")) == int(rpc.call("net_peerCount"), 16) > 0
    assert rpc.call("debug_freeOSMemory") is None
    newest = rpc.call("eth_getBlockByNumber", "latest", False)
    assert rpc.call("anvil_getLastBlockWallTime") // 1000 >= int(newest["timestamp"], 16)
