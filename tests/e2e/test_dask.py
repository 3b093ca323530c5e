"""A chain whose transactions run on a Dask cluster: two worker processes that know nothing of the chain."""

import contextlib
from functools import partial
from typing import Any

import pytest
from eth_utils import keccak

from tests.e2e.chain_process import chain, told_by, wait_until
from tests.e2e.command_line import refusal
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import free_port
from tests.execution.test_dask_pool import cluster_of

LOOPS = "60005b8060205260206020206020526001018061080011600257602051335500"
"""Hashes one number after the other, 2,048 of them, and keeps the last hash in the slot that is the caller's."""
DEPLOYS = f"60{len(LOOPS) // 2:02x}600c60003960{len(LOOPS) // 2:02x}6000f3{LOOPS}"


def send_together(rpc: JsonRpc, transactions: list[dict[str, str]]) -> list[str]:
    requests = [
        {"jsonrpc": "2.0", "id": i, "method": "eth_sendTransaction", "params": [transaction]}
        for i, transaction in enumerate(transactions)
    ]
    return [answer["result"] for answer in rpc.post(requests)]


def receipts(rpc: JsonRpc, hashes: list[str]) -> list[dict[str, Any]]:
    for each in hashes:
        wait_until(partial(rpc.call, "eth_getTransactionReceipt", each), "a receipt")
    return [rpc.call("eth_getTransactionReceipt", each) for each in hashes]


def workers_of(rpc: JsonRpc, hashes: list[str]) -> set[str]:
    runs = [rpc.call("tandem_getTransactionExecution", each)["attempts"] for each in hashes]
    return {attempt["worker"] for attempts in runs for attempt in attempts}


@pytest.mark.e2e
def test_transactions_run_on_the_cluster_and_in_execution_once_it_is_gone() -> None:
    """Every block is run serially too, and none differs."""
    with cluster_of(2) as cluster:
        pool = cluster.address.replace("tcp", "dask")
        options = ("--pool", pool, "--strategy", "block-stm", "--check-serial")
        with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
            assert not any(name.startswith("worker") for name in running.pids())
            wait_until(lambda: told_by(rpc, "execution")["workers"] == 2, "two workers")
            senders = [account["address"] for account in running.ready()["accounts"]]
            (deployed,) = receipts(rpc, send_together(rpc, [{"from": senders[0], "data": f"0x{DEPLOYS}"}]))
            call = {"to": deployed["contractAddress"], "gas": "0x100000"}
            calls = [{"from": sender, **call} for sender in senders]
            seen: set[str] = set()
            while not {"dask-0", "dask-1"} <= seen:
                sent = send_together(rpc, calls)
                assert {receipt["status"] for receipt in receipts(rpc, sent)} == {"0x1"}
                seen |= workers_of(rpc, sent)
            slot = "0x" + senders[0][2:].zfill(64)
            kept = rpc.call("eth_getStorageAt", deployed["contractAddress"], slot, "latest")
            assert kept == "0x" + keccak((2047).to_bytes(32, "big")).hex()
            cluster.process.kill()
            cluster.process.wait()
            sent = send_together(rpc, calls)
            assert {receipt["status"] for receipt in receipts(rpc, sent)} == {"0x1"}
            gone = running.event(lambda event: event["event"] == "trouble")
            assert gone["text"] == f"the Dask cluster at {cluster.address} is gone: execution runs everything by itself"


@pytest.mark.e2e
def test_a_pool_that_cannot_be_is_refused_in_one_line() -> None:
    port = free_port()
    assert f"no Dask scheduler answers at dask://127.0.0.1:{port} (Connection refused)" in refusal(
        "--pool", f"dask://127.0.0.1:{port}"
    )
    assert "--pool ray://x is not known: give local, or dask://HOST:PORT" in refusal("--pool", "ray://x")
