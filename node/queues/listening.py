"""A socket for one-way messages between validators: it believes signed names only, and keeps nothing for anyone."""

from collections import OrderedDict
from typing import Protocol, TypeAlias

import zmq

from node.queues.frames import HEAD, Kind, LoopSocket, head

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""A full proposal has 2 MB of transactions; an answer to a validator that catches up, 4 MB and one of these."""
MAX_FRAME_BYTES = 2 * MAX_MESSAGE_BYTES
"""ZeroMQ cuts the connection of whoever sends more, before any of it is taken in."""
RECEIVE_QUEUE_MESSAGES = 64
"""Of one connection, inside ZeroMQ. Beyond it the sender's own queue fills."""
REMEMBERED_CONNECTIONS = 1024

Sender: TypeAlias = int | None
"""A validator's index, or None: a stranger."""


class Listener(Protocol):
    """What becomes of the messages. None of these may wait."""

    def sender(self, name: str, life: bytes, proof: bytes) -> Sender:
        """Who opened a connection with this name, signature and bytes that the signature covers."""
        ...

    def take(self, sender: int, payload: bytes) -> None: ...

    def refuse_malformed(self, sender: int) -> None: ...

    def refuse_oversized(self, sender: int, size: int) -> None: ...

    def refuse_stranger(self, name: str) -> None: ...


class ListeningSocket:
    """One ROUTER, which takes from its connections in turn.

    An asking socket's identity is its name, a number of its own and the proof of both, so that every frame shows who
    sent it and nothing need be kept; what was checked is remembered to save time.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str, listener: Listener) -> None:
        socket = context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.ROUTER_HANDOVER, 1),
            (zmq.LINGER, 0),
            (zmq.RCVHWM, RECEIVE_QUEUE_MESSAGES),
            (zmq.MAXMSGSIZE, MAX_FRAME_BYTES),
        ):
            socket.set(option, value)
        self._listener = listener
        self._senders: OrderedDict[bytes, Sender] = OrderedDict()
        self._socket = LoopSocket(socket, self._take)
        socket.bind(endpoint)

    async def close(self) -> None:
        self._socket.close()

    def _take(self, frames: list[bytes]) -> None:
        identity = frames[0]
        sender = self._sender(identity)
        if sender is None:
            self._listener.refuse_stranger(_name(identity))
        elif len(frames) == 2 and not frames[1]:
            self._socket.send([identity, head(Kind.WELCOME)])
        elif len(frames) != 3 or len(frames[1]) != HEAD.size or HEAD.unpack(frames[1])[0] != Kind.NOTIFY:
            self._listener.refuse_malformed(sender)
        elif len(frames[2]) > MAX_MESSAGE_BYTES:
            self._listener.refuse_oversized(sender, len(frames[2]))
        else:
            self._listener.take(sender, frames[2])

    def _sender(self, identity: bytes) -> Sender:
        if identity in self._senders:
            return self._senders[identity]
        life, _, proof = identity.rpartition(b":")
        sender = self._senders[identity] = self._listener.sender(_name(life), life, _unhex(proof))
        if len(self._senders) > REMEMBERED_CONNECTIONS:
            self._senders.popitem(last=False)
        return sender


def _name(identity: bytes) -> str:
    return identity.split(b":", 1)[0].decode("ascii", "replace")


def _unhex(proof: bytes) -> bytes:
    try:
        return bytes.fromhex(proof.decode("ascii"))
    except ValueError:
        return b""
