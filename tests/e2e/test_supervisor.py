"""Starting and ending a chain: what is printed, what is left behind, and one clear line for each thing in the way."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.e2e.chain_process import ChainProcess, alive, chain, group_members, wait_until
from tests.e2e.command_line import refusal, tandem
from tests.e2e.machine import MachineWatch
from tests.e2e.running_node import DEADLINE_S, PROJECT, free_port

TRIES = 4
"""Where the machine is busy, once in so many is enough."""
TOO_SLOW = "did not end when asked to, and was killed"


def ended_in_time(number: signal.Signals) -> bool:
    """Whether a chain that has just been used ended within two seconds, each of its processes by itself. One that did
    not is a failure, unless the machine was busy.
    """
    running = ChainProcess()
    pids = running.ready()["processes"].values()
    data = Path(running.ready()["dataDir"])
    with contextlib.closing(running.rpc()) as rpc:
        one, two = rpc.call("eth_accounts")[:2]
        for _ in range(20):
            rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1", "gas": "0x5208"})
        with MachineWatch() as watch:
            status, seconds = running.end(number)
    assert status == 0
    assert not [pid for pid in pids if alive(pid)]
    assert not data.exists(), "a temporary data folder is removed"
    assert running.complaints == []
    return was_in_time(running, seconds, watch)


def was_in_time(running: ChainProcess, seconds: float, watch: MachineWatch) -> bool:
    """Of a chain that has ended; anything else than slowness on a busy machine is a failure."""
    said = troubles(running)
    assert not [text for text in said if not text.endswith(TOO_SLOW)]
    if watch.was_busy and (said or seconds >= 2):
        return False
    assert seconds < 2
    assert said == []
    return True


def troubles(running: ChainProcess) -> list[str]:
    return [event["text"] for event in running.events if event["event"] == "trouble"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_within_two_seconds(number: signal.Signals) -> None:
    assert any(ended_in_time(number) for _ in range(TRIES))


def test_a_signal_to_the_whole_group_is_no_trouble() -> None:
    """As `timeout` and systemd send it; the supervisor learns of the signal and of the workers' ends at once."""
    running = ChainProcess()
    worker = running.ready()["processes"]["worker-0"]
    running.process.send_signal(signal.SIGSTOP)
    os.killpg(running.process.pid, signal.SIGTERM)
    wait_until(lambda: not alive(worker), "the worker has ended")
    running.process.send_signal(signal.SIGCONT)
    status, _ = running.end(signal.SIGTERM)
    assert (status, running.complaints) == (0, [])
    assert not [said for said in troubles(running) if not said.endswith(TOO_SLOW)]


@pytest.mark.parametrize("milliseconds", [30, 80, 120, 160, 200, 250, 300, 400, 500, 700])
def test_ctrl_c_at_any_moment_of_the_start_leaves_nothing(milliseconds: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "node", "up", "--port", "0", "--quiet"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    # Where a shell started the tests in its background it is ignored, and the program would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    threading.Event().wait(milliseconds / 1000)  # the moment is the subject here
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=DEADLINE_S)
    if b"from node.main" in errors or not errors.endswith(b"KeyboardInterrupt\n"):  # else it was Python's own start
        assert (output, errors) == (b"", b"")
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: not group_members(process.pid), "its processes are gone")


def test_a_worker_whose_task_took_too_long_is_told_of_in_words_and_starts_again() -> None:
    """Its own alarm ends it like this (`execution/worker_limits.py`)."""
    with chain() as running:
        worker = running.pids()["worker-0"]
        os.kill(worker, signal.SIGPROF)
        trouble = running.event(lambda event: event["event"] == "trouble")
        assert trouble["text"] == "worker-0 took too long for one task and was stopped: starting it again"
        wait_until(lambda: running.pids().get("worker-0") not in (None, worker), "another one runs")


def test_a_killed_supervisor_leaves_no_process_behind() -> None:
    running = ChainProcess()
    pids = list(running.ready()["processes"].values())
    running.process.kill()
    wait_until(lambda: not any(map(alive, pids)), "all processes are gone")
    running.kill_everything()


def test_the_ready_event_names_what_a_user_needs() -> None:
    with chain("--accounts", "3") as running:
        facts = running.ready()
        assert facts["http"] == running.url
        assert facts["ws"] == running.url.replace("http", "ws")
        assert facts["chainId"] == 31337
        assert [account["address"] for account in facts["accounts"]][:1] == [
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        ]
        assert len(facts["accounts"]) == 3
        assert {"rpc", "storage", "execution", "worker-0", "validator-3"} <= facts["processes"].keys()


def test_people_get_the_banner_and_a_line_for_each_block() -> None:
    port = free_port()
    command = [sys.executable, "-m", "node", "up", "--port", str(port), "--block-time", "100ms"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ready in" in printed and "block 1 " in printed:
            break
    process.send_signal(signal.SIGINT)
    process.wait(DEADLINE_S)
    process.stdout.close()
    for wanted in (
        "(0) 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 (10,000 ETH",
        "(0) 0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        f"RPC         http://127.0.0.1:{port}",
        f"WebSocket   ws://127.0.0.1:{port}",
        "Chain id    31337",
        "temporary, removed at the end",
        "validator-3",
        "retries 0",
    ):
        assert wanted in printed


def test_status_shows_a_running_chain() -> None:
    with chain() as running:
        shown = tandem("status", "--url", running.url)
    assert shown.returncode == 0, shown.stderr
    for wanted in ("chain 31337", "verified 0", "execution", "storage", "mempool", "worker-0", "hotstuff-2"):
        assert wanted in shown.stdout


def test_status_without_a_chain_says_what_to_do() -> None:
    shown = tandem("status", "--url", "http://127.0.0.1:1")
    assert shown.returncode == 1
    assert "no chain answers at http://127.0.0.1:1" in shown.stderr
    assert "scripts/up" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_command_alone_prints_its_help() -> None:
    shown = tandem()
    assert shown.returncode == 2
    assert shown.stderr.startswith("Usage: tandem [OPTIONS] COMMAND")


def test_the_programs_of_the_folder_it_is_typed_in_are_left_alone(tmp_path: Path) -> None:
    for room in ("chain", "consensus", "execution", "storage", "rpc", "node", "json", "click"):
        (tmp_path / f"{room}.py").write_text("raise SystemExit('a file of the user was run')")
    command = [str(PROJECT / "scripts" / "up"), "--port", "0", "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        printed = ""
        while '"event": "ready"' not in printed and (line := process.stdout.readline()):
            printed += line
        process.send_signal(signal.SIGTERM)
    assert '"event": "ready"' in printed


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal("--port", str(port))
    assert line.startswith(f"tandem: port {port} on 127.0.0.1 is in use")
    assert "--port" in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--validators", "0"), "--validators 0 is out of range: give 1 to"),
        (("--block-time", "soon"), "block time 'soon' is not known"),
        (("--hardfork", "osakaa"), "'osakaa' is not one of 'cancun', 'prague', 'osaka'"),
        (("--mnemonic", "no"), "the mnemonic is not valid"),
        (("--host", "999.1.1.1"), "--host '999.1.1.1' is no address of this machine"),
        (("--no-such-option",), "No such option"),
        (("--workers", "many"), "'many' is not a valid integer"),
        (("--strategy", "best"), "'best' is not one of"),
    ],
)
def test_an_option_out_of_range_is_refused(options: tuple[str, ...], words: str) -> None:
    assert words in refusal(*options)


def test_a_folder_of_another_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    line = refusal("--data-dir", str(tmp_path))
    assert "holds no chain" in line
    assert "\n" not in line


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    assert "is a file: give another --data-dir" in refusal("--data-dir", str(tmp_path / "file"))


def test_a_folder_in_use_by_another_chain_is_refused(tmp_path: Path) -> None:
    with chain("--data-dir", str(tmp_path / "chain")):
        line = refusal("--data-dir", str(tmp_path / "chain"))
    assert "another Tandem runs in" in line
    assert "\n" not in line


def test_a_damaged_database_is_refused_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with chain("--data-dir", str(folder)) as running:
        running.end()
    manifest = next((folder / "storage-0").glob("MANIFEST-*"))
    manifest.write_bytes(b"not a manifest")
    line = refusal("--data-dir", str(folder))
    assert "storage" in line
    assert "damaged" in line
    assert "\n" not in line


def test_the_listening_socket_outlives_rpc() -> None:
    with chain() as running:
        pid = running.pids()["rpc"]
        with contextlib.closing(running.rpc()) as rpc:
            assert rpc.call("eth_blockNumber") == "0x0"
        subprocess.run(["kill", "-9", str(pid)], check=True)
        with contextlib.closing(running.rpc()) as rpc:
            assert rpc.call("eth_blockNumber") == "0x0", "asked while rpc starts again, answered when it has"
        wait_until(lambda: running.pids().get("rpc") not in (None, pid), "another one runs")
