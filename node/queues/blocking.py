"""A synchronous link for workers: the engine runs bytecode and asks storage for what it misses, in the same thread."""

import socket as sockets
import time
from typing import Any, BinaryIO

from chain.codec import decode_message, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.link import Failed
from node.queues.asking import identity_of
from node.queues.dialing import ATTEMPT_S, RETRY_FIRST_S, RETRY_MOST_S, UNIX, host_and_port
from node.queues.frames import HEAD, Kind, frame, keep_alive


class BlockingSocket:
    """Asks one serving process and waits for each answer, across that process's restarts."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._endpoint = endpoint
        self._identity = identity_of(name)
        self._number = 0
        self._socket: sockets.socket | None = None
        self._incoming: BinaryIO | None = None

    def request(self, message: Message) -> Any:
        """The answer. Raises RequestFailed."""
        self._number += 1
        question = frame(Kind.REQUEST, self._number, encode_message(message))
        while True:
            try:
                answer = self._answer(question)
            except OSError:
                self.close()
                continue
            except BaseException:  # such as a MemoryError in the midst of a frame
                self.close()
                raise
            if isinstance(answer, Failed):
                raise RequestFailed(answer.error, answer.text)
            return answer

    def close(self) -> None:
        if self._incoming is not None:
            self._incoming.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._incoming = None

    def _answer(self, question: bytes) -> Any:
        """Raises OSError when the connection is lost."""
        if self._socket is None or self._incoming is None:
            self._socket = self._connected()
            self._incoming = self._socket.makefile("rb")
            self._socket.sendall(frame(Kind.HELLO, 0, self._identity))
        self._socket.sendall(question)
        while True:
            size, kind, number = HEAD.unpack(_exactly(self._incoming, HEAD.size))
            payload = _exactly(self._incoming, size)
            if kind == Kind.ANSWER and number == self._number:
                return decode_message(payload)

    def _connected(self) -> sockets.socket:
        """Waits until somebody answers there."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                return _connect(self._endpoint)
            except OSError:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MOST_S)


def _connect(endpoint: str) -> sockets.socket:
    """Raises OSError."""
    if not endpoint.startswith(UNIX):
        connected = sockets.create_connection(host_and_port(endpoint), ATTEMPT_S)
        connected.settimeout(None)
        connected.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        keep_alive(connected)
        return connected
    connected = sockets.socket(sockets.AF_UNIX)
    try:
        connected.connect(endpoint.removeprefix(UNIX))
    except OSError:
        connected.close()
        raise
    return connected


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """Raises ConnectionResetError at the end of the stream."""
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionResetError
    return data
