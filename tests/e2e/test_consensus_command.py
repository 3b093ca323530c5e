"""`tandem consensus` at a running chain: once, as JSON lines, and live in a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.running_node import DEADLINE_S, PROJECT


@pytest.fixture(scope="module")
def running() -> Iterator[ChainProcess]:
    with chain() as running:
        running.ready()
        yield running


def command(running: ChainProcess, *options: str) -> list[str]:
    return [sys.executable, "-m", "node", "consensus", "--port", str(running.port), *options]


def transfer(running: ChainProcess) -> int:
    """The number of the block that a new transfer is in, once it is verified everywhere."""
    one, two = (account["address"] for account in running.ready()["accounts"][:2])
    with contextlib.closing(running.rpc()) as rpc:
        sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")
        number = int(rpc.call("eth_getTransactionReceipt", sent)["blockNumber"], 16)

        def verified() -> bool:
            validators = rpc.call("tandem_consensus")["validators"]
            return all(validator["heights"]["verified"] >= number for validator in validators)

        wait_until(verified, f"block {number} is verified by all")
    return number


def run(command: list[str], status: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, done.stderr
    return done


def output(running: ChainProcess, *options: str) -> str:
    return run(command(running, *options), status=0).stdout


def test_once_shows_the_rules_the_round_and_a_row_for_each_validator(running: ChainProcess) -> None:
    number = transfer(running)
    lines = output(running, "--once").splitlines()
    assert lines[0].startswith("rules hotstuff-2  leaders weighted  quorum 3 of stake 4")
    assert f"(block {number})" in lines[1]
    assert [line.split()[0] for line in lines[4:8]] == ["0", "1", "2", "3"]
    assert all("#" in line for line in lines[4:8])
    assert output(running).splitlines()[0] == lines[0], "without a terminal it is printed once"


def test_the_picture_is_that_of_the_chain(running: ChainProcess) -> None:
    number = transfer(running)
    picture = json.loads(output(running, "--once", "--json"))
    assert picture["certificate"]["number"] == number
    assert picture["round"] > picture["certificate"]["round"]
    for validator in picture["validators"]:
        assert set(validator["heights"].values()) == {number}
        assert (validator["behind"], validator["rejections"], validator["suspects"]) == (0, [], [])
    rounds = [certificate["round"] for certificate in picture["certificates"]]
    assert rounds == sorted(rounds, reverse=True)
    assert all(len(certificate["signers"]) >= 3 for certificate in picture["certificates"])
    assert picture["equivocations"] == []


def test_json_prints_a_line_at_each_change_until_it_is_interrupted(running: ChainProcess) -> None:
    live = subprocess.Popen(command(running, "--json"), cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert live.stdout is not None
    try:
        first: dict[str, Any] = json.loads(live.stdout.readline())
        number = transfer(running)
        picture = first
        while picture["certificate"] is None or picture["certificate"]["number"] < number:
            picture = json.loads(live.stdout.readline())
        assert picture["round"] > first["round"]
        live.send_signal(signal.SIGINT)
        assert live.wait(DEADLINE_S) == 0
    finally:
        live.kill()
        live.wait()
        live.stdout.close()


def test_a_terminal_is_rewritten_in_place_and_given_back(running: ChainProcess) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
    live = subprocess.Popen(command(running), cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = _read_until(ours, "signed: # a certificate")
        assert shown.startswith("\x1b[?1049h\x1b[?25l\x1b[H")
        number = transfer(running)
        again = _read_until(ours, f"(block {number})")
        assert "\x1b[H" in again
        live.send_signal(signal.SIGINT)
        assert _read_until(ours, "\x1b[?25h\x1b[?1049l")
        assert live.wait(DEADLINE_S) == 0
    finally:
        live.kill()
        live.wait()
        os.close(ours)


def _read_until(terminal: int, words: str) -> str:
    shown = ""
    deadline = time.monotonic() + DEADLINE_S
    while words not in shown:
        readable, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert readable, f"{words!r} was not shown within {DEADLINE_S} s: {shown!r}"
        shown += os.read(terminal, 65536).decode()
    return shown


def test_where_no_chain_answers_it_says_so_in_one_line() -> None:
    done = run([sys.executable, "-m", "node", "consensus", "--port", "1"], status=1)
    assert done.stderr.startswith("tandem: no chain answers at http://127.0.0.1:1 (")
    assert len(done.stderr.splitlines()) == 1


def test_a_paused_validator_is_shown_as_not_answering_and_behind(running: ChainProcess) -> None:
    pid = running.pids()["validator-3"]
    os.kill(pid, signal.SIGSTOP)
    try:
        one, two = (account["address"] for account in running.ready()["accounts"][:2])
        with contextlib.closing(running.rpc()) as rpc:
            for _ in range(5):
                sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
                wait_until(partial(rpc.call, "eth_getTransactionReceipt", sent), "a receipt")
            paused = rpc.call("tandem_consensus")["validators"][3]
            assert (paused["connected"], paused["answers"]) == (True, False)
            assert paused["behind"] > 0
            assert "does not answer" in output(running, "--once").splitlines()[7]
    finally:
        os.kill(pid, signal.SIGCONT)
    with contextlib.closing(running.rpc()) as rpc:
        wait_until(lambda: rpc.call("tandem_consensus")["validators"][3].get("behind") == 0, "it has caught up")


def test_when_the_chain_ends_the_one_who_watches_is_told_so() -> None:
    with chain() as ending:
        ending.ready()
        live = subprocess.Popen(
            command(ending, "--json"), cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert live.stdout is not None
        live.stdout.readline()
        ending.end()
    _, said = live.communicate(timeout=DEADLINE_S)
    assert live.returncode == 1
    assert said == (
        f"tandem: the chain at http://127.0.0.1:{ending.port} ended, or its rpc started again: "
        "if it runs, give the command again\n"
    )


def test_an_address_that_is_not_http_is_refused_as_by_the_other_commands() -> None:
    for url in ("ws://127.0.0.1:8545", "https://127.0.0.1:8545", "http://127.0.0.1:x", "http://"):
        said = [
            run([sys.executable, "-m", "node", name, *options, "--url", url], status=1).stderr
            for name, *options in (("status",), ("consensus", "--once"), ("consensus", "--json"))
        ]
        assert said[0].startswith(f"tandem: no chain answers at {url} (")
        assert set(said) == {said[0]}
