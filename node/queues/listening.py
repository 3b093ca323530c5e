"""A socket for one-way messages between validators: it believes signed names only, and keeps nothing for anyone."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from node.queues.dialing import Door
from node.queues.frames import HELLO_BYTES, Connection, Kind

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""A full proposal has 2 MB of transactions; an answer to a validator that catches up, 4 MB and one of these."""
MAX_FRAME_BYTES = 2 * MAX_MESSAGE_BYTES
"""The connection of whoever sends more is cut, before any of it is taken in."""

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


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a connection said it is, and who is believed to be there."""

    name: str
    sender: Sender


NOBODY = _Claim("", None)
"""Who has not said anything yet."""


class ListeningSocket:
    """Takes from its connections in turn, as much as has come on each.

    An asking socket begins with its name, a number of its own and the proof of both, which is checked once.
    """

    def __init__(self, endpoint: str, listener: Listener) -> None:
        self._listener = listener
        self._claims: dict[Connection, _Claim] = {}
        self._closed = False
        self._door = Door(endpoint, lambda: Connection(self, HELLO_BYTES))

    async def close(self) -> None:
        self._closed = True
        await self._door.close()
        for connection in tuple(self._claims):
            connection.abort()

    # What connections tell (node.queues.frames.Owner)

    def opened(self, connection: Connection) -> None:
        self._claims[connection] = NOBODY
        if self._closed:
            connection.abort()

    def took(self, connection: Connection, kind: int, number: int, payload: bytes) -> None:
        claim = self._claims[connection]
        if kind == Kind.HELLO and claim is NOBODY:
            claim = self._claims[connection] = self._claimed(payload)
            if claim.sender is not None:
                connection.most_bytes = MAX_FRAME_BYTES
                connection.send(Kind.WELCOME)
                return
        sender = claim.sender
        if sender is None:
            self._listener.refuse_stranger(claim.name)
        elif kind != Kind.NOTIFY:
            self._listener.refuse_malformed(sender)
        elif len(payload) > MAX_MESSAGE_BYTES:
            self._listener.refuse_oversized(sender, len(payload))
        else:
            self._listener.take(sender, payload)

    def got_room(self, connection: Connection) -> None:
        """Nothing but a welcome is ever sent."""

    def lost(self, connection: Connection) -> None:
        del self._claims[connection]

    def _claimed(self, identity: bytes) -> _Claim:
        life, _, proof = identity.rpartition(b":")
        return _Claim(_name(identity), self._listener.sender(_name(life), life, _unhex(proof)))


def _name(identity: bytes) -> str:
    return identity.split(b":", 1)[0].decode("ascii", "replace")


def _unhex(proof: bytes) -> bytes:
    try:
        return bytes.fromhex(proof.decode("ascii"))
    except ValueError:
        return b""
