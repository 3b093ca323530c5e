"""Several full executors check each other: a wrong one is found, named and stopped, and the chain follows the right."""

import contextlib
import http.client
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node.folder import open_folder
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.load import Load, check_nothing_is_lost, wait_for_blocks
from tests.e2e.replay import replayed_head
from tests.e2e.running_node import DEADLINE_S
from tests.e2e.tampered_chain import THIEF
from tests.e2e.test_recovery import OTHER_RECIPIENT, RECIPIENT, SENDERS

MAX_LAG = 3
THIEF_ADDRESS = "0x" + THIEF.hex()


def load_on(running: ChainProcess, recipient: str = RECIPIENT) -> Load:
    keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
    return Load(running.url, keys, recipient)


def status(running: ChainProcess) -> Any:
    with contextlib.closing(running.rpc()) as rpc:
        return rpc.call("tandem_status")


def block(rpc: JsonRpc, tag: str) -> Any:
    return rpc.call("eth_getBlockByNumber", tag, False)


def check_everything_is_verified(running: ChainProcess) -> None:
    """Every block executed is verified in the end, and is the newest safe and final one."""

    def verified() -> bool:
        with contextlib.closing(running.rpc()) as rpc:
            tags = {block(rpc, tag)["hash"] for tag in ("latest", "safe", "finalized")}
            heights = rpc.call("tandem_status")["heights"]
        return len(tags) == 1 and heights["verified"] == heights["committed"] > 0

    wait_until(verified, "everything is verified")


class TagWatch:
    """Asks for the safe and the final block all the time, and keeps what it was told."""

    def __init__(self, running: ChainProcess) -> None:
        self._running = running
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: set[tuple[str, str]] = set()

    def __enter__(self) -> "TagWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(DEADLINE_S)

    def check(self) -> None:
        """What was ever safe or final is in the chain."""
        assert len(self.seen) > 3
        with contextlib.closing(self._running.rpc()) as rpc:
            for number, hash in self.seen:
                assert block(rpc, number)["hash"] == hash, f"block {number} was safe or final and is gone"

    def _watch(self) -> None:
        while not self._stopping.is_set():
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(self._running.rpc()) as rpc,
            ):
                for tag in ("safe", "finalized"):
                    found = block(rpc, tag)
                    self.seen.add((found["number"], found["hash"]))
            self._stopping.wait(0.002)


def named_wrong(running: ChainProcess, executor: int) -> dict[str, Any]:
    """What the terminal says of a wrong executor."""
    return running.event(lambda event: event.get("executor") == executor and "said" in event)


def check_wrong(running: ChainProcess, executor: int, first_block: int) -> None:
    """That executor and no other is named, on the terminal and in the status, with what it said; it runs no more."""
    said = named_wrong(running, executor)
    assert said["height"] == first_block
    assert said["text"].startswith(
        f"executor {executor} computed a wrong block at height {first_block}: {said['said']}"
    )
    now = status(running)
    wrong = {"index": executor, "block": first_block, "said": said["said"], "expected": said["expected"]}
    assert now["executors"]["wrong"] == [wrong]
    assert now["executors"]["disputed"] is None
    with contextlib.closing(running.rpc()) as rpc:
        assert block(rpc, hex(first_block))["hash"] == said["expected"]
        assert int(rpc.call("eth_getBalance", THIEF_ADDRESS, "latest"), 16) == 0
    suffix = f"-{executor}" if executor else ""
    stopped = [row for row in now["processes"] if row["state"] == "wrong"]
    assert {f"storage{suffix}", f"execution{suffix}"} <= {row["name"] for row in stopped}
    assert all(row["pid"] is None for row in stopped)


def test_two_executors_agree_on_every_block_also_of_a_chain_begun_with_one(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    options = ("--data-dir", str(folder), "--check-serial")
    with chain(*options) as running:
        with load_on(running, OTHER_RECIPIENT):
            wait_for_blocks(running, 10)
        assert running.end()[0] == 0
    with chain("--executors", "2", *options) as running:
        with load_on(running) as load:
            wait_for_blocks(running, 20)
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        assert status(running)["executors"] == {"count": 2, "disputed": None, "wrong": []}
        assert not [event for event in running.events if event["event"] == "trouble"]


@pytest.mark.parametrize("wrong", [0, 1])
def test_of_two_executors_the_wrong_one_is_found_by_a_third(tmp_path: Path, wrong: int) -> None:
    folder, first_block = tmp_path / "chain", 4
    options = ("--executors", "2", "--data-dir", str(folder))
    with chain(*options, tampered=f"{wrong}:{first_block}") as running:
        with load_on(running) as load, TagWatch(running) as tags:
            named_wrong(running, wrong)
            wait_for_blocks(running, 10)
        tags.check()
        if wrong == 0:  # what `latest` showed of its blocks before they were compared is gone
            load.receipts.clear()
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        check_wrong(running, wrong, first_block)
        assert {"storage-2", "execution-2"} <= set(running.pids())
        assert "execution-3" not in running.pids()
        assert running.end()[0] == 0
    with chain(*options) as running:
        check_wrong_is_remembered(running, wrong, folder)


def check_wrong_is_remembered(running: ChainProcess, wrong: int, folder: Path) -> None:
    """After a start of the chain without any tampering."""
    suffix = f"-{wrong}" if wrong else ""
    assert f"execution{suffix}" not in running.ready()["processes"]
    assert {"execution-2", "worker-2.0"} <= set(running.ready()["processes"])
    with load_on(running) as load:
        wait_for_blocks(running, 3)
    check_everything_is_verified(running)
    with contextlib.closing(running.rpc()) as rpc:
        number, hash = replayed_head(open_folder(folder).genesis, rpc)
        assert block(rpc, hex(number))["hash"] == hash
    assert load.failures == []


def test_a_dispute_outlives_the_death_of_everything(tmp_path: Path) -> None:
    folder, tampered = tmp_path / "chain", "1:4"
    options = ("--executors", "2", "--data-dir", str(folder))
    with chain(*options, tampered=tampered) as running:
        load = load_on(running)
        with load:
            running.event(lambda event: event.get("executor") == 2)
            running.kill_everything()
        port = running.port
    with chain(*options, port=port, tampered=tampered) as running:
        named_wrong(running, 1)
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        check_wrong(running, 1, 4)


def test_of_three_executors_the_wrong_one_is_outvoted(tmp_path: Path) -> None:
    folder, first_block = tmp_path / "chain", 4
    with chain("--executors", "3", "--data-dir", str(folder), tampered=f"2:{first_block}") as running:
        with load_on(running) as load:
            named_wrong(running, 2)
            wait_for_blocks(running, 10)
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        check_wrong(running, 2, first_block)


@contextlib.contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_three_executors_go_on_without_one_that_stands_still(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--executors", "3", "--data-dir", str(folder), "--check-serial") as running:
        with load_on(running) as load:
            with standing_still(running.pids()["execution-2"]):
                wait_for_final_blocks(running, 10)
            wait_for_final_blocks(running, 5)
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        assert status(running)["executors"]["wrong"] == []


def wait_for_final_blocks(running: ChainProcess, more: int) -> None:
    wanted = status(running)["heights"]["verified"] + more
    wait_until(lambda: status(running)["heights"]["verified"] >= wanted, f"{more} more blocks are verified")


def is_behind(running: ChainProcess, rpc: JsonRpc, load: Load, stopped: int) -> bool:
    """Whether the one that stands still is behind for a while. It may have told only some validators of its newest
    block: these call it safe, the others cannot vote for what follows it, and nothing more is executed. Then it is
    stopped anew, a block later.
    """
    if ahead_for_a_while(rpc, load):
        return True
    if block(rpc, "safe")["number"] == block(rpc, "latest")["number"]:
        os.kill(stopped, signal.SIGCONT)
        wait_for_final_blocks(running, 1)
        os.kill(stopped, signal.SIGSTOP)
    return False


def ahead_for_a_while(rpc: JsonRpc, load: Load) -> bool:
    """Whether nothing becomes safe, though something is executed, while transactions are still taken."""
    safe, admitted = block(rpc, "safe")["number"], len(load.admitted)
    wait_until(lambda: len(load.admitted) > admitted + 20, "transactions are still taken")
    return bool(safe == block(rpc, "safe")["number"] != block(rpc, "latest")["number"])


def test_two_executors_wait_for_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--executors", "2", "--data-dir", str(folder), "--check-serial") as running:
        with load_on(running) as load:
            wait_for_final_blocks(running, 5)
            slow = running.pids()["execution-1"]
            with standing_still(slow), contextlib.closing(running.rpc()) as rpc:
                wait_until(
                    lambda: is_behind(running, rpc, load, slow), "one is ahead, and the other's last word has come"
                )
                safe = int(block(rpc, "safe")["number"], 16)
                assert ahead_for_a_while(rpc, load)
                assert int(block(rpc, "safe")["number"], 16) == safe, "nothing is safe that one executor alone computed"
                assert status(running)["heights"]["committed"] <= safe + MAX_LAG
            wait_for_final_blocks(running, 5)
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        assert status(running)["executors"] == {"count": 2, "disputed": None, "wrong": []}


def test_an_executor_that_is_killed_again_and_again_is_slow_and_not_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--executors", "2", "--data-dir", str(folder), "--check-serial") as running:
        with load_on(running) as load:
            for name in ("execution-1", "storage-1", "execution-1", "storage-1"):
                wait_for_blocks(running, 3)
                pid = running.pids()[name]
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda name=name, pid=pid: running.pids().get(name) not in (None, pid), f"{name} is back")  # type: ignore[misc]
            wait_for_blocks(running, 3)
        assert load.failures == []
        check_nothing_is_lost(running, load, folder)
        check_everything_is_verified(running)
        assert status(running)["executors"] == {"count": 2, "disputed": None, "wrong": []}
