"""Which processes a chain is made of, and what each must know to start."""

import re
import socket
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from node.endpoints import Endpoints
from node.errors import BadSetting
from node.executors import Executors
from node.folder import DataFolder
from node.settings import Settings

READERS = 2
"""One that may be busy with a trace, and one that answers calls meanwhile."""
"""Processes that run eth_call and the like."""


class Kind(Enum):
    STORAGE = "storage"
    EXECUTION = "execution"
    WORKER = "worker"
    VALIDATOR = "validator"
    READER = "reader"
    RPC = "rpc"


@dataclass(frozen=True, slots=True)
class Role:
    """One process's job. `executor` says whose storage, execution or worker it is."""

    kind: Kind
    index: int = 0
    executor: int = 0

    @property
    def name(self) -> str:
        """As people see it: storage, execution, worker-1, validator-2, rpc; worker-1.0 is of the second executor."""
        if self.kind in (Kind.STORAGE, Kind.EXECUTION):
            return self.kind.value if self.executor == 0 else f"{self.kind.value}-{self.executor}"
        if self.kind == Kind.WORKER and self.executor:
            return f"worker-{self.executor}.{self.index}"
        return self.kind.value if self.kind == Kind.RPC else f"{self.kind.value}-{self.index}"


def role_named(name: str) -> Role:
    """The role that `name` means; a worker or reader may leave out its number. Raises BadSetting."""
    match = re.fullmatch(r"([a-z]+)(?:-(\d+)(?:\.(\d+))?)?", name)
    kinds = {kind.value: kind for kind in Kind}
    if match is None or match[1] not in kinds:
        raise BadSetting(f"unknown role {name!r}: give storage, execution, rpc, validator-N, worker or reader")
    kind, first, second = kinds[match[1]], int(match[2] or 0), match[3]
    if kind in (Kind.STORAGE, Kind.EXECUTION):
        return Role(kind, executor=first)
    if kind == Kind.WORKER and second is not None:
        return Role(kind, int(second), executor=first)
    return Role(kind, first)


@dataclass(frozen=True, slots=True)
class Successor:
    """Where rpc may make the chain that takes this one's place, and how it is to be when it is no fork."""

    path: Path
    unforked: Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a process of this chain starts from. `listening` is the RPC socket, open before any fork."""

    settings: Settings
    folder: DataFolder
    endpoints: Endpoints
    listening: socket.socket | None
    ready_pipe: int | None
    """Where rpc writes a line once it can answer."""
    processes_file: str | None
    """Where the supervisor says which processes there are, as JSON; None where there is no supervisor."""
    control_socket: str | None
    """Where the supervisor takes requests to stop and start a process; None where there is no supervisor."""
    faults_file: str
    """Where rpc says which network faults are in force: they last as long as the folder that it is in."""
    successor: Successor | None = None
    """None where no chain can take this one's place."""
    executors_at_start: tuple[int, ...] = field(init=False)
    """The full executors that the chain began this life with; others stand in when one of them is wrong."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "executors_at_start", self.executors.at_start(self.settings.executors))

    @property
    def executors(self) -> Executors:
        """Which executors may run."""
        return Executors(self.folder.path)

    def light_roles(self) -> tuple[Role, ...]:
        """The processes that never import py-evm."""
        executors = self.executors_at_start
        validators = range(len(self.folder.genesis.validators))
        return (
            *(Role(Kind.STORAGE, executor=executor) for executor in executors),
            Role(Kind.RPC),
            *(Role(Kind.VALIDATOR, index) for index in validators),
        )

    def evm_roles(self) -> tuple[Role, ...]:
        """The processes that run bytecode."""
        executors = self.executors_at_start
        return (
            *(Role(Kind.EXECUTION, executor=executor) for executor in executors),
            *(role for executor in executors for role in self.worker_roles(executor)),
            *self.reader_roles(),
        )

    def reader_roles(self) -> tuple[Role, ...]:
        """The processes that run calls for rpc."""
        return tuple(Role(Kind.READER, index) for index in range(READERS))

    def worker_roles(self, executor: int) -> tuple[Role, ...]:
        """The workers of an executor: none if it stands in, or if a Dask cluster does their work."""
        elsewhere = self.stands_in(executor) or self.settings.dask_scheduler is not None
        workers = 0 if elsewhere else self.settings.workers
        return tuple(Role(Kind.WORKER, index, executor) for index in range(workers))

    def stands_in(self, executor: int) -> bool:
        """Whether it came in for a wrong one, or to decide: it runs every transaction in order, by itself."""
        return executor not in self.executors_at_start
