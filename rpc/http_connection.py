"""One HTTP connection: uvicorn's, with a shorter way for plain posts, one timer for all of its pauses, and bounds."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from rpc.http import MAX_DRAINING_S
from rpc.plain_posts import Head, PlainPost, ServerConfig
from rpc.prompt_tasks import PromptTasks

HEAD_END = b"\r\n\r\n"
MAX_UNFINISHED_BYTES = 64 * 1024
"""Of a head, or of what follows the last chunk. What is kept of many small headers takes ten times as much."""
HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 31\r\n\r\nthe head has more than 64 KiB\r\n"
)


class InOrder(FlowControl):
    """Reads nothing more while requests wait for those before them: of a client that reads no answers they would
    pile up.
    """

    def __init__(self, transport: asyncio.Transport, is_waiting: Callable[[], bool]) -> None:
        super().__init__(transport)
        self._is_waiting = is_waiting

    def resume_reading(self) -> None:
        if not self._is_waiting():
            super().resume_reading()


class HttpConnection(HttpToolsProtocol):
    """Requests are answered in their order. A connection that sends nothing for as long as it may is closed, if nothing
    is being answered.
    """

    def __init__(self, config: ServerConfig, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        self._posts = config.posts
        self._tasks = PromptTasks(self.loop, self.tasks)
        self._event = asyncio.Event()
        self._is_between = True
        """Whether what comes next begins a request."""
        self._written_head = b""
        """Of the request that what is being parsed begins with, if its head came whole."""
        self._unfinished_bytes = 0
        """Of what came since the parser last told of something."""
        self._answering: RequestResponseCycle | None = None
        self._is_websocket = False
        """Whether the client has asked for it: whatever it sends from then on is no HTTP."""
        self._upgrade_waits = False
        """Until what was asked before it is answered."""
        self._is_deaf = False
        """Whether what comes is dropped, because a head was too large."""
        self._idle_since: float | None = None
        """Since when the client could send something and does not; None while it is the server's turn."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = InOrder(transport, lambda: bool(self.pipeline) or self._upgrade_waits)
        self._await_client()

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._is_between:
            end = data.find(HEAD_END) + len(HEAD_END)
            written = data[:end]
            head = self._posts.known(written)
            if head is not None and len(data) == end + head.body_bytes and not self._is_refused():
                self._unset_keepalive_if_required()
                self._begin(head, data[end:])
                return
            self._written_head = written
        self._unfinished_bytes += len(data)
        super().data_received(data)
        self._written_head = b""
        if self._is_websocket or self.transport.is_closing():
            return
        if self._unfinished_bytes > MAX_UNFINISHED_BYTES:
            self._refuse_head()
        elif not self._is_between or self.cycle is None or self.cycle.response_complete:
            self._await_client()

    # What the parser tells

    def on_message_begin(self) -> None:
        self._is_between = False
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        written, self._written_head = self._written_head, b""  # what follows in the same piece is another request's
        self._unfinished_bytes = 0
        head = self._plain_head()
        if head is None:
            self._leave_to_uvicorn()
            return
        if written:
            self._posts.keep(written, head)
        self._begin(head)

    def on_body(self, body: bytes) -> None:
        self._unfinished_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_between = True
        self._unfinished_bytes = 0
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
        if former is not None and not former.response_complete:
            self.flow.pause_reading()
            self.pipeline.appendleft((post, self.app))
        elif body is None:
            self._start_asgi_task(post, self.app)
        else:
            self._answering = post
            post.begin(self._tasks)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._upgrade_waits:
            self._upgrade()
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if not self._is_between or self.cycle.response_complete:
            self._await_client()

    # The end

    def send_400_response(self, msg: str) -> None:
        self._hang_up()
        super().send_400_response(msg)

    def _refuse_head(self) -> None:
        """A client that has yet to send the rest would not see the answer if the connection ended at once."""
        self._hang_up()
        self._is_deaf = True
        self._idle_since = None
        self.transport.write(HEAD_TOO_LARGE)
        self.loop.call_later(MAX_DRAINING_S, self.transport.close)

    def handle_websocket_upgrade(self) -> None:
        self._is_websocket = True
        self._stop_timer()
        if self.cycle is None or self.cycle.response_complete:
            super().handle_websocket_upgrade()
        else:
            self._upgrade_waits = True
            self.flow.pause_reading()

    def _upgrade(self) -> None:
        self._upgrade_waits = False
        self.flow.resume_reading()
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up()
        super().connection_lost(exc)
        self._stop_timer()

    def _hang_up(self) -> None:
        """Nothing is answered any more: neither the newest request, which is all that uvicorn knows of, nor those
        before it.
        """
        self.pipeline.clear()
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    # Pauses

    def _await_client(self) -> None:
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """The timer goes on, once for many pauses: to set one costs a tenth of a small request."""
        self._idle_since = None

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _stop_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:  # the end of a request sets it anew
            return
        if self.flow.read_paused:  # it may send and is not heard
            self._idle_since = self.loop.time()
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch(left)
        else:
            super().timeout_keep_alive_handler()
