"""The serving end: one ROUTER socket, a `Peer` for each connected process."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable

import zmq

from chain.codec import decode_message, encode_message
from chain.links import LinkClosed, Service
from chain.messages import Message
from chain.messages.link import Done, Failed
from node.queues.frames import HEAD, Kind, LoopSocket, Monitor, head

PUSH_WINDOW_BYTES = 4 * 1024 * 1024
"""News sent to a follower that it has not acknowledged yet."""
PUSH_QUEUE_BYTES = 32 * 1024 * 1024
"""News waiting here for the window; beyond it the follower is told to follow anew."""
LOSS_CHECKS_S = (0.0, 0.01, 0.1)
"""When to look, after a connection was lost, which peer it was."""

log = logging.getLogger("tandem.queues")


class ConnectedPeer:
    """One connected process, as the service sees it (implements chain.links.Peer)."""

    def __init__(self, name: str, identity: bytes, socket: LoopSocket) -> None:
        self._name = name
        self._identity = identity
        self._socket = socket
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
        if self._waiting_bytes + len(payload) > PUSH_QUEUE_BYTES:
            self.restart_follow(0)
            self._socket.send([self._identity, head(Kind.LAGGED)])
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
            self._socket.send([self._identity, head(Kind.PUSH, self._follow), payload])
        if self._waiting:
            self._room.clear()
        else:
            self._room.set()


class ServingSocket:
    """Serves one `Service` at an endpoint until closed."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, service: Service) -> None:
        socket = context.socket(zmq.ROUTER)
        for option, value in ((zmq.ROUTER_MANDATORY, 1), (zmq.ROUTER_HANDOVER, 1), (zmq.SNDHWM, 0), (zmq.LINGER, 0)):
            socket.set(option, value)
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._life = int.from_bytes(os.urandom(8), "big")
        self._peers: dict[bytes, ConnectedPeer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = LoopSocket(socket, self._take)
        self._monitor = Monitor(socket, self._connection_changed)
        socket.bind(endpoint)

    @property
    def peers(self) -> tuple[ConnectedPeer, ...]:
        return tuple(self._peers.values())

    @property
    def queued_bytes(self) -> int:
        return sum(peer.queued_bytes for peer in self._peers.values())

    async def close(self) -> None:
        self._monitor.close()
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, frames: list[bytes]) -> None:
        identity = frames[0]
        if len(frames) == 2 and not frames[1]:
            self._welcome(identity)
            return
        peer = self._peers.get(identity)
        if peer is None:  # it is gone, and this was its last word
            return
        if len(frames) != 3 or len(frames[1]) != HEAD.size:
            log.warning("dropped a frame of unknown form from %s", peer.name)
            return
        kind, number = HEAD.unpack(frames[1])
        if kind == Kind.ACKNOWLEDGE:
            peer.acknowledge(number)
        elif kind in (Kind.REQUEST, Kind.NOTIFY, Kind.FOLLOW):
            if kind == Kind.FOLLOW:
                peer.restart_follow(number)
            self._start(self._answer(peer, identity, None if kind == Kind.NOTIFY else number, frames[2]))

    def _welcome(self, identity: bytes) -> None:
        known = self._peers.pop(identity, None)
        if known is not None:
            self._lose(known)
        name = identity.split(b":", 1)[0].decode("utf-8", "replace")
        peer = self._peers[identity] = ConnectedPeer(name, identity, self._socket)
        self._socket.send([identity, head(Kind.WELCOME, self._life)])
        self._service.joined(peer)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, peer: ConnectedPeer, identity: bytes, number: int | None, payload: bytes) -> None:
        answer: Message | None
        try:
            answer = await self._service.answer(decode_message(payload), peer)
        except Exception as error:  # whatever it is, the asker must hear of it
            level = logging.WARNING if number is None else logging.DEBUG
            log.log(level, "refused a message from %s: %s", peer.name, error, exc_info=level == logging.DEBUG)
            answer = Failed(type(error).__name__, str(error))
        if number is not None:
            encoded = encode_message(Done() if answer is None else answer)
            self._socket.send([identity, head(Kind.ANSWER, number), encoded])

    def _connection_changed(self, connected: bool) -> None:
        """The monitor speaks a moment before the ROUTER forgets the peer, so look more than once."""
        if not connected:
            for delay_s in LOSS_CHECKS_S:
                self._loop.call_later(delay_s, self._look_for_losses)

    def _look_for_losses(self) -> None:
        for identity, peer in list(self._peers.items()):
            if not self._socket.send([identity, head(Kind.PING)]):
                del self._peers[identity]
                self._lose(peer)

    def _lose(self, peer: ConnectedPeer) -> None:
        peer.close()
        self._service.left(peer)
