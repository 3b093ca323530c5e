"""How processes speak, as the rooms see it: a room's `process.py` takes these and never sees a socket.

Requests are answered or retried: a link survives the death of its peer, reconnects and sends again what was not
answered, so every request must be one that can be carried out twice. News is pushed to those who follow, with
credits; a follower that reconnects or lags follows anew from its own cursor, so nothing is lost.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from chain.messages import Message


class RequestFailed(Exception):
    """The peer could not carry out a request. `error` is the class name of what it raised there."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error
        self.text = text


class LinkClosed(Exception):
    """This side closed the link while a request waited."""


class Link(Protocol):
    """The asking end of a connection to one serving process."""

    @property
    def connected(self) -> bool: ...

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        """The answer to `message`; waits while the peer is away. Raises RequestFailed, LinkClosed, TimeoutError."""
        ...

    def notify(self, message: Message) -> bool:
        """Send without an answer; dropped (False) while the peer is away or its queue is full."""
        ...

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        """Send `request()` at every (re)connection, and give each pushed message to `take`, one after the other.

        `request` names the cursor from which to go on. A message counts as received when `take` returns.
        """
        ...


class Peer(Protocol):
    """The serving end's view of one connected process."""

    @property
    def name(self) -> str:
        """The role of the process and its index, such as "worker-0", and what tells its lives apart."""
        ...

    @property
    def open(self) -> bool: ...

    def push(self, message: Message) -> bool:
        """Queue news. False when the peer is gone or its queue is full: it will be told to follow anew."""
        ...

    async def drained(self) -> None:
        """Wait until the peer has taken enough for more to be pushed. Raises LinkClosed when it is gone."""
        ...


class Service(Protocol):
    """What a process offers on its serving socket."""

    async def answer(self, message: Message, peer: Peer) -> Message | None:
        """The answer to a request; None is Done. What it raises reaches the asker as RequestFailed."""
        ...

    def joined(self, peer: Peer) -> None:
        """A process connected."""
        ...

    def left(self, peer: Peer) -> None:
        """A process is gone for good; another life of it joins as another peer."""
        ...


Hear: TypeAlias = Callable[[Message, Peer], None]
"""Takes a message that nobody waits for an answer to. It may not wait; what it raises is logged."""
