"""The serving end: one listening socket, a `Peer` for each connected process."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable

from chain.codec import decode_message, encode_message
from chain.links import Hear, LinkClosed, Peer, Service
from chain.messages import Message
from chain.messages.link import Done, Failed
from node.queues.dialing import Door
from node.queues.frames import HELLO_BYTES, MAX_PAYLOAD_BYTES, Connection, Kind

PUSH_WINDOW_BYTES = 4 * 1024 * 1024
"""News sent to a follower that it has not acknowledged yet."""
PUSH_QUEUE_BYTES = 32 * 1024 * 1024
"""News waiting here for the window; beyond it the follower is told to follow anew."""

log = logging.getLogger("tandem.queues")


class ConnectedPeer:
    """One connected process, as the service sees it (implements chain.links.Peer)."""

    def __init__(self, name: str, identity: bytes, connection: Connection) -> None:
        self._name = name
        self.identity = identity
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._sent_bytes = 0
        self._acknowledged_bytes = 0
        self._follow = 0
        self._room = asyncio.Event()
        self._room.set()
        self._open = True

    @property
    def name(self) -> str:
        return self._name

    @property
    def open(self) -> bool:
        return self._open

    @property
    def queued_bytes(self) -> int:
        return self._waiting_bytes + self._sent_bytes - self._acknowledged_bytes

    def push(self, message: Message) -> bool:
        if not self._open or not self._follow:
            return False
        payload = encode_message(message)
        if not self._waiting and self._sent_bytes - self._acknowledged_bytes < PUSH_WINDOW_BYTES:
            self._sent_bytes += len(payload)
            self._connection.send(Kind.PUSH, self._follow, payload)
            return True
        if self._waiting_bytes + len(payload) > PUSH_QUEUE_BYTES:
            self.restart_follow(0)
            self._connection.send(Kind.LAGGED)
            return False
        self._waiting.append(payload)
        self._waiting_bytes += len(payload)
        self._flush()
        return True

    async def drained(self) -> None:
        while self._open and not self._room.is_set():
            await self._room.wait()
        if not self._open:
            raise LinkClosed(self._name)

    def acknowledge(self, taken_bytes: int) -> None:
        self._acknowledged_bytes = min(taken_bytes, self._sent_bytes)
        self._flush()

    def restart_follow(self, number: int) -> None:
        """Forget what was queued: the follower starts again from its cursor. 0: nothing is taken until it does."""
        self._follow = number
        self._waiting.clear()
        self._waiting_bytes = self._sent_bytes = self._acknowledged_bytes = 0
        self._room.set()

    def close(self) -> None:
        self._open = False
        self._room.set()

    def _flush(self) -> None:
        while self._waiting and self._sent_bytes - self._acknowledged_bytes < PUSH_WINDOW_BYTES:
            payload = self._waiting.popleft()
            self._waiting_bytes -= len(payload)
            self._sent_bytes += len(payload)
            self._connection.send(Kind.PUSH, self._follow, payload)
        if self._waiting:
            self._room.clear()
        else:
            self._room.set()


class UnexpectedNotice(Exception):
    """A peer said something without asking, to a process that takes no such messages."""


def take_none(message: Message, peer: Peer) -> None:
    raise UnexpectedNotice(f"a {type(message).__name__} that is no question")


class ServingSocket:
    """Serves one `Service` at an endpoint until closed. `hear` takes what needs no answer, at once."""

    def __init__(self, endpoint: str, service: Service, hear: Hear = take_none) -> None:
        self._service = service
        self._hear = hear
        self._life = int.from_bytes(os.urandom(8), "big")
        self._connections: set[Connection] = set()
        self._peers: dict[Connection, ConnectedPeer] = {}
        self._lives: dict[bytes, Connection] = {}
        """By the identity of who is at the other end."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._door = Door(endpoint, lambda: Connection(self, HELLO_BYTES))

    @property
    def peers(self) -> tuple[ConnectedPeer, ...]:
        return tuple(self._peers.values())

    @property
    def queued_bytes(self) -> int:
        return sum(peer.queued_bytes for peer in self._peers.values())

    async def close(self) -> None:
        self._closed = True
        await self._door.close()
        for connection in tuple(self._connections):
            connection.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What connections tell (node.queues.frames.Owner)

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._closed:
            connection.abort()

    def took(self, connection: Connection, kind: int, number: int, payload: bytes) -> None:
        peer = self._peers.get(connection)
        if peer is None:
            if kind != Kind.HELLO:
                connection.abort()
                return
            connection.most_bytes = MAX_PAYLOAD_BYTES
            self._welcome(connection, payload)
        elif kind == Kind.ACKNOWLEDGE:
            peer.acknowledge(number)
        elif kind == Kind.NOTIFY:
            self._heard(peer, payload)
        elif kind in (Kind.REQUEST, Kind.FOLLOW):
            if kind == Kind.FOLLOW:
                peer.restart_follow(number)
            self._start(self._answer(peer, connection, number, payload))

    def got_room(self, connection: Connection) -> None:
        """Answers are as many as requests, and news has its window: both go out at once."""

    def lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._lose(connection)

    def _lose(self, connection: Connection) -> None:
        peer = self._peers.pop(connection, None)
        if peer is not None and not self._closed:
            del self._lives[peer.identity]
            peer.close()
            self._service.left(peer)

    def _welcome(self, connection: Connection, identity: bytes) -> None:
        """Over TCP an asker may be back before the loss of its last connection is noticed here."""
        if identity in self._lives:
            former = self._lives[identity]
            self._lose(former)
            former.abort()
        self._lives[identity] = connection
        name = identity.split(b":", 1)[0].decode("utf-8", "replace")
        peer = self._peers[connection] = ConnectedPeer(name, identity, connection)
        connection.send(Kind.WELCOME, self._life)
        self._service.joined(peer)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _heard(self, peer: ConnectedPeer, payload: bytes) -> None:
        """Without a task, which costs as much as a small message."""
        try:
            self._hear(decode_message(payload), peer)
        except Exception as error:  # whatever it is, the next message is heard
            log.warning("refused a message from %s: %s", peer.name, error)

    async def _answer(self, peer: ConnectedPeer, connection: Connection, number: int, payload: bytes) -> None:
        answer: Message | None
        try:
            answer = await self._service.answer(decode_message(payload), peer)
        except Exception as error:  # whatever it is, the asker must hear of it
            log.debug("refused a message from %s: %s", peer.name, error, exc_info=True)
            answer = Failed(type(error).__name__, str(error))
        encoded = encode_message(Done() if answer is None else answer)
        if len(encoded) > MAX_PAYLOAD_BYTES:
            encoded = encode_message(Failed("FrameTooLarge", f"an answer of {len(encoded)} bytes"))
        connection.send(Kind.ANSWER, number, encoded)
