"""A chain to test against: its addresses, and how one is started and ended."""

import contextlib
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account

PROJECT = Path(__file__).parents[2]
MNEMONIC = "test test test test test test test test test test test junk"
DEADLINE_S = 120.0
"""How long a test waits for what must come. Only what is broken takes so long: a busy machine is slow, not wrong."""
LONG_DEADLINE_S = 600.0
"""The same for what has much to do: to compile, to measure, to run the tests of a project."""


@dataclass(frozen=True, slots=True)
class Node:
    """A running chain with the ten well-known unlocked accounts; `is_tandem` is False for one we did not start."""

    http_url: str
    ws_url: str
    chain_id: int
    private_keys: tuple[str, ...]
    addresses: tuple[str, ...]
    is_tandem: bool


def node_at(http_url: str, ws_url: str, *, chain_id: int = 31337, is_tandem: bool) -> Node:
    Account.enable_unaudited_hdwallet_features()
    paths = [f"m/44'/60'/0'/0/{index}" for index in range(10)]
    accounts = [Account.from_mnemonic(MNEMONIC, account_path=path) for path in paths]
    return Node(
        http_url=http_url,
        ws_url=ws_url,
        chain_id=chain_id,
        private_keys=tuple(account.key.to_0x_hex() for account in accounts),
        addresses=tuple(account.address for account in accounts),
        is_tandem=is_tandem,
    )


def free_port() -> int:
    """Below those the system gives to connections, and by chance, so that tests run beside each other do not meet."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def _lines_of(process: subprocess.Popen[str]) -> "queue.SimpleQueue[str | None]":
    """The lines the process prints, read by a thread to the end, so that a full pipe never blocks it; then None."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as printed:
            for line in printed:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _wait_until_ready(process: subprocess.Popen[str]) -> Node:
    lines = _lines_of(process)
    deadline = time.monotonic() + DEADLINE_S
    printed: list[str] = []
    while True:
        # The pipe may stay open in a process it left behind, so that the end of the output is not enough to wait for.
        ended = process.poll() is not None
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            line = None
        if line is None:
            assert not ended, f"it ended with exit code {process.returncode} before it was ready; it printed: {printed}"
            assert time.monotonic() < deadline, f"not ready within {DEADLINE_S} s; it printed: {printed}"
            continue
        printed.append(line)
        event = json.loads(line)
        if event["event"] == "ready":
            return node_at(event["http"], event["ws"], is_tandem=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        exit_code = process.wait(DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"still running {DEADLINE_S} s after SIGINT") from None
    assert exit_code == 0, f"exit code {exit_code} after SIGINT"


@contextlib.contextmanager
def running_tandem(*options: str) -> Iterator[Node]:
    """Start `tandem up` on a free port, checking every block against serial execution; end it with SIGINT."""
    command = [sys.executable, "-m", "node", "up", "--port", str(free_port()), "--json", "--check-serial", *options]
    # A session of its own, so that whatever it may leave behind can be ended as one group.
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield _wait_until_ready(process)
        assert process.poll() is None, f"the chain ended by itself with exit code {process.poll()}"
        _end(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
