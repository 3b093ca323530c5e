"""tandem up --history: the states of old blocks go, their blocks stay, and who asks for them is told so."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from eth_account import Account
from web3 import Web3

from tests.e2e.chain_process import told_by
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import PROJECT, running_tandem

KEPT, BLOCKS = 16, 24
STRANGER = Web3.to_checksum_address("0x" + "ab" * 20)


def test_states_older_than_the_history_are_refused_with_the_oldest_block_kept_and_all_else_is_answered() -> None:
    with running_tandem("--history", str(KEPT), "--executors", "2") as node, closing(JsonRpc(node.http_url)) as rpc:
        account = Account.from_key(node.private_keys[0])
        for nonce in range(BLOCKS):
            transfer = {"to": STRANGER, "value": 1, "nonce": nonce, "gas": 21_000, "gasPrice": 10**10, "chainId": 31337}
            rpc.call("eth_sendRawTransactionSync", account.sign_transaction(transfer).raw_transaction.to_0x_hex())
        head = int(rpc.call("eth_blockNumber"), 16)
        oldest = told_by(rpc, "storage")["oldestState"]
        assert 0 < oldest <= head - KEPT
        for number in range(head - KEPT, head + 1):
            assert int(rpc.call("eth_getBalance", STRANGER, hex(number)), 16) == number
        old = oldest - 1
        root = rpc.call("eth_getBlockByNumber", hex(old), False)["stateRoot"][2:]
        words = f"-32000: historical state {root} is not available: the states of blocks before {oldest} are pruned"
        for method, *params in (
            ("eth_getBalance", node.addresses[9]),
            ("eth_getProof", node.addresses[9], []),
            ("eth_call", {"to": node.addresses[9]}),
        ):
            with pytest.raises(RpcError, match=words):
                rpc.call(method, *params, hex(old))
        beyond = f"the states of blocks before {head - KEPT} are pruned or about to be"
        with pytest.raises(RpcError, match=beyond):
            rpc.call("anvil_rollback", KEPT + 1)
        assert len(rpc.call("eth_getBlockByNumber", "0x1", True)["transactions"]) == 1
        assert [run["leftOut"] for run in rpc.call("tandem_getBlockExecution", "0x1")["transactions"]] == [None]
        command = [sys.executable, "-m", "node", "status", "--url", node.http_url]
        shown = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        assert f"states from block {oldest} on" in shown
        rpc.call("anvil_rollback", KEPT)
        assert int(rpc.call("eth_getBalance", STRANGER, "latest"), 16) == head - KEPT
        rpc.call("evm_setAutomine", False)
        rpc.call("eth_sendTransaction", {"from": node.addresses[0], "to": STRANGER, "nonce": "0xff", "gas": "0x5208"})
        before = rpc.call("hardhat_metadata")["instanceId"]
        rpc.call("hardhat_reset")
        assert rpc.call("hardhat_metadata")["instanceId"] != before, "it is another chain to Ignition"
        assert rpc.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}
        assert (rpc.call("eth_blockNumber"), rpc.call("eth_getBalance", STRANGER, "latest")) == ("0x0", "0x0")


def test_after_a_start_with_more_history_what_the_earlier_one_pruned_is_refused_with_the_oldest_block_really_kept(
    tmp_path: Path,
) -> None:
    data = ("--data-dir", str(tmp_path / "chain"), "--executors", "2")
    with running_tandem(*data, "--history", str(KEPT)) as node, closing(JsonRpc(node.http_url)) as rpc:
        for _ in range(BLOCKS):
            rpc.call("evm_mine")
    with running_tandem(*data, "--history", "128") as node, closing(JsonRpc(node.http_url)) as rpc:
        oldest = told_by(rpc, "storage")["oldestState"]
        assert 0 < oldest <= BLOCKS - KEPT
        kept = rpc.call("eth_capabilities")
        assert [int(kept[name]["oldestBlock"], 16) for name in ("state", "stateproofs", "tx")] == [oldest, oldest, 0]
        pruned = f"the states of blocks before {oldest} are pruned"
        with pytest.raises(RpcError, match=pruned):
            rpc.call("eth_getBalance", STRANGER, hex(oldest - 1))
        with pytest.raises(RpcError, match=pruned):
            rpc.call("anvil_rollback", BLOCKS - oldest + 1)
        rpc.call("anvil_rollback", BLOCKS - oldest)
        assert int(rpc.call("eth_blockNumber"), 16) == oldest
