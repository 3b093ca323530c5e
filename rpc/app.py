"""The ASGI application: JSON-RPC at `/` over HTTP and WebSocket, everything else behind it in FastAPI.

FastAPI is loaded when the first page is asked for. Its import takes 0.17 s of CPU, which at start would delay the
first answer of the whole chain, since all processes start at once.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from rpc.access import Access, AccessRules
from rpc.dispatch import Dispatcher
from rpc.http import JsonRpcEndpoint, header, respond
from rpc.methods import Node
from rpc.websocket import WebSocketEndpoint

PAGE_METHODS = ("GET", "HEAD")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


class RpcApplication:
    def __init__(self, node: Node, rules: AccessRules) -> None:
        dispatcher = Dispatcher(node)
        self.answer_post = dispatcher.answer
        self._access = Access(rules)
        self._node = node
        self._http = JsonRpcEndpoint(dispatcher)
        self._websocket = WebSocketEndpoint(dispatcher, node.subscriptions.forget)
        self._pages: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(header(scope, b"host"), header(scope, b"origin"))
        if refusal:
            await _refuse(scope, receive, send, refusal)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["path"] == "/" and scope["method"] not in PAGE_METHODS:
            await self._http(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    def refusal(self, host: bytes | None, origin: bytes | None) -> str:
        """Why a request with these headers is refused; empty if it is not."""
        return self._access.refusal(host, origin)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._pages is None:
            from rpc.pages import build_pages

            self._pages = build_pages(self._node)
        await self._pages(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send, reason: str) -> None:
    """403, also to a WebSocket's opening request."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": [TEXT]})
        await send({"type": "websocket.http.response.body", "body": reason.encode()})
    else:
        await respond(send, 403, reason.encode(), [TEXT])
