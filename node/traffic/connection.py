"""JSON-RPC over one WebSocket: many requests at a time, and each new block as it comes."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from node.running_chain import ChainEnded, NoChain, address_in

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
CLOSE_TIMEOUT_S = 1
"""How long the chain may take to say goodbye: with a thousand calls on their way it never does."""


class Refused(Exception):
    """The node answered with an error; `data` is what it says besides, such as revert data."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Connection:
    """Made by `connected`. When it breaks, every request that waits raises ChainEnded."""

    def __init__(self, socket: Any, url: str) -> None:
        self._socket = socket
        self._url = url
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.heads: asyncio.Queue[Any] = asyncio.Queue()
        """New blocks' headers, once subscribed to."""

    async def ask(self, method: str, *params: Any) -> Any:
        """The result. Raises Refused, and ChainEnded."""
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def follow_heads(self) -> None:
        await self.ask("eth_subscribe", "newHeads")

    async def read(self) -> None:
        """Hand out what comes, until the connection ends. Raises ChainEnded."""
        from websockets.exceptions import ConnectionClosed

        try:
            async for text in self._socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        ended = ChainEnded(self._url)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ended)
                answer.exception()  # counts as seen: who asked may still be sending, and hears of it from there
        raise ended

    async def _send(self, message: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise ChainEnded(self._url) from error

    def _take(self, message: Any) -> None:
        if message.get("method") == "eth_subscription":
            self.heads.put_nowait(message["params"]["result"])
            return
        answer = self._waiting.get(message.get("id"))
        if answer is None or answer.done():
            return
        if "error" in message:
            error = message["error"]
            answer.set_exception(Refused(str(error.get("message")), error.get("data")))
        else:
            answer.set_result(message.get("result"))


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to the chain at that RPC address. Raises NoChain."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    address = address_in(url)._replace(scheme="ws").geturl()
    try:
        socket = await connect(address, max_size=MAX_MESSAGE_BYTES, close_timeout=CLOSE_TIMEOUT_S)
    except (OSError, TimeoutError, WebSocketException) as error:
        raise NoChain(url, error) from error
    async with socket:
        yield Connection(socket, url)
