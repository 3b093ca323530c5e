"""The node to measure: one that runs already, or one started by a command."""

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import IO

from scripts.benchmarks.http_client import HttpError, RpcClient, RpcError

TANDEM = f"{shlex.quote(sys.executable)} -m node up --port {{port}}"
FIRST_ANSWER_SECONDS = 60
EXIT_SECONDS = 10


class NodeDidNotStart(Exception):
    """The command ended, or nothing answered in time; the message carries the end of its output."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to measure: `where` is a URL, or a command to start, with `{port}` where the port goes."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class MeasuredNode:
    """`start_seconds`, from the command to its first answer, is None for a node that was running already."""

    name: str
    url: str
    version: str
    start_seconds: float | None

    @property
    def description(self) -> str:
        return f"{self.version} at {self.url}"


@contextlib.asynccontextmanager
async def running(target: Target) -> AsyncIterator[MeasuredNode]:
    if target.where.startswith("http"):
        yield MeasuredNode(target.name, target.where, await _first_answer(target.where), None)
        return
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    command = shlex.split(target.where.replace("{port}", str(port)))
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = _started(command, output)
        try:
            version = await _first_answer(url, process)
            yield MeasuredNode(target.name, url, version, time.perf_counter() - began)
        except NodeDidNotStart as error:
            output.seek(0)
            tail = output.read()[-2000:].decode(errors="replace")
            raise NodeDidNotStart(f"{error}. It printed:\n{tail}") from None
        finally:
            await _end(process)


def _started(command: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    # A group of its own, to be ended as a whole, but no session: a raised share of the machine holds for a session.
    return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, process_group=0)


async def _first_answer(url: str, process: subprocess.Popen[bytes] | None = None) -> str:
    """The node's version, as soon as it answers."""
    deadline = time.monotonic() + FIRST_ANSWER_SECONDS
    async with RpcClient(url) as client:
        while True:
            try:
                return str(await client.call("web3_clientVersion"))
            except (OSError, HttpError, RpcError) as error:
                if process is None:
                    raise NodeDidNotStart(f"no node answers at {url}: {error}") from None
            if process.poll() is not None:
                raise NodeDidNotStart(f"the command ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise NodeDidNotStart(f"no answer at {url} within {FIRST_ANSWER_SECONDS} s")
            await asyncio.sleep(0.002)


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.to_thread(process.wait, EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
