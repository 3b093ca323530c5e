"""Connecting by name: `tcp://storage:7100` is looked up here, not inside ZeroMQ.

ZeroMQ resolves names in its only I/O thread, where one container that is gone (its name then takes seconds to fail)
would hold up every other connection of the process. Processes listen on IPv4.
"""

import asyncio
import ipaddress
import socket as sockets

import zmq

RETRY_FIRST_S, RETRY_MOST_S = 0.05, 2.0


class NameLookup:
    """Connects a socket to an endpoint. While it is not connected the name is looked up again and again, with growing
    pauses: a container that comes back may have another address, and its name may lag behind.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", endpoint: str) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._connected_to: str | None = None
        self._task: asyncio.Task[None] | None = None
        if needs_lookup(endpoint):
            self.refresh()
        else:
            socket.connect(endpoint)

    def refresh(self) -> None:
        """The connection was lost."""
        if needs_lookup(self._endpoint) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._look_up())

    def settled(self) -> None:
        """The connection is made."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        self.settled()

    async def _look_up(self) -> None:
        host, port = host_and_port(self._endpoint)
        pause_s = RETRY_FIRST_S
        while True:
            try:
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, family=sockets.AF_INET, type=sockets.SOCK_STREAM
                )
            except sockets.gaierror:
                pass
            else:
                self._connect(f"tcp://{found[0][4][0]}:{port}")
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_MOST_S)

    def _connect(self, address: str) -> None:
        if address == self._connected_to:
            return
        if self._connected_to is not None:
            self._socket.disconnect(self._connected_to)
        self._connected_to = address
        self._socket.connect(address)


def needs_lookup(endpoint: str) -> bool:
    if not endpoint.startswith("tcp://"):
        return False
    try:
        ipaddress.ip_address(host_and_port(endpoint)[0].strip("[]"))
    except ValueError:
        return True
    return False


def host_and_port(endpoint: str) -> tuple[str, int]:
    """("storage", 7100) of "tcp://storage:7100"."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)
