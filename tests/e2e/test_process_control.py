"""Validators killed, paused, resumed and restarted by command: what is shown, what stays, and how the chain ends."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chain_process import ChainProcess, alive, chain, group_members, wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.machine import MachineWatch
from tests.e2e.running_node import DEADLINE_S, PROJECT
from tests.e2e.test_supervisor import TRIES, was_in_time


@pytest.fixture(scope="module")
def running() -> Iterator[ChainProcess]:
    with chain() as running:
        yield running


@pytest.fixture
def rpc(running: ChainProcess) -> Iterator[JsonRpc]:
    """All validators run at the end of each test."""
    with contextlib.closing(running.rpc()) as rpc:
        yield rpc
    with contextlib.closing(running.rpc()) as rpc:
        for row in rpc.call("tandem_status")["validators"]:
            if row["state"] != "running":
                rpc.call("tandem_restartValidator", row["index"])
        wait_until(lambda: states(rpc) == ["running"] * 4, "all validators run")


def states(rpc: JsonRpc) -> list[str]:
    return [row["state"] for row in rpc.call("tandem_status")["validators"]]


def process_state(pid: int) -> str:
    """The letter that the kernel has for it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def tandem(running: ChainProcess, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "node", *words, "--port", str(running.port)]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=DEADLINE_S, check=False)


def send(rpc: JsonRpc) -> Any:
    """A transfer's receipt."""
    one, two = rpc.call("eth_accounts")[:2]
    sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1", "gas": "0x5208"})
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")
    return rpc.call("eth_getTransactionReceipt", sent)


def test_a_killed_validator_stays_down_and_the_chain_goes_on(running: ChainProcess, rpc: JsonRpc) -> None:
    pid = running.pids()["validator-2"]
    assert rpc.call("tandem_killValidator", 2) == {"validator": 2, "state": "killed"}
    wait_until(lambda: not alive(pid), "it is dead")
    assert send(rpc)["status"] == "0x1"
    assert "validator-2" not in running.pids()
    assert states(rpc)[2] == "killed"
    assert not [event for event in running.events if event["event"] == "trouble"]
    assert rpc.call("tandem_restartValidator", 2)["state"] in ("starting", "running")
    wait_until(lambda: "validator-2" in running.pids(), "it is started")


def test_a_paused_validator_is_stopped_where_it_is_and_goes_on_there(running: ChainProcess, rpc: JsonRpc) -> None:
    pid = running.pids()["validator-1"]
    assert rpc.call("tandem_pauseValidator", 1) == {"validator": 1, "state": "paused"}
    wait_until(lambda: process_state(pid) == "T", "it is stopped")
    assert send(rpc)["status"] == "0x1"
    assert rpc.call("tandem_resumeValidator", 1) == {"validator": 1, "state": "running"}
    wait_until(lambda: process_state(pid) != "T", "it goes on")
    assert running.pids()["validator-1"] == pid


def test_a_restarted_validator_is_another_process(running: ChainProcess, rpc: JsonRpc) -> None:
    pid = running.pids()["validator-3"]
    rpc.call("tandem_restartValidator", 3)
    wait_until(lambda: running.pids().get("validator-3") not in (None, pid), "another process")
    assert not [event for event in running.events if event["event"] == "trouble"]


def test_a_paused_validator_can_be_killed_and_restarted(running: ChainProcess, rpc: JsonRpc) -> None:
    pid = running.pids()["validator-0"]
    rpc.call("tandem_pauseValidator", 0)
    rpc.call("tandem_restartValidator", 0)
    wait_until(lambda: running.pids().get("validator-0") not in (None, pid), "another process")
    rpc.call("tandem_pauseValidator", 0)
    rpc.call("tandem_killValidator", 0)
    wait_until(lambda: "validator-0" not in running.pids(), "it is dead")


def test_a_paused_validator_that_dies_is_paused_when_it_is_started_again(running: ChainProcess, rpc: JsonRpc) -> None:
    pid = running.pids()["validator-0"]
    rpc.call("tandem_pauseValidator", 0)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running.pids().get("validator-0") not in (None, pid), "another process")
    assert states(rpc)[0] == "paused"
    wait_until(lambda: process_state(running.pids()["validator-0"]) == "T", "it is stopped too")
    running.events.clear()


def kill_the_light_processes(running: ChainProcess) -> None:
    """Their fork server dies, and so do storage, rpc and all validators at once."""
    before = running.pids()
    os.kill(int(Path(f"/proc/{before['rpc']}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
    wait_until(lambda: running.pids().get("rpc") not in (None, before["rpc"]), "rpc is back")
    wait_until(lambda: running.pids().keys() == before.keys(), "all are back")
    running.events.clear()


def test_a_killed_validator_stays_down_when_all_others_die(running: ChainProcess, rpc: JsonRpc) -> None:
    rpc.call("tandem_killValidator", 2)
    kill_the_light_processes(running)
    with contextlib.closing(running.rpc()) as again:
        assert states(again)[2] == "killed"


def test_a_partition_outlives_the_death_of_rpc_and_all_validators(running: ChainProcess, rpc: JsonRpc) -> None:
    cut = {**rpc.call("tandem_partition", [[0, 1]]), "notTold": []}
    kill_the_light_processes(running)
    with contextlib.closing(running.rpc()) as again:
        wait_until(lambda: again.call("tandem_network") == cut, "the same faults, known to every validator")
        assert again.call("tandem_heal")["partition"] is None
        assert send(again)["status"] == "0x1"


@pytest.mark.parametrize(
    ("method", "validator", "code", "message"),
    [
        ("tandem_killValidator", 4, -32602, "there is no validator 4: this chain has validators 0 to 3"),
        ("tandem_resumeValidator", 1, -32000, "validator-1 is running, not paused"),
        ("tandem_pauseValidator", 2, -32000, "validator-2 is killed already"),
        ("tandem_killValidator", 2, -32000, "validator-2 is killed already: restart it first"),
    ],
)
def test_what_does_not_fit_is_refused(rpc: JsonRpc, method: str, validator: int, code: int, message: str) -> None:
    rpc.call("tandem_killValidator", 2)
    with pytest.raises(RpcError) as refused:
        rpc.call(method, validator)
    assert refused.value.code == code
    assert refused.value.message.endswith(message)


def test_the_commands_print_what_they_did(running: ChainProcess, rpc: JsonRpc) -> None:
    assert tandem(running, "validator", "pause", "2").stdout == "validator 2 is paused; tandem validator resume 2\n"
    shown = tandem(running, "status").stdout
    assert "2          paused on purpose" in shown
    assert tandem(running, "validator", "resume", "2").stdout == "validator 2 is running\n"
    killed = tandem(running, "validator", "kill", "2").stdout
    assert killed == "validator 2 is killed; tandem validator restart 2 starts it\n"
    assert tandem(running, "net", "partition", "0,1", "/", "2,3").stdout.startswith("partition   0,1 / 2,3 ")
    assert "delay       validator 1: 20ms\n" in tandem(running, "net", "delay", "1", "20ms").stdout
    shown = "delay       validator 1: 20ms\nnot told yet, because they do not answer: 2\n"
    wait_until(lambda: tandem(running, "net").stdout.endswith(shown), "all others are told")
    assert "partition   0,1 / 2,3 " in tandem(running, "net").stdout
    assert tandem(running, "net", "heal").stdout.startswith("the network is whole: nothing is cut, delayed or dropped")


def test_a_validator_that_is_to_equivocate_is_shown(running: ChainProcess, rpc: JsonRpc) -> None:
    wait_until(lambda: all(row["connected"] for row in rpc.call("tandem_status")["validators"]), "all answer")
    told = tandem(running, "validator", "equivocate", "1", "--turns", "1000").stdout
    assert told == "validator 1 signs two different proposals in its next 1000 turns\n"
    wait_until(lambda: "   equivocates, turns left: " in tandem(running, "status").stdout, "the status says so")
    rpc.call("tandem_restartValidator", 1)
    wait_until(lambda: "   equivocates, turns left: " not in tandem(running, "status").stdout, "a restart ends it")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("net", "partition", "a"), "'a' names no groups of validators: write them as 0,1 / 2,3"),
        (("net", "partition", "0,9"), "there is no validator 9: this chain has validators 0 to 3"),
        (("net", "delay", "1", "soon"), 'invalid duration "soon": give a number with ms or s'),
        (("net", "drop", "1", "101%"), 'percentage "101%" is out of range'),
        (("validator", "kill", "7"), "there is no validator 7"),
        (("validator", "resume", "1"), "validator-1 is running, not paused"),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_one_line(
    running: ChainProcess, words: tuple[str, ...], message: str
) -> None:
    refused = tandem(running, *words)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert refused.stderr.startswith("tandem: ")
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1


def ended_in_time(fault: str) -> bool:
    """Whether a chain ended within two seconds with that fault in force; as in tests/e2e/test_supervisor.py."""
    running = ChainProcess()
    try:
        running.ready()
        with contextlib.closing(running.rpc()) as rpc:
            rpc.call(fault, 1)
        with MachineWatch() as watch:
            status, seconds = running.end()
        assert status == 0
        assert group_members(running.process.pid) == []
        return was_in_time(running, seconds, watch)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)


@pytest.mark.parametrize("fault", ["tandem_killValidator", "tandem_pauseValidator"])
def test_the_chain_ends_within_two_seconds_whatever_was_done_to_a_validator(fault: str) -> None:
    assert any(ended_in_time(fault) for _ in range(TRIES))
