"""JSON-RPC over WebSocket: requests are answered as they finish, and subscriptions push news in between.

Everything that leaves goes through one bounded queue per client. A client that does not read fills it and is
disconnected, so that it costs the node no more than that queue.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from starlette.types import Message, Receive, Scope, Send

from rpc.dispatch import Dispatcher

log = logging.getLogger("tandem.rpc")

MAX_QUEUED_BYTES = 8 * 1024 * 1024
MAX_CONCURRENT_REQUESTS = 64
"""Requests of one client in progress; further ones wait in its socket."""


class WebSocketClient:
    """The sending half of one connection: `push` queues, `run` sends until `close` or overflow."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._waiting_answers = 0
        self._held_news: deque[bytes] = deque()
        """News that came while answers wait: one of them may name the subscription that it is of."""
        self._held_bytes = 0
        self._news = asyncio.Event()
        self._open = True
        self._room = asyncio.Event()
        self.overflowed = asyncio.Event()

    async def answer(self, message: bytes) -> None:
        """Queue the answer to a request of this client, when it has read enough of those before: unlike news, which
        nobody waits for, answers can wait, and with them the requests that come after."""
        self._waiting_answers += 1
        try:
            while self._queue and self._queued_bytes + len(message) > MAX_QUEUED_BYTES // 2:
                self._room.clear()
                await self._room.wait()
        finally:
            self._waiting_answers -= 1
        if self._open:
            self._put(message)
            if not self._waiting_answers:
                self._release_news()

    def push(self, message: bytes) -> bool:
        """Queue one JSON text. False when the client is gone, or too slow and therefore being closed."""
        if not self._open:
            return False
        if self._queued_bytes + self._held_bytes + len(message) > MAX_QUEUED_BYTES and self._queue:
            self.close()
            self.overflowed.set()
            return False
        if self._waiting_answers:
            self._held_news.append(message)
            self._held_bytes += len(message)
        else:
            self._put(message)
        return True

    def _put(self, message: bytes) -> None:
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._news.set()

    def _release_news(self) -> None:
        while self._held_news:
            self._put(self._held_news.popleft())
        self._held_bytes = 0

    def close(self) -> None:
        """Take and send nothing more."""
        self._open = False
        self._queue.clear()
        self._held_news.clear()
        self._queued_bytes = self._held_bytes = 0
        self._news.set()
        self._room.set()

    async def run(self) -> None:
        """Send what is queued. A text counts as queued until the socket has taken it."""
        while self._open:
            await self._news.wait()
            self._news.clear()
            while self._queue:
                message = self._queue[0]
                await self._send({"type": "websocket.send", "text": message.decode()})
                if self._queue:
                    self._queue.popleft()
                    self._queued_bytes -= len(message)
                    self._room.set()


class WebSocketEndpoint:
    """Serves each connection until either side closes it. `forget` is told of every client that is gone."""

    def __init__(self, dispatcher: Dispatcher, forget: Callable[[WebSocketClient], None]) -> None:
        self._dispatcher = dispatcher
        self._forget = forget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opening = await receive()
        assert opening["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        client = WebSocketClient(send)
        try:
            # Cancelled when the server ends and a request has had its grace.
            with contextlib.suppress(asyncio.CancelledError):
                await self._serve(client, receive)
        finally:
            client.close()
            self._forget(client)

    async def _serve(self, client: WebSocketClient, receive: Receive) -> None:
        """Read, send and watch for overflow side by side; the first to end ends the connection.

        Requests already begun are carried out to their end: a client may send a transaction and hang up.
        """
        async with asyncio.TaskGroup() as requests:
            loops = (
                asyncio.create_task(self._read(client, receive, requests)),
                asyncio.create_task(client.run()),
                asyncio.create_task(client.overflowed.wait()),
            )
            try:
                await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
            finally:
                client.close()
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)
        if client.overflowed.is_set():
            log.warning("a WebSocket client reads too slowly: disconnected with %d bytes waiting", MAX_QUEUED_BYTES)

    async def _read(self, client: WebSocketClient, receive: Receive, requests: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(MAX_CONCURRENT_REQUESTS)
        while (message := await receive())["type"] == "websocket.receive":
            await slots.acquire()
            requests.create_task(self._answer(client, _body_of(message), slots))

    async def _answer(self, client: WebSocketClient, body: bytes, slots: asyncio.Semaphore) -> None:
        try:
            answer = await self._dispatcher.answer(body, client)
            if answer is not None:
                await client.answer(answer)
        finally:
            slots.release()


def _body_of(message: Message) -> bytes:
    text = message.get("text")
    body: bytes = message["bytes"] if text is None else text.encode()
    return body
