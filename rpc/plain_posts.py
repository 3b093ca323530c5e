"""Nearly all requests: a short POST to `/`, whole, with nothing unusual in its head. Answered without ASGI.

Uvicorn's way to an application and back costs as much as a small answer: a scope, messages that are sent and received,
headers looked at one by one. What is unusual still goes that way: a long body or one in chunks, `Expect`, an upgrade,
other methods and paths, an HTTP/1.0 client, whoever is refused.

A client's heads are mostly the same byte by byte. What was found out about one is kept, so the next needs no parser.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from rpc.bounded_cache import BoundedCache
from rpc.prompt_tasks import PromptTasks

MAX_BODY_BYTES = 64 * 1024
"""Of a body that is taken in without making its sender wait. Longer ones pass ASGI, which bounds them by the turn."""
MAX_HEAD_BYTES = 2_048
KEPT_HEADS = 512
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\n"
ENDING = b"HTTP/1.1 503 Service Unavailable\r\n"
UNUSUAL_HEADERS = frozenset((b"transfer-encoding", b"expect", b"upgrade"))

log = logging.getLogger("tandem.rpc")


class Head(NamedTuple):
    """What counts of the head of a plain post."""

    body_bytes: int
    cors: bytes
    """The headers of the answer that let a page read it."""


class PlainApplication(Protocol):
    """What answers plain posts."""

    def refusal(self, host: bytes | None, origin: bytes | None) -> str:
        """Why it is not answered; empty if it is."""
        ...

    async def answer_post(self, body: bytes) -> bytes | None:
        """The JSON, None if none is wanted."""
        ...


class ServerConfig(uvicorn.Config):
    """Uvicorn's, with what is answered past ASGI."""

    posts: "PlainPosts"


class PlainPosts:
    """Tells which posts are plain."""

    def __init__(self, application: PlainApplication) -> None:
        self.answer = application.answer_post
        self._refusal = application.refusal
        self._known: BoundedCache[bytes, Head] = BoundedCache(KEPT_HEADS)
        self._answered: list[tuple[PlainPost, bytes, bytes]] = []

    def known(self, head: bytes) -> Head | None:
        """What was found out about a head, byte by byte the same."""
        return self._known.get(head)

    def keep(self, written: bytes, head: Head) -> None:
        """Remember it, if one cannot take the end of the head for somewhere else."""
        lines = written.count(b"\r\n")
        if len(written) <= MAX_HEAD_BYTES and written.startswith(b"POST / ") and written.count(b"\n") == lines:
            self._known.put(written, head)

    def write_soon(self, post: "PlainPost", start: bytes, body: bytes) -> None:
        """In the next turn, with the other answers of this one: a client that is told of one answer after the other
        sends its next requests as scattered, and each piece of work is done for fewer of them.
        """
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._write_answered)
        self._answered.append((post, start, body))

    def _write_answered(self) -> None:
        answered, self._answered = self._answered, []
        for post, start, body in answered:
            post.write(start, body)

    def head_of(self, headers: list[tuple[bytes, bytes]]) -> Head | None:
        """What counts of these headers; None if the request is not plain."""
        named: dict[bytes, bytes] = {}
        for name, value in headers:
            named.setdefault(name, value)
        length, host, origin = named.get(b"content-length"), named.get(b"host"), named.get(b"origin")
        if length is None or not UNUSUAL_HEADERS.isdisjoint(named) or int(length) > MAX_BODY_BYTES:
            return None
        if origin is not None and not origin.decode("latin-1").isprintable():
            return None
        if self._refusal(host, origin):
            return None
        cors = b"" if origin is None else b"access-control-allow-origin: %b\r\nvary: origin\r\n" % origin
        return Head(int(length), cors)


class PlainPost(RequestResponseCycle):
    """One of them, in the place that uvicorn has for a request: it may have to wait for those before it."""

    def __init__(
        self,
        head: Head,
        posts: PlainPosts,
        transport: asyncio.Transport,
        flow: FlowControl,
        message_event: asyncio.Event,
        on_response: Callable[[], None],
    ) -> None:
        self.head = head
        self.posts = posts
        self.transport = transport
        self.flow = flow
        self.message_event = message_event
        self.on_response = on_response
        self.body = bytearray()
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self._is_prompt = False
        """Whether it has not waited for anything."""

    def begin(self, tasks: PromptTasks) -> None:
        """All of it is there and none is before it."""
        self._is_prompt = True
        tasks.start(self.run_asgi(None))
        self._is_prompt = False

    async def run_asgi(self, app: object) -> None:
        while self.more_body:
            if self.disconnected:
                return
            self.message_event.clear()
            await self.message_event.wait()
        try:
            answer = await self.posts.answer(bytes(self.body))
        except asyncio.CancelledError:  # the server ends and this request has had its grace
            await self._respond(ENDING, b"the node is shutting down")
        except Exception as error:
            log.error("a request failed", exc_info=error)
            self.keep_alive = False
            await self._respond(FAILED, b"Internal Server Error")
        else:
            await self._respond(OK, answer or b"")

    async def _respond(self, start: bytes, body: bytes) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self._is_prompt:
            self.posts.write_soon(self, start, body)
        else:
            self.write(start, body)

    def write(self, start: bytes, body: bytes) -> None:
        """Unless the client is gone."""
        if self.disconnected:
            return
        close = b"" if self.keep_alive else b"connection: close\r\n"
        self.transport.write(b"%b%b%bcontent-length: %d\r\n\r\n%b" % (start, self.head.cors, close, len(body), body))
        self.response_complete = True
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
