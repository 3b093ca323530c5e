"""uvicorn, made to fit a node: it does nothing while nothing happens, and it stops when told to.

Stock uvicorn wakes ten times a second to look whether it should exit, takes over the process's signals, and waits at
the end for clients to hang up. Here an event ends it, signals belong to the process, and clients get half a second.
"""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Generator

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from rpc.app import RpcApplication
from rpc.http import MAX_BODY_BYTES
from rpc.http_connection import HttpConnection
from rpc.plain_posts import PlainPosts, ServerConfig
from rpc.prompt_tasks import PromptTask

KEEP_ALIVE_S = 120
"""geth's. A client that reuses a connection the server has just closed sees an error, so the longer the better."""
MAX_CONNECTIONS = 4_096
GRACE_S = 0.5
UNREAD_CLOSE_S = 1.0


class Rarely(logging.Filter):
    """Passes of each warning the first, the tenth, the hundredth: what clients send must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._times: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        self._times[record.msg] += 1
        times = self._times[record.msg]
        if times > 1:
            record.msg = f"{record.msg} ({times} so far)"
        return str(times).rstrip("0") == "1"


RARELY = Rarely()


class ImpatientWebSocketProtocol(WebSocketsSansIOProtocol):
    """A client that does not read cannot keep its closed connection open: what it left unread is dropped."""

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        super().on_task_complete(task)
        self.stop_keepalive()
        self.loop.call_later(UNREAD_CLOSE_S, self._drop)

    def _drop(self) -> None:
        if not self.disconnected:
            self.transport.abort()


def _end(task: "asyncio.Task[None] | PromptTask") -> "asyncio.Future[None]":
    return task.end() if isinstance(task, PromptTask) else task


class Server(uvicorn.Server):
    """Serves `application` on sockets that are bound already, until `stop`."""

    def __init__(self, application: RpcApplication) -> None:
        config = ServerConfig(
            application,
            http=HttpConnection,
            ws=ImpatientWebSocketProtocol,
            ws_max_size=MAX_BODY_BYTES,
            ws_per_message_deflate=False,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.posts = PlainPosts(application)
        logging.getLogger("uvicorn.error").addFilter(RARELY)
        super().__init__(config)
        self._stopped = asyncio.Event()
        self.listening = asyncio.Event()

    def stop(self) -> None:
        """Close the listening sockets and end what is open within half a second."""
        self.should_exit = True
        self._stopped.set()

    async def main_loop(self) -> None:
        self.listening.set()
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._end_requests()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def _end_requests(self) -> None:
        """Let requests in progress finish, then cancel them."""
        await asyncio.sleep(0)  # what is answered is written
        ends = {_end(task): task for task in self.server_state.tasks}
        if ends:
            _, late = await asyncio.wait(ends, timeout=GRACE_S)
            for end in late:
                ends[end].cancel()
            if late:
                await asyncio.wait(late, timeout=GRACE_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
