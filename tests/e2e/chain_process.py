"""A `tandem up` under a test's control: its events, its processes, and every way to end it."""

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.json_rpc import JsonRpc
from tests.e2e.running_node import DEADLINE_S, PROJECT, free_port

SLOW = ("these validators have not told their mempools within", " does not take its tasks", " is stuck: its other work")


class ChainProcess:
    """Starts at once in the folder `cwd`; `events` collects what it prints as JSON. `tampered` as
    tests/e2e/tampered_chain.py has it."""

    def __init__(self, *options: str, port: int | None = None, tampered: str = "", cwd: Path = PROJECT) -> None:
        self.port = free_port() if port is None else port
        module = "tests.e2e.tampered_chain" if tampered else "node"
        command = [sys.executable, "-m", module, "up", "--port", str(self.port), "--json", *options]
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "TAMPERED": tampered, "PYTHONPATH": str(PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rpc(self) -> JsonRpc:
        return JsonRpc(self.url)

    def ready(self) -> dict[str, Any]:
        """The facts it prints when it is ready."""
        return self.event(lambda event: event["event"] == "ready")

    def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event so far, or to come, that is wanted."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for event in list(self.events):
                if wanted(event):
                    return event
            try:
                self._news.get(timeout=deadline - time.monotonic())
            except (queue.Empty, ValueError):
                raise AssertionError(f"not printed within {DEADLINE_S} s: {self.events} {self.errors}") from None

    @property
    def complaints(self) -> list[str]:
        """What it printed to its error output, but for warnings of a machine that is slow."""
        return [line for line in self.errors if not any(words in line for words in SLOW)]

    def pids(self) -> dict[str, int]:
        """The processes that are alive now, by name; asked again when rpc dies while it answers."""
        with contextlib.closing(self.rpc()) as rpc:
            try:
                return {row["name"]: row["pid"] for row in rpc.call("tandem_status")["processes"] if row["pid"]}
            except (OSError, http.client.HTTPException):
                assert self.process.poll() is None, f"the chain has ended: {self.errors}"
        return self.pids()

    def end(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Its exit status after the signal, and how many seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        seconds = time.monotonic() - started
        self._finish_reading()
        return status, seconds

    def kill_everything(self) -> None:
        """SIGKILL to all of its processes at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._finish_reading()

    def _finish_reading(self) -> None:
        for reader in self._readers:
            reader.join(DEADLINE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read_events(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            self._news.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)


@contextlib.contextmanager
def chain(*options: str, port: int | None = None, tampered: str = "", cwd: Path = PROJECT) -> Iterator[ChainProcess]:
    """A chain that is ready, and that leaves nothing behind."""
    running = ChainProcess(*options, port=port, tampered=tampered, cwd=cwd)
    try:
        running.ready()
        yield running
    finally:
        running.kill_everything()


def alive(pid: int) -> bool:
    """Whether the process runs: a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter of one that ends between opening and reading
        return False


def group_members(group: int) -> list[int]:
    """The processes of a process group that run."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _group_of(pid) == group and alive(pid)]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def told_by(rpc: JsonRpc, process: str) -> dict[str, Any]:
    """What execution or storage says of itself, once it answers: `tandem_status` gives it but a second."""
    found: list[dict[str, Any]] = []

    def answers() -> bool:
        found[:] = filter(None, [rpc.call("tandem_status")[process]])
        return bool(found)

    wait_until(answers, f"{process} tells of itself")
    return found[0]


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Looks again and again, with a pause so short that it does not matter. For what cannot be waited for."""
    deadline = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {what}"
        threading.Event().wait(0.01)
