"""The sockets of one process."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from chain.links import Hear, Service
from node.plan import Role
from node.queues.asking import AskingSocket, Prove
from node.queues.listening import Listener, ListeningSocket
from node.queues.serving import ServingSocket, take_none


class Sockets:
    """The sockets of one process; all are closed at the end, in the reverse order of opening."""

    def __init__(self, role: Role) -> None:
        self._name = role.name
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def link(
        self, endpoint: str, on_connection: Callable[[bool], None] | None = None, prove: Prove | None = None
    ) -> AskingSocket:
        """A link to the process that serves at `endpoint`."""
        link = AskingSocket(endpoint, self._name, on_connection, prove)
        self._closing.append(link.close)
        return link

    def serve(self, endpoint: str, service: Service, hear: Hear = take_none) -> ServingSocket:
        """Answers what is asked at the endpoint; `hear` takes what needs no answer."""
        server = ServingSocket(endpoint, service, hear)
        self._closing.append(server.close)
        return server

    def listen(self, endpoint: str, listener: Listener) -> ListeningSocket:
        """Takes one-way messages of those who prove their names."""
        listening = ListeningSocket(endpoint, listener)
        self._closing.append(listening.close)
        return listening

    async def close(self) -> None:
        for close in reversed(self._closing):
            await close()


@contextlib.asynccontextmanager
async def sockets_of(role: Role) -> AsyncIterator[Sockets]:
    sockets = Sockets(role)
    try:
        yield sockets
    finally:
        await sockets.close()
