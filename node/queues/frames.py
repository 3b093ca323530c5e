"""The frames on the wire, and the wrapper that hangs a ZeroMQ socket on the event loop."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum

import zmq
from zmq.backend import Socket as Core

HEAD = struct.Struct(">BQ")
RECEIVE_BATCH = 256
"""How many messages one socket may take before the other sockets of the loop get their turn."""
RECEIVE_ASKED = 3
"""How many of them are taken one by one as the events show them, before more are expected."""

NOBLOCK, NOBLOCK_MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
EVENTS, RECEIVE_MORE = int(zmq.EVENTS), int(zmq.RCVMORE)
READABLE, WRITABLE = int(zmq.POLLIN), int(zmq.POLLOUT)
"""As plain integers: an operation on pyzmq's flags takes a microsecond."""


class Kind(IntEnum):
    WELCOME = 1  # server → asker: the number names this life of the server
    REQUEST = 2  # asker → server: the number comes back with the answer
    ANSWER = 3
    NOTIFY = 4  # asker → server, no answer
    FOLLOW = 5  # asker → server: a request whose number marks the news that belongs to it
    PUSH = 6  # server → follower: news; the number is that of the follow
    ACKNOWLEDGE = 7  # follower → server: the number of bytes taken since the follow
    LAGGED = 8  # server → follower: your queue overflowed, follow anew
    PING = 9  # server → asker, to learn whether it is still there


def head(kind: Kind, number: int = 0) -> bytes:
    return HEAD.pack(kind, number)


class LoopSocket:
    """A ZeroMQ socket whose frames are given to `take` as they come, and whose writability wakes `flush`.

    ZeroMQ's descriptor is edge-triggered: after every send the events must be looked at again, which `send` arranges.
    Most turns find one message or none, so what a look costs counts: asking for the events takes 4 us, a receive that
    finds nothing 8. pyzmq's own checks and flags on top of its core (`Core`) took as long as a send itself.
    """

    def __init__(
        self, socket: "zmq.Socket[bytes]", take: Callable[[list[bytes]], None], flush: Callable[[], None] | None = None
    ) -> None:
        self.socket = socket
        self._take = take
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._closed = False
        self._descriptor = socket.fileno()
        self._loop.add_reader(self._descriptor, self._on_events)
        self._look_again()

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send without waiting. False if the queue is full, there is no connection or the peer is unknown."""
        if self._closed:
            return False
        socket, last = self.socket, len(frames) - 1
        try:
            for index, frame in enumerate(frames):
                Core.send(socket, frame, NOBLOCK_MORE if index < last else NOBLOCK)
        except zmq.ZMQError:  # only ever of the first frame: the others follow it wherever it goes
            return False
        finally:
            self._look_again()
        return True

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)
            self.socket.close(linger=0)

    def take_waiting(self) -> None:
        """Take what has come, now."""
        self._on_events()

    def _look_again(self) -> None:
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._loop.call_soon(self._on_scheduled)

    def _on_scheduled(self) -> None:
        self._scheduled = False
        self._on_events()

    def _on_events(self) -> None:
        """Asking for the events takes the edge away, so what they show must be acted on."""
        events = 0 if self._closed else self._events()
        for _ in range(RECEIVE_ASKED):
            if not events & READABLE:
                break
            self._take(self._received())
            if self._closed:
                return
            events = self._events()
        else:
            events = self._drained(events)
        if events & WRITABLE and self._flush is not None:
            self._flush()
        if events & READABLE:
            self._look_again()

    def _drained(self, events: int) -> int:
        """Take what more there is without asking in between, within bounds; the events after it."""
        if not events & READABLE:
            return events
        for _ in range(RECEIVE_BATCH):
            try:
                frames = self._received()
            except zmq.Again:
                break
            self._take(frames)
            if self._closed:
                return 0
        return self._events()

    def _received(self) -> list[bytes]:
        socket = self.socket
        frames = [Core.recv(socket, NOBLOCK)]
        while Core.get(socket, RECEIVE_MORE):
            frames.append(Core.recv(socket, NOBLOCK))
        return frames

    def _events(self) -> int:
        """Whether the socket can be read and written now."""
        return int(Core.get(self.socket, EVENTS))


class Monitor:
    """Calls `changed(connected)` whenever a connection of the socket is made or lost."""

    EVENTS = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

    def __init__(self, socket: "zmq.Socket[bytes]", changed: Callable[[bool], None]) -> None:
        self._socket = socket
        self._changed = changed
        self._feed = LoopSocket(socket.get_monitor_socket(self.EVENTS), self._take)

    def _take(self, frames: list[bytes]) -> None:
        event = int.from_bytes(frames[0][:2], "little")
        self._changed(event == zmq.EVENT_HANDSHAKE_SUCCEEDED)

    def catch_up(self) -> None:
        """Tell at once what has happened so far: the socket's own frames may be newer than that."""
        self._feed.take_waiting()

    def close(self) -> None:
        """Ends the feed at its source first: ZeroMQ would wait for a reader to take its last event."""
        self._socket.monitor(None, 0)
        self._feed.close()
