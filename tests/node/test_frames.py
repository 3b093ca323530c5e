"""Frames are made whole of a stream that is cut anywhere, and none is taken in that is too large."""

import asyncio
import socket as sockets
from typing import Any

import pytest

from node.queues.frames import HEAD, Connection, Kind, frame


class Ear:
    """Takes the frames of a connection."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, bytes]] = []

    def opened(self, connection: Connection) -> None: ...

    def took(self, connection: Connection, kind: int, number: int, payload: bytes) -> None:
        self.taken.append((kind, number, payload))

    def got_room(self, connection: Connection) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Pipe(asyncio.Transport):
    """The connection's other side, which is only ever cut."""

    cut = False

    def __init__(self, socket: sockets.socket) -> None:
        super().__init__()
        self._socket = socket

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        assert name == "socket"
        return self._socket

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True


@pytest.mark.parametrize("size", [1, 2, 12, 13, 14, 40, 1_000, 10**9])
def test_frames_are_whole_however_the_stream_is_cut(size: int) -> None:
    frames = [(Kind.NOTIFY, number, bytes([number % 251]) * (number * 7 % 120)) for number in range(60)]
    stream = b"".join(frame(*each) for each in frames)
    ear = Ear()
    with sockets.socket() as socket:
        connection = Connection(ear)
        connection.connection_made(Pipe(socket))
        for at in range(0, len(stream), size):
            connection.data_received(stream[at : at + size])
    assert ear.taken == frames


def test_a_payload_over_the_limit_ends_the_connection_before_it_is_taken_in() -> None:
    ear = Ear()
    with sockets.socket() as socket:
        pipe = Pipe(socket)
        connection = Connection(ear, most_bytes=10)
        connection.connection_made(pipe)
        connection.data_received(frame(Kind.NOTIFY, 1, bytes(10)) + HEAD.pack(11, Kind.NOTIFY, 2))
    assert (ear.taken, pipe.cut) == ([(Kind.NOTIFY, 1, bytes(10))], True)
