"""The `tandem` command as a person types it, and the one line with which it refuses."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.running_node import DEADLINE_S, PROJECT


def tandem(*arguments: str, cwd: Path = PROJECT, through: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """What it printed, and its status; `through` is a command that runs it, such as setpriv."""
    command = [*through, sys.executable, "-m", "node", *arguments]
    environment = {"PYTHONPATH": str(PROJECT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=DEADLINE_S, env=environment, check=False
    )


def refusal(*options: str, cwd: Path = PROJECT, through: Sequence[str] = ()) -> str:
    """The one line that `tandem up` ends with."""
    run = tandem("up", "--port", "0", *options, cwd=cwd, through=through)
    assert run.returncode != 0, run.stdout
    assert "Traceback" not in run.stderr, run.stderr
    line = run.stderr.strip()
    assert line.startswith("tandem: ")
    assert "\n" not in line, line
    return line
