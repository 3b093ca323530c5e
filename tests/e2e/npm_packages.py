"""The JavaScript and Foundry clients the tests drive, installed by npm beside them."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.running_node import LONG_DEADLINE_S

HERE = Path(__file__).parent
NODE_MODULES = HERE / "node_modules"
INSTALL_ATTEMPTS = 3
"""Networks and registries fail now and then; what an attempt has fetched is kept for the next one."""


class CommandFailed(Exception):
    """A client ended with another exit code than zero; the message is what it printed to its error output."""


@dataclass(frozen=True, slots=True)
class NpmPackages:
    """Installed packages; `environment` goes to every command."""

    environment: Mapping[str, str]

    def run_foundry(self, tool: str, *arguments: str, cwd: Path) -> str:
        """What cast or forge printed; raises `CommandFailed`.

        The package's own launcher in `.bin` loses the exit code, so this runs the program it launches.
        """
        [program] = NODE_MODULES.glob(f"@foundry-rs/{tool}-*/bin/{tool}*")
        return self._run([str(program), *arguments], cwd)

    def run_script(self, script: Path, *arguments: str) -> str:
        """What a Node script beside the packages printed; raises `CommandFailed`."""
        return self._run(["node", str(script), *arguments], HERE)

    def _run(self, command: Sequence[str], cwd: Path) -> str:
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=LONG_DEADLINE_S, check=False
        )
        if done.returncode != 0:
            raise CommandFailed(done.stderr)
        return done.stdout


def install(folder: Path = HERE, environment: Mapping[str, str] | None = None) -> None:
    """Install what the folder's lock file names unless it is there already; skips the test where there is no Node.

    Raises `CommandFailed` with what npm said.
    """
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)} on the PATH")
    with (folder / ".install-lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_if_changed(folder, environment)


def _install_if_changed(folder: Path, environment: Mapping[str, str] | None) -> None:
    # npm writes this file last, so that it is older than the lock file after an update or an interrupted install.
    installed = folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime:
        return
    # Not `npm ci`: it wants every platform's optional package in the lock file, and not all of Foundry's are published.
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund"]
    for _ in range(INSTALL_ATTEMPTS):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONG_DEADLINE_S, check=False
        )
        if done.returncode == 0:
            return
    raise CommandFailed(f"npm install in {folder}: {done.stderr}")
