"""kill -9 of each process in turn under load, and of all at once: the chain recovers, and nothing is lost."""

import contextlib
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from node.status import rendered
from tests.e2e.chain_process import ChainProcess, chain, group_members, told_by, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.load import Load, check_nothing_is_lost, height, wait_for_blocks

SENDERS = 3
RECIPIENT, OTHER_RECIPIENT = "0x" + "77" * 20, "0x" + "78" * 20


def test_every_process_can_be_killed_in_turn_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--data-dir", str(folder), "--check-serial") as running:
        keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
        with Load(running.url, keys, RECIPIENT) as load:
            wait_for_blocks(running, 3)
            for name, pid in running.pids().items():
                os.kill(pid, signal.SIGKILL)
                running.event(lambda event, name=name: event.get("process") == name)  # type: ignore[misc]
                wait_until(
                    lambda name=name, pid=pid: running.pids().get(name) not in (None, pid),  # type: ignore[misc]
                    f"{name} is started again",
                )
                wait_for_blocks(running, 5)
        assert load.failures == []
        assert len(load.admitted) > 50
        check_nothing_is_lost(running, load, folder)


def test_all_processes_can_be_killed_at_once_under_load(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    options = ("--data-dir", str(folder), "--check-serial")
    with chain(*options) as running:
        keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
        load = Load(running.url, keys, RECIPIENT)
        with load:
            wait_for_blocks(running, 10)
            running.kill_everything()
        port = running.port
    assert load.failures == []
    with chain(*options, port=port) as running:
        check_nothing_is_lost(running, load, folder)
        with Load(running.url, keys, OTHER_RECIPIENT) as more:
            wait_for_blocks(running, 3)
        check_nothing_is_lost(running, more, folder)


def test_a_stopped_chain_goes_on_where_it_was(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "chain"))
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        one, two = (account["address"] for account in running.ready()["accounts"][:2])
        sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x5"})
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")
        before = rpc.call("eth_getBlockByNumber", "latest", True)
        assert running.end()[0] == 0
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        assert rpc.call("eth_getBlockByNumber", "latest", True) == before
        assert rpc.call("eth_getTransactionReceipt", sent)["status"] == "0x1"
        again = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x5"})
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", again), "another receipt")
        assert height(rpc) == int(before["number"], 16) + 1


def transfer(private_key: str, nonce: int, fee: int = 10**10) -> Any:
    fields = {"chainId": 31337, "nonce": nonce, "gas": 21_000, "gasPrice": fee, "to": RECIPIENT, "value": 1}
    return Account.from_key(private_key).sign_transaction(fields)


def send(rpc: JsonRpc, transaction: Any) -> None:
    rpc.call("eth_sendRawTransaction", transaction.raw_transaction.to_0x_hex())


def validators_agree(rpc: JsonRpc, head: int, validators: int = 4) -> bool:
    """Whether each of them has every block committed, executed and verified, and holds no transaction."""
    rows = [row for row in rpc.call("tandem_status")["validators"] if "heights" in row]
    at_head = [
        row["mempool"]["transactions"] == 0
        and all(row["heights"][stage] == head for stage in ("committed", "executed", "verified"))
        for row in rows
    ]
    return at_head == [True] * validators


@pytest.mark.parametrize("everything", [False, True], ids=["execution and a validator", "everything"])
def test_a_validator_that_missed_many_results_gets_them_all_after_a_restart(everything: bool, tmp_path: Path) -> None:
    """What it holds was included while it could not hear of it; execution forgets what it told whom."""
    options = ("--data-dir", str(tmp_path / "chain"), "--accounts", "14", "--check-serial")
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        keys = [account["privateKey"] for account in running.ready()["accounts"]]
        port, pids = running.port, running.pids()
        for key in keys:
            send(rpc, transfer(key, 1))  # every validator holds it until nonce 0 has come
        os.kill(pids["validator-3"], signal.SIGSTOP)
        for key in keys:
            before = height(rpc)
            send(rpc, transfer(key, 0))
            wait_until(lambda before=before: height(rpc) > before, "a block")  # type: ignore[misc]
        assert height(rpc) > 10
        if everything:
            running.kill_everything()
        else:
            for name in ("execution", "validator-3"):
                os.kill(pids[name], signal.SIGKILL)
            check_results_are_known(running, keys)
    if everything:
        with chain(*options, port=port) as running:
            check_results_are_known(running, keys)


def check_results_are_known(running: ChainProcess, keys: list[str]) -> None:
    """Two transactions of each account are included, every validator knows, and none of them is proposed again."""
    with contextlib.closing(running.rpc()) as rpc:
        hashes = [transfer(key, nonce).hash.to_0x_hex() for key in keys for nonce in (0, 1)]

        def statuses() -> set[str]:
            return {rpc.call("tandem_getTransactionStatus", hash)["status"] for hash in hashes}

        wait_until(lambda: statuses() == {"included"}, "every transaction is included")
        wait_until(lambda: validators_agree(rpc, height(rpc)), "every validator has every block and every result")
        head = height(rpc)
        last = transfer(keys[0], 2)
        send(rpc, last)
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", last.hash.to_0x_hex()), "a receipt")
        assert rpc.call("eth_getBlockByNumber", hex(head + 1), False)["transactions"] == [last.hash.to_0x_hex()]
        wait_until(lambda: validators_agree(rpc, head + 1), "every validator has the next block")
        assert told_by(rpc, "execution")["counters"]["left_out"] == 0


def test_why_a_transaction_was_given_up_is_known_after_everything_was_killed(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "chain"))
    with chain(*options) as running:
        key = running.ready()["accounts"][0]["privateKey"]
        cheap, dear = transfer(key, 1), transfer(key, 1, 2 * 10**10)
        with contextlib.closing(running.rpc()) as rpc:
            send(rpc, cheap)
            send(rpc, dear)
        running.kill_everything()
        port = running.port
    with chain(*options, port=port) as running, contextlib.closing(running.rpc()) as rpc:

        def status() -> Any:
            return rpc.call("tandem_getTransactionStatus", cheap.hash.to_0x_hex())

        wait_until(lambda: status()["status"] == "evicted", "the validators have told of the eviction")
        assert status()["reason"] == f"replaced by {dear.hash.to_0x_hex()}"
        assert rpc.call("tandem_getTransactionStatus", dear.hash.to_0x_hex())["status"] == "pending"


def test_why_a_transaction_was_given_up_is_known_after_rpc_was_killed() -> None:
    with chain() as running:
        account = running.ready()["accounts"][0]
        cheap, dear = transfer(account["privateKey"], 1), transfer(account["privateKey"], 1, 2 * 10**10)
        with contextlib.closing(running.rpc()) as rpc:
            send(rpc, cheap)
            send(rpc, dear)
        pid = running.pids()["rpc"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: running.pids().get("rpc") not in (None, pid), "rpc is back")
        with contextlib.closing(running.rpc()) as rpc:

            def status() -> Any:
                return rpc.call("tandem_getTransactionStatus", cheap.hash.to_0x_hex())

            wait_until(lambda: status()["status"] == "evicted", "the validators have told of the eviction")
            assert status()["reason"]
            assert rpc.call("tandem_getTransactionStatus", dear.hash.to_0x_hex())["status"] == "pending"
            assert rpc.call("eth_getTransactionCount", account["address"], "pending") == "0x0"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("child", ["storage", "execution"])
def test_a_killed_fork_server_and_a_process_killed_just_before_come_back_once(child: str, tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--data-dir", str(folder)) as running:
        keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
        with Load(running.url, keys, RECIPIENT) as load:
            wait_for_blocks(running, 3)
            before = running.pids()
            server = parent_of(before[child])
            os.kill(before[child], signal.SIGKILL)
            running.event(lambda event: event.get("process") == child)
            os.kill(server, signal.SIGKILL)
            wait_until(lambda: running.pids().get(child) not in (None, before[child]), f"{child} is back")
            wait_for_blocks(running, 5)
            count = len(before) + len(("supervisor", "light fork server", "evm fork server"))
            wait_until(lambda: len(group_members(running.process.pid)) == count, "each process runs once")
        assert load.failures == []
        check_nothing_is_lost(running, load, folder)


def lose_databases(folder: Path, validators: range) -> None:
    for index in validators:
        shutil.rmtree(folder / f"validator-{index}" / "db")


def block_with_transfer(rpc: JsonRpc, key: str, nonce: int) -> None:
    transaction = transfer(key, nonce)
    send(rpc, transaction)
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", transaction.hash.to_0x_hex()), "a receipt")


def test_the_databases_of_half_of_the_validators_are_filled_again_by_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        key = running.ready()["accounts"][0]["privateKey"]
        for nonce in range(8):
            block_with_transfer(rpc, key, nonce)
        running.end()
    lose_databases(folder, range(2))
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        block_with_transfer(rpc, key, 8)
        wait_until(lambda: validators_agree(rpc, 9), "every validator has every block and every result")
        assert told_by(rpc, "execution")["stalled"] == ""
        assert not [event for event in running.events if event["event"] == "trouble"]


def test_databases_that_no_validator_has_any_more_are_named_and_restored(tmp_path: Path) -> None:
    folder, backup = tmp_path / "chain", tmp_path / "backup"
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        key = running.ready()["accounts"][0]["privateKey"]
        for nonce in range(3):
            block_with_transfer(rpc, key, nonce)
        running.end()
    shutil.copytree(folder, backup)
    lose_databases(folder, range(4))
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        send(rpc, transfer(key, 3))
        trouble = running.event(lambda event: event["event"] == "trouble")
        assert "blocks up to 3 are executed" in trouble["text"]
        for index in range(4):  # they may have begun another chain meanwhile
            assert re.search(rf"validator {index} (ends at|has others up to) \d+", trouble["text"])
        assert "begin anew with an empty --data-dir" in trouble["text"]
        assert told_by(rpc, "execution")["stalled"] == trouble["text"]
        wait_until(
            lambda: f"stalled     {trouble['text']}" in rendered(rpc.call("tandem_status")), "the status says so"
        )
        running.end()
    with chain("--data-dir", str(backup)) as running, contextlib.closing(running.rpc()) as rpc:
        block_with_transfer(rpc, key, 3)
