"""Endpoints as addresses: who serves listens there; who asks dials until somebody answers, and again after a loss."""

import asyncio
import contextlib
import os
import socket as sockets
from collections.abc import Callable
from typing import Any

from node.queues.frames import Connection

UNIX, TCP = "ipc://", "tcp://"
RETRY_FIRST_S, RETRY_MOST_S = 0.02, 0.5
ATTEMPT_S = 5.0
"""A container that is gone may leave its address unanswered, or its name."""
BACKLOG = 1_024


class Dialer:
    """Keeps one connection. A name is looked up at every attempt: a container that comes back may have another address,
    and its name may lag behind. Processes listen on IPv4.
    """

    def __init__(self, endpoint: str, make: Callable[[], Connection]) -> None:
        self._endpoint = endpoint
        self._make = make
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._pause_s = 0.0

    def settled(self) -> None:
        """The connection is of use: its loss is followed by an attempt at once."""
        self._pause_s = 0.0

    def dial(self) -> None:
        """There is no connection (any more). Who dials already goes on."""
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._dial())

    def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    async def _dial(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(max(2 * self._pause_s, RETRY_FIRST_S), RETRY_MOST_S)
            with contextlib.suppress(OSError):  # a TimeoutError is one
                connection = await connect(self._endpoint, self._make)
                if connection.is_open:  # it may be lost before this task hears of it
                    return


async def connect(endpoint: str, make: Callable[[], Connection]) -> Connection:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    if endpoint.startswith(UNIX):
        async with asyncio.timeout(ATTEMPT_S):
            _, connection = await loop.create_unix_connection(make, endpoint.removeprefix(UNIX))
    else:
        host, port = host_and_port(endpoint)
        # One lookup at a time, to its end: it cannot be called off, and holds one of the loop's few threads.
        found = await loop.getaddrinfo(host, port, family=sockets.AF_INET, type=sockets.SOCK_STREAM)
        async with asyncio.timeout(ATTEMPT_S):
            _, connection = await loop.create_connection(make, str(found[0][4][0]), port)
    return connection


class Door:
    """A listening socket: bound at once, and each connection that comes is made by `make`."""

    def __init__(self, endpoint: str, make: Callable[[], Connection]) -> None:
        self._socket = listening_socket(endpoint)
        self._is_unix = endpoint.startswith(UNIX)
        self._make = make
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._is_unix:
            return await loop.create_unix_server(self._make, sock=self._socket, backlog=BACKLOG)
        return await loop.create_server(self._make, sock=self._socket, backlog=BACKLOG)

    async def close(self) -> None:
        (await self._opening).close()


def listening_socket(endpoint: str) -> sockets.socket:
    """Raises OSError."""
    if endpoint.startswith(UNIX):
        path = endpoint.removeprefix(UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of a former life
        listening = sockets.socket(sockets.AF_UNIX)
        listening.bind(path)
    else:
        host, port = host_and_port(endpoint)
        listening = sockets.socket(sockets.AF_INET)
        listening.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        listening.bind(("" if host == "*" else host, port))
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def host_and_port(endpoint: str) -> tuple[str, int]:
    """("storage", 7100) of "tcp://storage:7100"."""
    host, _, port = endpoint.removeprefix(TCP).rpartition(":")
    return host, int(port)
