"""The validators of a chain for a benchmark: real processes, and what they use of the machine."""

import contextlib
import cProfile
import ctypes
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chain.genesis import Genesis
from node import folder as folders
from node.endpoints import LocalEndpoints
from node.lifeline import die_with_parent
from node.plan import Kind, Plan, Role
from node.queues.asking import AskingSocket
from node.queues.frames import HEAD, Connection
from node.roles import run_role
from node.settings import Settings

GAS_LIMIT = 10**12
"""So that the bytes of a proposal bound it, not the gas."""
EXIT_SECONDS = 10
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class ValidatorEnded(Exception):
    """A validator process ended while it was measured."""


@dataclass(frozen=True, slots=True)
class OrderingChain:
    """A chain that only orders. `durable` forces to the disk what a validator signs, as a chain with a data folder."""

    validators: int
    consensus: str
    executors: int
    durable: bool

    @property
    def name(self) -> str:
        return f"{self.validators} validators"

    @property
    def description(self) -> str:
        disk = "synced to disk" if self.durable else "not synced to disk"
        return f"{self.consensus}, {self.executors} executor(s), {disk}"


@dataclass(frozen=True, slots=True)
class Usage:
    """What the validators used so far, each one's CPU time and all the bytes they sent, and the machine beside them."""

    cpu_seconds: tuple[float, ...]
    machine_idle_seconds: float
    bytes_to_validators: int
    bytes_to_others: int


class Validators:
    """The running processes of one chain."""

    def __init__(self, plan: Plan, processes: Sequence[BaseProcess], sent: Sequence["SentBytes"]) -> None:
        self.plan = plan
        self._processes = processes
        self._sent = sent

    @property
    def genesis(self) -> Genesis:
        return self.plan.folder.genesis

    def usage(self) -> Usage:
        """Raises ValidatorEnded."""
        for process in self._processes:
            if process.exitcode is not None:
                raise ValidatorEnded(f"{process.name} ended with exit code {process.exitcode}")
        return Usage(
            tuple(_cpu_seconds(process.pid or 0) for process in self._processes),
            _idle_seconds(),
            sum(sent.to_validators.value for sent in self._sent),
            sum(sent.to_others.value for sent in self._sent),
        )


@dataclass(frozen=True, slots=True)
class SentBytes:
    """Counters that a validator process shares with the benchmark."""

    to_validators: "Synchronized[int]"
    to_others: "Synchronized[int]"


@contextlib.contextmanager
def running_validators(chain: OrderingChain, profiles: Path | None) -> Iterator[Validators]:
    """Starts them on a new chain in a temporary folder. `profiles` is a folder for what cProfile sees of each."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as path, contextlib.ExitStack() as stack:
        plan = _plan(chain, Path(path))
        processes, counters = [], []
        for index in range(chain.validators):
            name = Role(Kind.VALIDATOR, index).name
            sent = SentBytes(spawn.Value(ctypes.c_longlong), spawn.Value(ctypes.c_longlong))
            arguments = (plan, name, sent, profiles, os.getpid())
            process = spawn.Process(target=_be_validator, name=name, args=arguments, daemon=True)
            process.start()
            stack.callback(_end, process)
            processes.append(process)
            counters.append(sent)
        yield Validators(plan, processes, counters)


def _plan(chain: OrderingChain, path: Path) -> Plan:
    settings = Settings(
        validators=chain.validators,
        consensus=chain.consensus,
        executors=chain.executors,
        gas_limit=GAS_LIMIT,
        log_level="warning",
        quiet=True,
    )
    data, sockets = path / "data", path / "sockets"
    data.mkdir()
    sockets.mkdir()
    folder = folders.create(data, settings, durable=chain.durable)
    faults = str(path / "faults")
    return Plan(settings, folder, LocalEndpoints(sockets), None, None, None, None, faults_file=faults)


def _be_validator(plan: Plan, name: str, sent: SentBytes, profiles: Path | None, parent: int) -> None:
    die_with_parent(parent)
    with patch.object(Connection, "send", _counting(sent)):
        if profiles is None:
            raise SystemExit(run_role(plan, name))
        profile = cProfile.Profile()
        status = profile.runcall(run_role, plan, name)
        profile.dump_stats(profiles / f"{name}.prof")
        raise SystemExit(status)


def _counting(sent: SentBytes) -> Callable[..., bool]:
    """Connection.send with a count. A validator's asking sockets lead to the others, its serving one elsewhere."""
    send = Connection.send
    to_validators, to_others = sent.to_validators.get_obj(), sent.to_others.get_obj()

    def counted(connection: Connection, kind: int, number: int = 0, payload: bytes = b"") -> bool:
        went = send(connection, kind, number, payload)
        if went:
            counter: Any = to_validators if isinstance(connection.owner, AskingSocket) else to_others
            counter.value += HEAD.size + len(payload)
        return went

    return counted


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process with its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _idle_seconds() -> float:
    """Of all cores since the machine started."""
    return int(Path("/proc/stat").read_text().split(maxsplit=5)[4]) / CLOCK_TICKS


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(EXIT_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
