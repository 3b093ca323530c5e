"""eth_subscribe("tandemBlocks") on a running chain: every block's life, whole and true, whatever dies meanwhile."""

import contextlib
import json
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.load import Load, wait_for_blocks
from tests.e2e.running_node import DEADLINE_S
from tests.e2e.test_recovery import RECIPIENT, SENDERS

STATES = ["proposed", "certified", "committed", "executed", "verified"]


class Listener:
    """Collects the events of one subscription from a thread, until its connection ends."""

    def __init__(self, socket: ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket
        self._socket.send(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["tandemBlocks"]})
        )
        first = json.loads(self._socket.recv())
        assert "result" in first, f"the answer comes before the first event: {first}"
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in self._socket:
                self.events.append(json.loads(message)["params"]["result"])

    def finish(self) -> None:
        self._thread.join(DEADLINE_S)

    def verified(self) -> set[int]:
        return {event["number"] for event in list(self.events) if event["state"] == "verified"}


@contextlib.contextmanager
def listening(running: ChainProcess) -> Iterator[Listener]:
    with connect(running.url.replace("http", "ws", 1)) as socket:
        listener = Listener(socket)
        yield listener
    listener.finish()


def check_lives(listener: Listener, rpc: JsonRpc) -> None:
    """Each proposal passed each state once and in order, or was abandoned; the blocks are those of the chain."""
    lives: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in listener.events:
        lives[event["proposal"]].append(event)
    numbers = []
    for life in lives.values():
        states = [event["state"] for event in life]
        if states[-1] == "abandoned":
            assert states[:-1] == STATES[: len(states) - 1], states
            assert len(states) <= STATES.index("committed") + 1, states
            continue
        assert states == STATES, states
        times = [event["timestamp"] for event in life]
        assert times == sorted(times)
        numbers.append(life[0]["number"])
        block = rpc.call("eth_getBlockByNumber", hex(life[0]["number"]), False)
        executed = life[STATES.index("executed")]
        assert (executed["hash"], executed["transactions"]) == (block["hash"], len(block["transactions"]))
        assert executed["gasUsed"] == int(block["gasUsed"], 16)
        assert executed["sinceProposedMs"] == executed["timestamp"] - life[0]["timestamp"]
    assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1)), "none is left out, none is told twice"


def head(rpc: JsonRpc) -> int:
    return int(rpc.call("eth_blockNumber"), 16)


THREE_PHASES = ("--consensus", "hotstuff-3", "--stake", "40,30,20,10")


@pytest.mark.parametrize(
    ("fault", "options"),
    [("none", ()), ("none", THREE_PHASES), ("killed", ()), ("killed", THREE_PHASES), ("paused", ())],
)
def test_every_block_passes_every_state_once_under_load_and_faults(fault: str, options: tuple[str, ...]) -> None:
    with chain(*options) as running, contextlib.closing(running.rpc()) as rpc:
        keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
        with listening(running) as listener:
            with Load(running.url, keys, RECIPIENT) as load:
                wait_for_blocks(running, 10)
                pid = running.pids()["validator-2"]
                if fault == "killed":
                    os.kill(pid, signal.SIGKILL)
                elif fault == "paused":
                    os.kill(pid, signal.SIGSTOP)
                wait_for_blocks(running, 15)
                if fault == "paused":
                    os.kill(pid, signal.SIGCONT)
                wait_for_blocks(running, 10)
            assert load.failures == []
            wait_until(lambda: rpc.call("txpool_status")["pending"] == "0x0", "all transactions are included")
            wait_until(lambda: head(rpc) in listener.verified(), "the newest block is verified")
        check_lives(listener, rpc)
        assert max(listener.verified()) == head(rpc)
        assert len(listener.verified()) >= 30


def test_a_listener_that_comes_back_after_rpc_was_killed_hears_every_later_block() -> None:
    with chain() as running:
        keys = [account["privateKey"] for account in running.ready()["accounts"][:SENDERS]]
        with Load(running.url, keys, RECIPIENT) as load:
            with listening(running):
                wait_for_blocks(running, 5)
                pid = running.pids()["rpc"]
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: running.pids().get("rpc") not in (None, pid), "rpc is back")
            with listening(running) as again:
                wait_for_blocks(running, 10)
        assert load.failures == []
        told = again.verified()
        again.events = [event for event in again.events if event["number"] in told]
        with contextlib.closing(running.rpc()) as rpc:
            check_lives(again, rpc)
        assert len(told) >= 5
