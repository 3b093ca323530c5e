"""JSON-RPC over HTTP POST as a bare ASGI endpoint.

No framework stands between the socket and the dispatcher, because a wallet's or a script's requests are small and many,
and routing and validation layers cost several times what answering them does.
"""

import asyncio
import contextlib

from starlette.types import Receive, Scope, Send

from rpc.dispatch import Dispatcher

MAX_BODY_BYTES = 5 * 1024 * 1024
"""geth's limit."""
SMALL_BODY_BYTES = 64 * 1024
MAX_LARGE_BODIES = 32
"""Taken in and answered at once, over all connections; what is made of one takes a few times its size."""
LARGE_BODY_S = 30.0
"""How long one may take to come, as in geth: some that come a byte at a time would keep out all others."""
MAX_DRAINED_BYTES = 4 * MAX_BODY_BYTES
MAX_DRAINING_S = 1.0
"""How much longer a client whose body is refused may go on sending: one that sends before it reads, as Python's
http.client does, would see its connection reset instead of the answer."""
PREFLIGHT_SECONDS = b"600"

Header = tuple[bytes, bytes]
JSON: Header = (b"content-type", b"application/json")


class BodyTooLarge(Exception):
    """A request body over the limit; `size` is what was announced, or what had come by then."""

    def __init__(self, size: int) -> None:
        super().__init__(f"content length too large ({size}>{MAX_BODY_BYTES})")


class ClientGone(Exception):
    """The client closed the connection before it had sent its request."""


class JsonRpcEndpoint:
    """Answers POST with JSON-RPC, OPTIONS for browsers, and other methods with 405."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._room = asyncio.Semaphore(MAX_LARGE_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cors = cors_headers(scope)
        if scope["method"] == "OPTIONS":
            await respond(send, 204, b"", [*cors, *preflight_headers(scope)])
        elif scope["method"] != "POST":
            await respond(send, 405, b"method not allowed", [*cors, (b"allow", b"GET, POST, OPTIONS")])
        else:
            try:
                if is_small(scope):
                    await self._post(scope, receive, send, cors, None)
                else:
                    async with self._room:
                        await self._post(scope, receive, send, cors, LARGE_BODY_S)
            except asyncio.CancelledError:  # the server ends and this request has had its grace
                await respond(send, 503, b"the node is shutting down", cors)

    async def _post(
        self, scope: Scope, receive: Receive, send: Send, cors: list[Header], limit_s: float | None
    ) -> None:
        try:
            async with asyncio.timeout(limit_s):
                body = await read_body(scope, receive)
        except TimeoutError:
            text = f"the body did not come within {limit_s:g} s".encode()
            return await respond(send, 408, text, [(b"connection", b"close"), *cors])
        except BodyTooLarge as error:
            return await refuse_body(receive, send, error, cors)
        except ClientGone:
            return None
        answer = await self._dispatcher.answer(body)
        return await respond(send, 200, answer or b"", [JSON, *cors])


def header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def is_small(scope: Scope) -> bool:
    """Whether a short body is announced."""
    announced = header(scope, b"content-length")
    return announced is not None and int(announced) <= SMALL_BODY_BYTES


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises BodyTooLarge, before reading it where its length is announced, and ClientGone."""
    announced = header(scope, b"content-length")
    if announced is not None and int(announced) > MAX_BODY_BYTES:
        raise BodyTooLarge(int(announced))
    body, more = b"", True
    chunks: list[bytes] = []
    size = 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(body)
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge(size)
        chunks.append(body)
    return body if len(chunks) == 1 else b"".join(chunks)


def cors_headers(scope: Scope) -> list[Header]:
    """Any page, and any extension, may talk to a devnet: each is answered with its own origin, as MetaMask needs it."""
    origin = header(scope, b"origin")
    return [] if origin is None else [(b"access-control-allow-origin", origin), (b"vary", b"origin")]


def preflight_headers(scope: Scope) -> list[Header]:
    """What a browser asks before it posts JSON, from a public page to this private address too."""
    asked = header(scope, b"access-control-request-headers") or b"content-type"
    headers = [
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", asked),
        (b"access-control-max-age", PREFLIGHT_SECONDS),
    ]
    if header(scope, b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers


async def refuse_body(receive: Receive, send: Send, error: BodyTooLarge, cors: list[Header]) -> None:
    """Answer at once, and end the connection when the client has sent the rest or enough of it."""
    body = str(error).encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"connection", b"close"), *cors]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(MAX_DRAINING_S):
            await drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def drain(receive: Receive) -> None:
    """Read the rest of a body for nothing, up to `MAX_DRAINED_BYTES`."""
    size, more = 0, True
    while more and size < MAX_DRAINED_BYTES:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
        size += len(message.get("body", b""))


async def respond(send: Send, status: int, body: bytes, headers: list[Header]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})
