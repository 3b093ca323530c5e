"""rpc and the supervisor speak over a socket file; without a supervisor the user is told what does the same."""

import asyncio
import selectors
from pathlib import Path

import pytest

from chain.messages.faults import ControlProcess, ProcessAction
from chain.types import ValidatorIndex
from node.chain_processes import LoneProcesses, SupervisedProcesses
from node.process_control import Control, ControlRefused, ControlSocket
from rpc.errors import ServerError


class Supervisor:
    """Takes requests as the supervisor's loop does, and refuses to kill."""

    def __init__(self, path: Path) -> None:
        self.asked: list[ControlProcess] = []
        self.selector = selectors.DefaultSelector()
        self.socket = ControlSocket(str(path), self.selector, self._control)

    def _control(self, asked: Control) -> None:
        assert isinstance(asked, ControlProcess)
        self.asked.append(asked)
        if asked.action is ProcessAction.KILL:
            raise ControlRefused("it lives on")

    def serve(self, requests: int) -> None:
        while len(self.asked) < requests:
            for key, _ in self.selector.select(5):
                key.data(key.fileobj)


async def test_a_request_reaches_the_supervisor_and_its_refusal_the_asker(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "control")
    processes = SupervisedProcesses(str(tmp_path / "processes.json"), str(tmp_path / "control"))
    served = asyncio.to_thread(supervisor.serve, 2)
    asking = asyncio.gather(served, processes.control(ValidatorIndex(2), ProcessAction.PAUSE), _refused(processes))
    await asyncio.wait_for(asking, 10)
    supervisor.socket.close()
    assert set(supervisor.asked) == {
        ControlProcess("validator-2", ProcessAction.PAUSE),
        ControlProcess("validator-1", ProcessAction.KILL),
    }


async def _refused(processes: SupervisedProcesses) -> None:
    with pytest.raises(ServerError, match="it lives on"):
        await processes.control(ValidatorIndex(1), ProcessAction.KILL)


async def test_a_supervisor_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    processes = SupervisedProcesses(str(tmp_path / "processes.json"), str(tmp_path / "control"))
    assert processes.listed() is None
    with pytest.raises(ServerError, match="the supervisor does not answer"):
        await processes.control(ValidatorIndex(1), ProcessAction.KILL)


@pytest.mark.parametrize(
    ("action", "command"),
    [
        (ProcessAction.KILL, "docker compose kill validator-2"),
        (ProcessAction.PAUSE, "docker compose pause validator-2"),
        (ProcessAction.RESUME, "docker compose unpause validator-2"),
        (ProcessAction.RESTART, "docker compose restart validator-2"),
    ],
)
async def test_where_each_process_is_a_container_the_command_is_named(action: ProcessAction, command: str) -> None:
    processes = LoneProcesses()
    with pytest.raises(ServerError, match=command):
        await processes.control(ValidatorIndex(2), action)
