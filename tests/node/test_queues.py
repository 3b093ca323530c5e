"""The queues outlive what they connect: requests are answered, news is followed from the cursor, losses are noticed."""

import asyncio
import contextlib
import socket as sockets
from collections.abc import Callable
from pathlib import Path

import pytest

from chain.codec import encode_message
from chain.links import Peer, RequestFailed
from chain.messages import Message
from chain.messages.execution import BlockNews, FollowBlocks
from chain.messages.link import Done
from chain.messages.storage import NotThere, ReadBlock, ReadHead, ReadStorageStatus
from chain.types import ZERO_HASH, BlockNumber, Gas, Height, Wei
from node.queues.asking import AskingSocket
from node.queues.blocking import BlockingSocket, _connect
from node.queues.dialing import UNIX, connect, listening_socket
from node.queues.frames import HEAD, Connection, Kind, frame
from node.queues.serving import PUSH_WINDOW_BYTES, ServingSocket
from tests.e2e.running_node import free_port

DEADLINE_S = 60.0


class Newsroom:
    """Answers ReadBlock, never answers ReadHead, refuses the rest; pushes numbered news to its followers."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.follows: list[int] = []
        self.followed = asyncio.Event()
        self.asked = asyncio.Event()
        self.peer_joined = asyncio.Event()
        self.peer_left = asyncio.Event()

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        self.asked.set()
        if isinstance(message, ReadBlock):
            return NotThere()
        if isinstance(message, ReadHead):
            await asyncio.Event().wait()
        if isinstance(message, FollowBlocks):
            self.follows.append(message.after)
            self.followed.set()
            return Done()
        raise LookupError("no such desk")

    def joined(self, peer: Peer) -> None:
        self.peers.append(peer)
        self.peer_joined.set()

    def left(self, peer: Peer) -> None:
        self.peers.remove(peer)
        self.peer_left.set()


def news(number: int, padding: int = 0) -> BlockNews:
    return BlockNews(
        height=Height(number),
        number=BlockNumber(number),
        hash=ZERO_HASH,
        timestamp=0,
        gas_used=Gas(0),
        gas_limit=Gas(0),
        base_fee=Wei(0),
        next_base_fee=Wei(0),
        included=(),
        left_out=(),
        senders=(),
        committed=Height(number),
        strategy="x" * padding,
        retries=0,
        execution_us=0,
    )


READ = ReadBlock(BlockNumber(1), None, False)


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/q"


async def within_deadline(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), DEADLINE_S)


async def test_a_request_is_answered_and_a_refusal_carries_its_cause(endpoint: str) -> None:
    server, link = ServingSocket(endpoint, Newsroom()), AskingSocket(endpoint, "rpc")
    assert await link.request(READ, DEADLINE_S) == NotThere()
    with pytest.raises(RequestFailed, match="no such desk") as failure:
        await link.request(ReadStorageStatus(), DEADLINE_S)
    assert failure.value.error == "LookupError"
    await link.close()
    await server.close()


async def test_a_request_made_before_the_server_is_there_is_answered(endpoint: str) -> None:
    link = AskingSocket(endpoint, "rpc")
    waiting = asyncio.ensure_future(link.request(READ, DEADLINE_S))
    server = ServingSocket(endpoint, Newsroom())
    assert await waiting == NotThere()
    await link.close()
    await server.close()


async def test_a_request_outlives_the_death_of_the_server(endpoint: str) -> None:
    first = Newsroom()
    server, link = ServingSocket(endpoint, first), AskingSocket(endpoint, "rpc")
    waiting = asyncio.ensure_future(link.request(ReadHead()))
    await within_deadline(first.asked)
    await server.close()
    second = Newsroom()
    server = ServingSocket(endpoint, second)
    await within_deadline(second.asked)
    assert await link.request(READ, DEADLINE_S) == NotThere()
    waiting.cancel()
    await link.close()
    await server.close()


async def test_what_is_said_without_asking_and_refused_is_told_in_the_log_and_disturbs_nothing(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    connected = asyncio.Event()
    server, link = ServingSocket(endpoint, Newsroom()), AskingSocket(endpoint, "rpc", lambda _: connected.set())
    await within_deadline(connected)
    assert link.notify(Done())
    assert await link.request(READ, DEADLINE_S) == NotThere()
    assert caplog.messages == ["refused a message from rpc: a Done that is no question"]
    await link.close()
    await server.close()


async def test_the_server_notices_that_a_process_is_gone(endpoint: str) -> None:
    newsroom = Newsroom()
    server, link = ServingSocket(endpoint, newsroom), AskingSocket(endpoint, "worker-3")
    await within_deadline(newsroom.peer_joined)
    assert newsroom.peers[0].name == "worker-3"
    await link.close()
    await within_deadline(newsroom.peer_left)
    assert newsroom.peers == []
    await server.close()


async def test_a_process_that_is_back_before_its_loss_is_noticed_takes_the_place_of_its_former_connection(
    endpoint: str,
) -> None:
    newsroom = Newsroom()
    server = ServingSocket(endpoint, newsroom)
    hello = frame(Kind.HELLO, 0, b"worker-3:life")
    _, first = await asyncio.open_unix_connection(endpoint.removeprefix(UNIX))
    first.write(hello)
    await within_deadline(newsroom.peer_joined)
    former = newsroom.peers[0]
    reading, second = await asyncio.open_unix_connection(endpoint.removeprefix(UNIX))
    second.write(hello)
    await within_deadline(newsroom.peer_left)
    assert (len(newsroom.peers), former.open) == (1, False)
    first.close()
    await first.wait_closed()
    second.write(frame(Kind.REQUEST, 7, encode_message(READ)))
    answers = await asyncio.wait_for(reading.readexactly(2 * HEAD.size), DEADLINE_S)
    assert HEAD.unpack(answers[HEAD.size :])[1:] == (Kind.ANSWER, 7)
    assert newsroom.peers[0].open
    second.close()
    await server.close()


async def test_a_follower_goes_on_from_its_cursor_after_the_server_restarts(endpoint: str) -> None:
    taken: list[int] = []
    arrived = asyncio.Event()

    async def take(item: BlockNews) -> None:
        taken.append(item.number)
        arrived.set()

    link = AskingSocket(endpoint, "rpc")
    link.follow(lambda: FollowBlocks(Height(len(taken))), take)
    for life in (0, 1):
        newsroom = Newsroom()
        server = ServingSocket(endpoint, newsroom)
        await within_deadline(newsroom.followed)
        assert newsroom.follows == [life]
        arrived.clear()
        assert newsroom.peers[0].push(news(life + 1))
        await within_deadline(arrived)
        await server.close()
    assert taken == [1, 2]
    await link.close()


async def test_a_slow_follower_holds_back_the_window_and_one_that_lags_follows_anew(endpoint: str) -> None:
    newsroom = Newsroom()
    server, link = ServingSocket(endpoint, newsroom), AskingSocket(endpoint, "rpc")
    gate, taken, first = asyncio.Event(), [], asyncio.Event()

    async def take(item: BlockNews) -> None:
        taken.append(item.number)
        first.set()
        await gate.wait()

    link.follow(lambda: FollowBlocks(Height(len(taken))), take)
    await within_deadline(newsroom.followed)
    newsroom.followed.clear()
    peer = newsroom.peers[0]
    assert peer.push(news(1))
    await within_deadline(first)
    pushed = 1
    while peer.push(news(pushed + 1, padding=PUSH_WINDOW_BYTES // 4)):
        pushed += 1
        assert pushed < 100, "the queue has no bound"
    assert not peer.push(news(pushed + 1)), "a follower that lags gets nothing until it follows anew"
    gate.set()
    await within_deadline(newsroom.followed)
    assert newsroom.follows[-1] == len(taken)
    await link.close()
    await server.close()


async def test_much_news_in_small_pieces_passes_the_window(endpoint: str) -> None:
    newsroom, taken, all_taken = Newsroom(), list[Message](), asyncio.Event()
    count, padding = 3 * PUSH_WINDOW_BYTES // 20_000, 20_000
    server, link = ServingSocket(endpoint, newsroom), AskingSocket(endpoint, "rpc")

    async def take(message: Message) -> None:
        taken.append(message)
        if len(taken) == count:
            all_taken.set()

    link.follow(lambda: FollowBlocks(Height(0)), take)
    await within_deadline(newsroom.followed)
    for number in range(count):
        assert newsroom.peers[0].push(news(number, padding))
    await within_deadline(all_taken)
    assert [message.height for message in taken if isinstance(message, BlockNews)] == list(range(count))
    await link.close()
    await server.close()


async def test_notices_to_a_peer_that_is_away_are_not_kept(endpoint: str) -> None:
    link = AskingSocket(endpoint, "validator-0")
    assert not link.notify(READ)
    assert link.queued_bytes == 0
    await link.close()


async def test_a_blocking_request_outlives_the_death_of_the_server(endpoint: str) -> None:
    newsroom = Newsroom()
    server = ServingSocket(endpoint, newsroom)
    asking = BlockingSocket(endpoint, "worker-0")
    assert await asyncio.to_thread(asking.request, READ) == NotThere()
    await server.close()
    waiting = asyncio.create_task(asyncio.to_thread(asking.request, READ))
    server = ServingSocket(endpoint, newsroom)
    assert await asyncio.wait_for(waiting, DEADLINE_S) == NotThere()
    asking.close()
    await server.close()


def test_an_address_that_does_not_answer_is_given_up_and_a_host_that_vanishes_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("node.queues.blocking.ATTEMPT_S", 0.2)
    with contextlib.closing(sockets.create_server(("127.0.0.1", 0), backlog=0)) as full:
        endpoint = f"tcp://127.0.0.1:{full.getsockname()[1]}"
        with contextlib.closing(_connect(endpoint)) as first:
            assert first.gettimeout() is None
            assert first.getsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE)
            with pytest.raises(TimeoutError):
                _connect(endpoint)


async def test_both_ends_of_a_tcp_connection_ask_for_the_other_host() -> None:
    newsroom, endpoint = Newsroom(), f"tcp://127.0.0.1:{free_port()}"
    server, link = ServingSocket(endpoint, newsroom), AskingSocket(endpoint, "rpc")
    await within_deadline(newsroom.peer_joined)
    for connection in (link._connection, *server._connections):
        assert connection is not None
        assert connection._transport is not None
        socket = connection._transport.get_extra_info("socket")
        assert socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE)
        assert socket.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_KEEPCNT) == 3
    await link.close()
    await server.close()


@pytest.mark.parametrize("given_up", [True, False])
async def test_an_attempt_whose_connection_is_lost_at_once_is_followed_by_one_other(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    made: list[Connection] = []

    async def connect_once_in_vain(endpoint: str, make: Callable[[], Connection]) -> Connection:
        made.append(await connect(endpoint, make))
        if len(made) == 1:
            made[0].abort()
            if given_up:
                raise TimeoutError
            await asyncio.sleep(0)
            assert not made[0].is_open
        return made[-1]

    monkeypatch.setattr("node.queues.dialing.connect", connect_once_in_vain)
    server, link = ServingSocket(endpoint, Newsroom()), AskingSocket(endpoint, "rpc")
    dialing = link._dialer._task
    assert dialing is not None
    await asyncio.wait_for(dialing, DEADLINE_S)
    assert await link.request(READ, DEADLINE_S) == NotThere()
    link.lost(made[0])
    assert link.connected
    assert len(made) == 2
    await link.close()
    await server.close()


async def test_requests_that_nobody_waits_for_any_more_leave_the_queue_of_a_peer_that_reads_nothing(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process stays connected, and `tandem status` may be asked for days."""
    monkeypatch.setattr("node.queues.frames.SEND_BUFFER_BYTES", 1_000)
    stopped = listening_socket(endpoint)
    stopped.setblocking(True)
    link = AskingSocket(endpoint, "rpc")
    peer, _ = await asyncio.to_thread(stopped.accept)
    peer.sendall(frame(Kind.WELCOME, 1))
    waiting = [asyncio.ensure_future(link.request(READ)) for _ in range(3_000)]
    for _ in range(100_000):
        if link._unsent:
            break
        await asyncio.sleep(0)
    assert link._unsent
    for request in waiting:
        request.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (len(link._unsent), link.queued_bytes) == (0, 0)
    await link.close()
    peer.close()
    stopped.close()


async def test_more_requests_than_the_socket_holds_are_all_answered(endpoint: str) -> None:
    server, link = ServingSocket(endpoint, Newsroom()), AskingSocket(endpoint, "rpc")
    await link.request(READ, DEADLINE_S)
    answers = await asyncio.wait_for(asyncio.gather(*(link.request(READ) for _ in range(5_000))), DEADLINE_S)
    assert answers == [NotThere()] * 5_000
    assert link.queued_bytes == 0
    await link.close()
    await server.close()
