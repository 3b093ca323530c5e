"""The chain's processes as rpc lists and controls them: by their supervisor, or not at all where each runs alone."""

import asyncio
import json
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from chain.codec import decode_message, encode_message
from chain.messages.executors import ExecutorsVerdict
from chain.messages.faults import ControlProcess, GivePlace, ProcessAction
from chain.messages.link import Done, Failed
from chain.types import ValidatorIndex
from node.errors import NodeError
from node.plan import Kind, Plan, Role
from node.process_control import MESSAGE_BYTES, Control
from node.successor import Successors as SuccessorsOf
from rpc.errors import InvalidParams, ServerError
from rpc.methods import Processes

ANSWER_TIMEOUT_S = 5.0
NOTICE_S = 0.1
"""For clients to see that their idle connections were closed: one that is answered first would use them once more."""
COMPOSE_VERBS = {
    ProcessAction.KILL: "kill",
    ProcessAction.PAUSE: "pause",
    ProcessAction.RESUME: "unpause",
    ProcessAction.RESTART: "restart",
}


class Successors(Protocol):
    """Makes the folders of chains that may take this one's place. Both block, and raise NodeError."""

    are_possible: bool

    def make_fork(self, url: str | None, block: int | None) -> None: ...

    def make_unforked(self) -> None: ...


def chain_processes(plan: Plan, ending: asyncio.Event) -> Processes:
    """How the processes of this chain are run. `ending` is set when this process is told to end."""
    if plan.processes_file is None or plan.control_socket is None:
        return LoneProcesses()
    return SupervisedProcesses(plan.processes_file, plan.control_socket, SuccessorsOf(plan), ending)


class SupervisedProcesses:
    """Those of `tandem up` (implements rpc.methods.Processes)."""

    def __init__(self, processes_file: str, control_socket: str, successors: Successors, ending: asyncio.Event) -> None:
        self._processes_file = Path(processes_file)
        self._control_socket = control_socket
        self._successors = successors
        self.may_give_place = successors.are_possible
        self._ending = ending
        self._forking = asyncio.Lock()

    def listed(self) -> Any:
        try:
            return json.loads(self._processes_file.read_text())["processes"]
        except FileNotFoundError:  # the chain is ending
            return None

    async def control(self, validator: ValidatorIndex, action: ProcessAction) -> None:
        await self._request(ControlProcess(_name(validator), action))

    async def change_executors(self, verdict: ExecutorsVerdict) -> None:
        await self._request(verdict)

    async def fork(self, url: str | None, block: int | None) -> None:
        await self._give_place(partial(self._successors.make_fork, url, block))

    async def end_fork(self) -> None:
        await self._give_place(self._successors.make_unforked)

    async def _give_place(self, make: Callable[[], None]) -> None:
        """Answers when no request reaches this chain any more: the next one is the other chain's to answer."""
        async with self._forking:
            if self._ending.is_set():
                raise ServerError("another chain takes this one's place already")
            try:
                await asyncio.to_thread(make)
            except NodeError as error:
                raise InvalidParams(str(error)) from error
            await self._request(GivePlace())
            await self._ending.wait()
            await asyncio.sleep(NOTICE_S)

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

    may_give_place = False

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

    async def fork(self, url: str | None, block: int | None) -> None:
        raise InvalidParams(
            "this chain has no supervisor, its processes are containers: start another one with tandem up "
            "--fork-url URL --fork-block N"
        )

    async def end_fork(self) -> None:
        raise InvalidParams("this chain has no supervisor, its processes are containers: start another one")


def _name(validator: ValidatorIndex) -> str:
    return Role(Kind.VALIDATOR, validator).name
