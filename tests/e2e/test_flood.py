"""A peer that floods a validator: it is named and counted, memory stays where it was, and the chain keeps its pace."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import PROJECT

FRAMES = 100_000
QUIET_TRANSFERS = 60
MOST_GROWTH_BYTES = 20_000_000
SLOWEST = 8
"""How many times slower than at rest a transaction may be. The flooding process alone takes one of two cores."""
VICTIM = 0


def runtime_folder(running: ChainProcess) -> Path:
    """Where this chain's sockets are: its list of processes names them."""
    pid = running.pids()["validator-0"]
    for file in Path(tempfile.gettempdir()).glob("tandem-run-*/processes.json"):
        with contextlib.suppress(OSError, ValueError):
            if pid in [process["pid"] for process in json.loads(file.read_text())["processes"]]:
                return file.parent
    raise AssertionError("no runtime folder names the processes of this chain")


def resident_bytes(pid: int) -> int:
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


def transfer(rpc: JsonRpc, addresses: list[str]) -> float:
    """Seconds from sending a transfer to its receipt."""
    started = time.monotonic()
    sent = rpc.call("eth_sendTransaction", {"from": addresses[0], "to": addresses[1], "value": "0x1"})
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")
    return time.monotonic() - started


def quiet_pace(rpc: JsonRpc, addresses: list[str]) -> float:
    """Seconds that a transfer takes while nobody floods."""
    return median(transfer(rpc, addresses) for _ in range(QUIET_TRANSFERS))


def counted_all(rpc: JsonRpc, peer: str, reasons: set[str]) -> None:
    """Nearly all frames are counted, for each of the reasons."""

    def counted() -> int:
        return sum(times for (who, _), times in refused(rpc).items() if who == peer)

    wait_until(lambda: counted() >= FRAMES * 0.9, "nearly all frames are counted")
    assert reasons <= {reason for who, reason in refused(rpc) if who == peer}


def refused(rpc: JsonRpc) -> Counter[tuple[str, str]]:
    told = rpc.call("tandem_status")["validators"][VICTIM].get("rejections", [])
    return Counter({(entry["peer"], entry["reason"]): entry["times"] for entry in told})


@pytest.mark.parametrize(
    ("who", "peer", "reasons"),
    [
        ("stranger", "stranger", {"UnprovenPeer"}),
        ("validator", "validator-3", {"MalformedFrame", "MalformedMessage", "OutOfWindow", "WrongSignature"}),
    ],
)
def test_a_flood_is_counted_and_costs_neither_memory_nor_pace(
    who: str, peer: str, reasons: set[str], tmp_path: Path
) -> None:
    """Whoever floods with validator 3's key does so in its place: it is paused, at rest and in the flood alike."""
    folder = tmp_path / "chain"
    with chain("--data-dir", str(folder)) as running, contextlib.closing(running.rpc()) as rpc:
        addresses = [account["address"] for account in running.ready()["accounts"][:2]]
        if who != "stranger":
            os.kill(running.pids()["validator-3"], signal.SIGSTOP)
        quiet_s = quiet_pace(rpc, addresses)
        pid = running.pids()[f"validator-{VICTIM}"]
        before_bytes = peak_bytes = resident_bytes(pid)
        endpoint = f"ipc://{runtime_folder(running)}/peer-{VICTIM}"
        command = [sys.executable, "-m", "tests.e2e.flood", str(folder), endpoint, who, str(VICTIM), str(FRAMES)]
        flood = subprocess.Popen(command, cwd=PROJECT)
        try:
            wait_until(lambda: any(refused(rpc)[peer, reason] for reason in reasons), "the flood has begun")
            times: list[float] = []
            while flood.poll() is None or not times:
                times.append(transfer(rpc, addresses))
                peak_bytes = max(peak_bytes, resident_bytes(pid))
        finally:
            flood.kill()
            flood.wait()
        assert flood.returncode == 0
        flooded_s = median(times)
        counted_all(rpc, peer, reasons)
        quiet_s = max(quiet_s, quiet_pace(rpc, addresses))  # what else runs on the machine comes and goes
        report = f"quiet {quiet_s * 1000:.1f} ms, flooded {flooded_s * 1000:.1f} ms ({len(times)} transfers), "
        print(report + f"growth {(peak_bytes - before_bytes) / 1e6:.1f} MB")
        assert flooded_s < quiet_s * SLOWEST, report
        assert peak_bytes - before_bytes < MOST_GROWTH_BYTES, report
        assert running.pids()[f"validator-{VICTIM}"] == pid, "the validator lives"
        transfer(rpc, addresses)
