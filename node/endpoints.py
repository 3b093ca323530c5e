"""Where each serving process listens: sockets in a private folder on one machine, or TCP by name between containers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

STORAGE_PORT, EXECUTION_PORT, RPC_PORT, VALIDATOR_PORT, PEER_PORT = 7100, 7200, 7300, 7400, 7500


class Endpoints(Protocol):
    """Endpoints by role: `bind` is what the role itself binds, the others connect to the plain one."""

    def storage(self, executor: int, *, bind: bool = False) -> str: ...
    def execution(self, executor: int, *, bind: bool = False) -> str: ...
    def rpc(self, *, bind: bool = False) -> str: ...
    def validator(self, index: int, *, bind: bool = False) -> str: ...
    def peer(self, index: int, *, bind: bool = False) -> str: ...


@dataclass(frozen=True, slots=True)
class LocalEndpoints:
    """Unix sockets in `folder`, which only this user may enter."""

    folder: Path

    def storage(self, executor: int, *, bind: bool = False) -> str:
        return f"ipc://{self.folder}/storage-{executor}"

    def execution(self, executor: int, *, bind: bool = False) -> str:
        return f"ipc://{self.folder}/execution-{executor}"

    def rpc(self, *, bind: bool = False) -> str:
        return f"ipc://{self.folder}/rpc"

    def validator(self, index: int, *, bind: bool = False) -> str:
        return f"ipc://{self.folder}/validator-{index}"

    def peer(self, index: int, *, bind: bool = False) -> str:
        return f"ipc://{self.folder}/peer-{index}"


@dataclass(frozen=True, slots=True)
class NamedEndpoints:
    """TCP to hosts that are named as their roles: storage, execution, rpc, validator-0 and so on.

    Further executors are storage-1, execution-1.
    """

    def storage(self, executor: int, *, bind: bool = False) -> str:
        return _tcp("storage" if executor == 0 else f"storage-{executor}", STORAGE_PORT, bind)

    def execution(self, executor: int, *, bind: bool = False) -> str:
        return _tcp("execution" if executor == 0 else f"execution-{executor}", EXECUTION_PORT, bind)

    def rpc(self, *, bind: bool = False) -> str:
        return _tcp("rpc", RPC_PORT, bind)

    def validator(self, index: int, *, bind: bool = False) -> str:
        return _tcp(f"validator-{index}", VALIDATOR_PORT, bind)

    def peer(self, index: int, *, bind: bool = False) -> str:
        return _tcp(f"validator-{index}", PEER_PORT, bind)


def _tcp(host: str, port: int, bind: bool) -> str:
    return f"tcp://{'*' if bind else host}:{port}"
