"""A JSON-RPC server over HTTP that holds a small state and misbehaves on demand."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from chain.types import Hash32

FORK_HASH = Hash32(b"\xf0" * 32)
FORK_BLOCK = 100
Misbehaviour = Callable[[list[dict[str, Any]]], web.Response | None]


def error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


@dataclass
class FakeRemote:
    """`results` by method and parameters as text, else by method. Each of `troubles` answers one request, or lets it
    be; `always` every one.
    """

    results: dict[Any, Any] = field(default_factory=dict)
    troubles: list[Misbehaviour] = field(default_factory=list)
    always: Misbehaviour | None = None
    bodies: list[list[dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        rows = body if isinstance(body, list) else [body]
        self.bodies.append(rows)
        for trouble in (self.troubles.pop(0) if self.troubles else None, self.always):
            response = None if trouble is None else trouble(rows)
            if response is not None:
                return response
        answers = [self.answer(row) for row in rows]
        return web.json_response(answers if isinstance(body, list) else answers[0])

    def answer(self, row: dict[str, Any]) -> dict[str, Any]:
        shown = " ".join([str(parameter) for parameter in row["params"]])
        found = self.results.get(f"{row['method']} {shown}", self.results.get(row["method"]))
        member = "error" if isinstance(found, dict) and set(found) == {"code", "message"} else "result"
        return {"jsonrpc": "2.0", "id": row["id"], member: found}

    @property
    def sizes(self) -> list[int]:
        """How many calls each request had."""
        return [len(rows) for rows in self.bodies]


@asynccontextmanager
async def serving(remote: FakeRemote) -> AsyncIterator[FakeRemote]:
    application = web.Application()
    application.router.add_post("/{path:.*}", remote.handle)
    server = TestServer(application)
    await server.start_server()
    remote.url = str(server.make_url("/v3/0123456789abcdef0123456789abcdef"))
    try:
        yield remote
    finally:
        await server.close()


def status(code: int, **headers: str) -> Misbehaviour:
    return lambda rows: web.Response(status=code, headers=headers)


def text(body: str) -> Misbehaviour:
    return lambda rows: web.Response(text=body)


def at_most(calls: int) -> Misbehaviour:
    """Batches of more are refused, in the way of many providers: one error for all."""
    refusal = {"jsonrpc": "2.0", "id": None, "error": error(-32600, "batch too large")}
    return lambda rows: web.json_response(refusal) if len(rows) > calls else None
