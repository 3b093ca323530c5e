"""--check-serial on a running chain: a block that comes out otherwise stops it, is saved, and is run again."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.chain_process import ChainProcess, chain
from tests.e2e.command_line import tandem
from tests.e2e.running_node import DEADLINE_S, PROJECT

THIEF = "0x" + "7e" * 20


def stopped_by_a_mismatch(running: ChainProcess) -> str:
    """What the chain says before it ends, because its first block was wrong."""
    with contextlib.closing(running.rpc()) as rpc:
        sender, recipient, *_ = rpc.call("eth_accounts")
        rpc.call("eth_sendTransaction", {"from": sender, "to": recipient, "value": "0x1"})
    assert running.process.wait(DEADLINE_S) == 1
    said: str = running.event(lambda event: "differs from its serial execution" in str(event))["text"]
    return said


@pytest.mark.parametrize("durable", [True, False])
def test_a_block_that_differs_stops_the_chain_and_its_case_is_run_again(tmp_path: Path, durable: bool) -> None:
    where = ("--data-dir", str(tmp_path / "data")) if durable else ()
    with chain("--check-serial", *where, tampered="0:1", cwd=tmp_path) as running:
        said = stopped_by_a_mismatch(running)
    case = tmp_path / ("data/cases" if durable else "") / "serial-mismatch-1.json"
    assert (
        f"block 1 differs from its serial execution in account {THIEF}; the case is saved: tandem replay {case}" in said
    )
    honest = tandem("replay", str(case))
    assert honest.returncode == 0, honest.stdout + honest.stderr
    assert f"saved because it differed in account {THIEF}" in honest.stdout
    command = [sys.executable, "-m", "tests.e2e.tampered_chain", "replay", str(case)]
    environment = {**os.environ, "TAMPERED": "0:1"}
    again = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert again.returncode == 1, again.stderr
    assert f"other than serial execution in account {THIEF}" in again.stdout
