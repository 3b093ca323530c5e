"""A synchronous link for workers: the engine runs bytecode and asks storage for what it misses, in the same thread."""

from typing import Any

import zmq

from chain.codec import decode_message, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.link import Failed
from node.queues.asking import configure_dealer
from node.queues.frames import HEAD, Kind, head


class BlockingSocket:
    """Asks one serving process and waits for each answer, across that process's restarts."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, name: str) -> None:
        self._socket = context.socket(zmq.DEALER)
        configure_dealer(self._socket, name)
        self._socket.connect(endpoint)
        self._number = 0
        self._welcomed = False

    def request(self, message: Message) -> Any:
        """The answer. Raises RequestFailed."""
        self._number += 1
        frames = [head(Kind.REQUEST, self._number), encode_message(message)]
        if self._welcomed:
            self._send(frames)
        while True:
            received = self._socket.recv_multipart()
            kind, number = HEAD.unpack(received[0])
            if kind == Kind.WELCOME:
                self._welcomed = True
                self._send(frames)
            elif kind == Kind.ANSWER and number == self._number:
                answer = decode_message(received[1])
                if isinstance(answer, Failed):
                    raise RequestFailed(answer.error, answer.text)
                return answer

    def close(self) -> None:
        self._socket.close(linger=0)

    def _send(self, frames: list[bytes]) -> None:
        """Without a connection nothing is sent: the welcome of the next one sends it again."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._welcomed = False
