"""One HTTP connection: uvicorn's, with a shorter way for plain posts and one timer for all of its pauses."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rpc.plain_posts import Head, PlainPost, ServerConfig

HEAD_END = b"\r\n\r\n"


class HttpConnection(HttpToolsProtocol):
    """Requests are answered in their order. A connection that asks nothing for as long as it may is closed."""

    def __init__(self, config: ServerConfig, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        self._posts = config.posts
        self._event = asyncio.Event()
        self._is_between = True
        """Whether what comes next begins a request."""
        self._written_head = b""
        """Of the request that what is being parsed begins with, if its head came whole."""
        self._idle_since: float | None = None

    def data_received(self, data: bytes) -> None:
        if self._is_between:
            end = data.find(HEAD_END) + len(HEAD_END)
            written = data[:end]
            head = self._posts.known(written)
            if head is not None and len(data) == end + head.body_bytes and not self._is_refused():
                self._unset_keepalive_if_required()
                self._begin(head, data[end:])
                return
            self._written_head = written
        super().data_received(data)
        self._written_head = b""

    # What the parser tells

    def on_message_begin(self) -> None:
        self._is_between = False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        written, self._written_head = self._written_head, b""  # what follows in the same piece is another request's
        head = self._plain_head()
        if head is None:
            self._leave_to_uvicorn()
            return
        if written:
            self._posts.keep(written, head)
        self._begin(head)

    def on_message_complete(self) -> None:
        self._is_between = True
        super().on_message_complete()

    def _plain_head(self) -> Head | None:
        parser = self.parser
        if self.url != b"/" or parser.get_method() != b"POST" or self._is_refused():
            return None
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        return self._posts.head_of(self.headers)

    def _is_refused(self) -> bool:
        """Whether uvicorn answers that there are too many connections."""
        limit = self.limit_concurrency
        return limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit)

    def _leave_to_uvicorn(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _begin(self, head: Head, body: bytes | None = None) -> None:
        """Answer a post once those before it are answered; `body` if all of it is there."""
        former = self.cycle
        post = PlainPost(head, self._posts, self.transport, self.flow, self._event, self.on_response_complete)
        if body is not None:
            post.body += body
            post.more_body = False
        self.cycle = post
        if former is None or former.response_complete:
            self._start_asgi_task(post, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((post, self.app))

    # Pauses

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """The timer goes on, once for many pauses: to set one costs a tenth of a small request."""
        self._idle_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:  # the end of a request sets it anew
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch(left)
        else:
            super().timeout_keep_alive_handler()
