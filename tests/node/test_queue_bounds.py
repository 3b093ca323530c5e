"""What a queue bears: strangers, large messages, a server that accepts and hangs up, memory that runs out."""

import asyncio
import socket as sockets
from pathlib import Path
from typing import Any

import pytest

from chain.links import Peer, RequestFailed
from chain.messages import Message
from chain.messages.link import Failed
from chain.messages.storage import NotThere, ReadHead
from node.queues import asking, blocking, serving
from node.queues.asking import NOTIFY_QUEUE_BYTES, AskingSocket
from node.queues.blocking import BlockingSocket
from node.queues.dialing import UNIX, Dialer
from node.queues.frames import HELLO_BYTES, Connection, Kind, frame
from node.queues.serving import ServingSocket
from tests.node.test_frames import Ear
from tests.node.test_queues import DEADLINE_S

QUESTION = ReadHead()


class Desk:
    """Answers each request with what it is given, and counts the notices."""

    def __init__(self, answer: Message, notices: int = 0) -> None:
        self._answer = answer
        self._wanted = notices
        self.requests = 0
        self.enough = asyncio.Event()

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        self.requests += 1
        return self._answer

    def hear(self, message: Message, peer: Peer) -> None:
        self._wanted -= 1
        if not self._wanted:
            self.enough.set()

    def joined(self, peer: Peer) -> None: ...

    def left(self, peer: Peer) -> None: ...


class Redialing(Ear):
    """Wants a connection."""

    dialer: Dialer

    def lost(self, connection: Connection) -> None:
        self.dialer.dial()


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"{UNIX}{tmp_path / 'socket'}"


@pytest.mark.parametrize("sent", [frame(Kind.HELLO, 0, bytes(HELLO_BYTES + 1)), frame(Kind.REQUEST, 1, b"who am I")])
async def test_a_stranger_is_cut_off_before_its_memory_is_taken_in(sent: bytes, endpoint: str) -> None:
    server = ServingSocket(endpoint, Desk(NotThere()))
    reader, writer = await asyncio.open_unix_connection(endpoint.removeprefix(UNIX))
    writer.write(sent[: HELLO_BYTES // 2])  # of the large one not even half has come
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    writer.close()
    await server.close()


async def test_the_few_large_answers_of_a_worker_all_arrive(endpoint: str) -> None:
    desk = Desk(NotThere(), notices=3)
    server, connected = ServingSocket(endpoint, desk, desk.hear), asyncio.Event()
    worker = AskingSocket(endpoint, "reader-0", lambda is_there: connected.set())
    async with asyncio.timeout(DEADLINE_S):
        await connected.wait()
        for _ in range(3):
            worker.notify(Failed("large", "x" * (NOTIFY_QUEUE_BYTES + 1)))
            await asyncio.sleep(0)
        await desk.enough.wait()
    assert worker.dropped_frames == 0
    await worker.close()
    await server.close()


async def test_what_is_too_large_for_a_frame_fails_once_and_nothing_else_with_it(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (asking, serving):
        monkeypatch.setattr(module, "MAX_PAYLOAD_BYTES", 5_000)
    desk = Desk(Failed("large", "x" * 6_000))
    server = ServingSocket(endpoint, desk)
    asker = AskingSocket(endpoint, "rpc")
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(RequestFailed, match="an answer of 60"):
            await asker.request(QUESTION)
        with pytest.raises(RequestFailed, match="a request of 60"):
            await asker.request(Failed("large", "x" * 6_000))
    assert desk.requests == 1
    await asker.close()
    await server.close()


async def test_a_server_that_accepts_and_hangs_up_is_dialled_ever_more_slowly(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    turn, enough = asyncio.sleep, asyncio.Event()

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 6:
            enough.set()
            await asyncio.Event().wait()
        await turn(0)

    monkeypatch.setattr("node.queues.dialing.asyncio.sleep", sleep)
    server = await asyncio.start_unix_server(lambda _, writer: writer.transport.abort(), endpoint.removeprefix(UNIX))
    ear = Redialing()
    ear.dialer = dialer = Dialer(endpoint, lambda: Connection(ear))
    dialer.dial()
    async with asyncio.timeout(DEADLINE_S):
        await enough.wait()
    assert pauses == [0.0, *sorted(pauses[1:])]
    assert pauses[-1] > 4 * pauses[1] > 0
    dialer.close()
    server.close()
    for _ in range(5):  # until the transports have let go of their sockets
        await turn(0)
    await server.wait_closed()


def test_memory_that_runs_out_within_an_answer_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of that answer in the stream would be read as the next one's beginning."""
    ours, theirs = sockets.socketpair()
    whole = blocking._exactly

    def exactly(incoming: Any, size: int) -> bytes:
        if size > 1_000:
            raise MemoryError
        return whole(incoming, size)

    monkeypatch.setattr(blocking, "_exactly", exactly)
    monkeypatch.setattr(blocking, "_connect", lambda endpoint: ours)
    theirs.sendall(frame(Kind.ANSWER, 1, bytes(2_000)))
    with pytest.raises(MemoryError):
        BlockingSocket("", "worker-0").request(QUESTION)
    assert ours.fileno() == -1
    theirs.close()
