"""The frames on the wire, and one connection that carries them.

A frame is its head and a payload. The streams are asyncio's own, Unix or TCP: a message between two idle processes then
costs each of them 6 us, where a ZeroMQ socket on the event loop takes 40 to 80: its other thread must be woken on both
sides.
"""

import asyncio
import os
import socket as sockets
import struct
from enum import IntEnum
from typing import Final, Protocol, cast

HEAD = struct.Struct(">IBQ")
"""The length of the payload, the kind and the number."""
SEND_BUFFER_BYTES = 64 * 1024
"""What may wait in a connection for the peer to read, before its owner is asked to keep the rest."""
MAX_PAYLOAD_BYTES = 256 * 1024 * 1024
"""Of processes of one's own; more can only be a mistake."""

KEEPALIVE: Final = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))
"""Seconds of quiet before the kernel asks whether the peer is there, and between its questions; how many of them; and
milliseconds until what was sent must have arrived."""
HELLO_BYTES = 4096
"""Of who has not said its name yet."""
TURN_BYTES = 64 * 1024
"""Taken of one connection before the others get their turn."""


class Kind(IntEnum):
    WELCOME = 1  # server → asker: the number names this life of the server
    REQUEST = 2  # asker → server: the number comes back with the answer
    ANSWER = 3
    NOTIFY = 4  # asker → server, no answer
    FOLLOW = 5  # asker → server: a request whose number marks the news that belongs to it
    PUSH = 6  # server → follower: news; the number is that of the follow
    ACKNOWLEDGE = 7  # follower → server: the number of bytes taken since the follow
    LAGGED = 8  # server → follower: your queue overflowed, follow anew
    HELLO = 9  # asker → server, first of all: who this is


def frame(kind: int, number: int = 0, payload: bytes = b"") -> bytes:
    return HEAD.pack(len(payload), kind, number) + payload


def keep_alive(connected: sockets.socket) -> None:
    """A host that is gone ends no connection: let the kernel ask for it. On a Unix socket there is no other host."""
    if connected.family == sockets.AF_UNIX:
        return
    connected.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(sockets, name):  # not on every platform
            connected.setsockopt(sockets.IPPROTO_TCP, getattr(sockets, name), value)


class Owner(Protocol):
    """What a connection tells. None of these may wait."""

    def opened(self, connection: "Connection") -> None: ...

    def took(self, connection: "Connection", kind: int, number: int, payload: bytes) -> None: ...

    def got_room(self, connection: "Connection") -> None:
        """The connection has taken no more for a while, and does again."""
        ...

    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One stream of frames. Whoever sends a payload of more than `most_bytes` loses it."""

    def __init__(self, owner: Owner, most_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self.owner = owner
        self.has_room = True
        self.most_bytes = most_bytes
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._part = bytearray()
        """The beginning of a frame whose rest has not come."""
        self._wanted_bytes = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def send(self, kind: int, number: int = 0, payload: bytes = b"") -> bool:
        """Send without waiting, whether there is room or not. False if the connection is gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        data = HEAD.pack(len(payload), kind, number) + payload
        if transport.get_write_buffer_size():
            transport.write(data)
        else:
            self._send_now(transport, data)
        return True

    def _send_now(self, transport: asyncio.Transport, data: bytes) -> None:
        """The transport would keep it until the end of the turn, with whatever this process still does in it."""
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):  # the transport finds out by itself, when it has read the rest
            return
        except OSError:  # such as ENOBUFS: the frame is lost, so the connection must be too
            transport.abort()
            return
        if sent < len(data):
            transport.write(data[sent:])

    def abort(self) -> None:
        """End it, with what has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface without the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
        connected = self._transport.get_extra_info("socket")
        keep_alive(connected)
        self._descriptor = connected.fileno()
        self.owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.owner.lost(self)

    def pause_writing(self) -> None:
        self.has_room = False

    def resume_writing(self) -> None:
        self.has_room = True
        self.owner.got_room(self)

    def data_received(self, data: bytes) -> None:
        if self._part:
            self._part += data
            if len(self._part) < self._wanted_bytes:
                return
            data, self._part = bytes(self._part), bytearray()
        at = self._take_whole(data)
        if at < len(data):
            self._part += data[at:]
        if at > TURN_BYTES:  # uvloop would read on, 32 times in a turn
            self._pause()

    def _pause(self) -> None:
        """The others' turn."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _take_whole(self, data: bytes) -> int:
        """Take the whole frames; where the next one begins."""
        at, end, take = 0, len(data), self.owner.took
        while end - at >= HEAD.size:
            size, kind, number = HEAD.unpack_from(data, at)
            if size > self.most_bytes:
                self.abort()
                return end
            begin = at + HEAD.size
            if begin + size > end:
                self._wanted_bytes = HEAD.size + size
                return at
            at = begin + size
            take(self, kind, number, data[begin:at])
            if self._transport is None or self._transport.is_closing():
                return end
        self._wanted_bytes = HEAD.size
        return at
