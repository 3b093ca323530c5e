"""rpc and the supervisor speak over a socket file; without a supervisor the user is told what does the same."""

import asyncio
import selectors
from pathlib import Path

import pytest

from chain.messages.faults import ControlProcess, GivePlace, ProcessAction
from chain.types import ValidatorIndex
from node.chain_processes import LoneProcesses, SupervisedProcesses
from node.errors import BadSetting
from node.process_control import Control, ControlRefused, ControlSocket
from rpc.errors import InvalidParams, ServerError


class Supervisor:
    """Takes requests as the supervisor's loop does, and refuses to kill."""

    def __init__(self, path: Path) -> None:
        self.asked: list[Control] = []
        self.selector = selectors.DefaultSelector()
        self.socket = ControlSocket(str(path), self.selector, self._control)

    def _control(self, asked: Control) -> None:
        self.asked.append(asked)
        if isinstance(asked, ControlProcess) and asked.action is ProcessAction.KILL:
            raise ControlRefused("it lives on")

    def serve(self, requests: int) -> None:
        while len(self.asked) < requests:
            for key, _ in self.selector.select(5):
                key.data(key.fileobj)


class Made:
    """The chains that were made, or why none is."""

    are_possible = True

    def __init__(self, refusal: str | None = None) -> None:
        self.chains: list[tuple[str | None, int | None] | None] = []
        self._refusal = refusal

    def make_fork(self, url: str | None, block: int | None) -> None:
        if self._refusal is not None:
            raise BadSetting(self._refusal)
        self.chains.append((url, block))

    def make_unforked(self) -> None:
        self.chains.append(None)


def _supervised(path: Path, made: Made | None = None, ending: asyncio.Event | None = None) -> SupervisedProcesses:
    return SupervisedProcesses(
        str(path / "processes.json"), str(path / "control"), made or Made(), ending or asyncio.Event()
    )


async def test_a_request_reaches_the_supervisor_and_its_refusal_the_asker(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "control")
    processes = _supervised(tmp_path)
    served = asyncio.to_thread(supervisor.serve, 2)
    asking = asyncio.gather(served, processes.control(ValidatorIndex(2), ProcessAction.PAUSE), _refused(processes))
    await asyncio.wait_for(asking, 60)
    supervisor.socket.close()
    assert set(supervisor.asked) == {
        ControlProcess("validator-2", ProcessAction.PAUSE),
        ControlProcess("validator-1", ProcessAction.KILL),
    }


async def _refused(processes: SupervisedProcesses) -> None:
    with pytest.raises(ServerError, match="it lives on"):
        await processes.control(ValidatorIndex(1), ProcessAction.KILL)


async def test_a_supervisor_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    processes = _supervised(tmp_path)
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


@pytest.mark.parametrize("fork", [("http://remote", 7), None])
async def test_a_chain_is_made_before_this_one_gives_place_and_refused_with_the_reason(
    tmp_path: Path, fork: tuple[str, int] | None
) -> None:
    made = Made()
    supervisor, ending = Supervisor(tmp_path / "control"), asyncio.Event()
    processes = _supervised(tmp_path, made, ending)
    served = asyncio.to_thread(supervisor.serve, 1)
    changing = asyncio.create_task(processes.end_fork() if fork is None else processes.fork(*fork))
    await asyncio.wait_for(served, 60)
    supervisor.socket.close()
    assert made.chains == [fork]
    assert supervisor.asked == [GivePlace()]
    assert not changing.done(), "a request that reached this chain later would be answered by it"
    ending.set()
    await changing
    with pytest.raises(ServerError, match="takes this one's place already"):
        await processes.fork("http://remote", 8)
    with pytest.raises(InvalidParams, match="no such block"):
        await _supervised(tmp_path, Made("no such block")).fork(None, 8)
