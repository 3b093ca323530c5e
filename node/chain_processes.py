"""The chain's processes as rpc lists and controls them: by their supervisor, or not at all where each runs alone."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

from chain.codec import decode_message, encode_message
from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ControlProcess, ProcessAction
from chain.messages.link import Done, Failed
from chain.types import ValidatorIndex
from node.plan import Kind, Plan, Role
from node.process_control import MESSAGE_BYTES, Control
from rpc.errors import ServerError
from rpc.methods import Processes

ANSWER_TIMEOUT_S = 5.0
COMPOSE_VERBS = {
    ProcessAction.KILL: "kill",
    ProcessAction.PAUSE: "pause",
    ProcessAction.RESUME: "unpause",
    ProcessAction.RESTART: "restart",
}


def chain_processes(plan: Plan) -> Processes:
    """How the processes of this chain are run."""
    if plan.processes_file is None or plan.control_socket is None:
        return LoneProcesses()
    return SupervisedProcesses(plan.processes_file, plan.control_socket)


class SupervisedProcesses:
    """Those of `tandem up` (implements rpc.methods.Processes)."""

    def __init__(self, processes_file: str, control_socket: str) -> None:
        self._processes_file = Path(processes_file)
        self._control_socket = control_socket

    def listed(self) -> Any:
        try:
            return json.loads(self._processes_file.read_text())["processes"]
        except FileNotFoundError:  # the chain is ending
            return None

    async def control(self, validator: ValidatorIndex, action: ProcessAction) -> None:
        await self._request(ControlProcess(_name(validator), action))

    async def change_executors(self, verdict: ExecutorsVerdict) -> None:
        await self._request(verdict)

    async def _request(self, request: Control) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await self._ask(encode_message(request))
        except (OSError, TimeoutError) as error:
            raise ServerError(f"the supervisor does not answer: {error or 'it took too long'}") from error
        if isinstance(answer, Failed):
            raise ServerError(answer.text)

    async def _ask(self, request: bytes) -> Done | Failed:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, self._control_socket)
            await loop.sock_sendall(asking, request)
            answer = decode_message(await loop.sock_recv(asking, MESSAGE_BYTES))
        assert isinstance(answer, Done | Failed)
        return answer


class LoneProcesses:
    """Those that run each in a container (implements rpc.methods.Processes)."""

    def listed(self) -> None:
        return None

    async def control(self, validator: ValidatorIndex, action: ProcessAction) -> None:
        raise ServerError(
            f"this chain has no supervisor, its processes are containers: "
            f"use docker compose {COMPOSE_VERBS[action]} {_name(validator)}"
        )

    async def change_executors(self, verdict: ExecutorsVerdict) -> None:
        """Of containers there is one executor, with nobody to differ from."""
        raise ServerError("this chain has no supervisor, which could stop an executor or start another")


def _name(validator: ValidatorIndex) -> str:
    return Role(Kind.VALIDATOR, validator).name
