"""The short way of plain posts: it answers as the long one, however requests are cut, and remembers nothing false."""

import asyncio
import json
import os
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import httptools
import pytest

from chain.messages.calls import CallOutcome, RunCall
from chain.types import Gas
from rpc.http_connection import HttpConnection
from rpc.plain_posts import MAX_BODY_BYTES, Head, PlainPosts, ServerConfig
from rpc.process import RpcProcess
from tests.rpc.fake_chain import FakeChain
from tests.rpc.wire import Wire

SEED = int(os.environ.get("TANDEM_SEED", "7"))
CHAIN_ID = b'{"jsonrpc":"2.0","id":%d,"method":"eth_chainId"}'
ORIGIN = b"origin: https://app.example.org\r\n"


def post(body: bytes, headers: bytes = b"", start: bytes = b"POST / HTTP/1.1") -> bytes:
    return b"%b\r\nhost: localhost\r\n%bcontent-length: %d\r\n\r\n%b" % (start, headers, len(body), body)


def in_chunks(body: bytes) -> bytes:
    head = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


class Answers:
    """What came back on one connection, each answer as (status, headers, body)."""

    def __init__(self) -> None:
        self.all: list[tuple[int, dict[bytes, bytes], bytes]] = []
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.all.append((self._parser.get_status_code(), self._headers, self._body))


async def exchange(address: str, pieces: Sequence[bytes], answers: int) -> list[tuple[int, dict[bytes, bytes], bytes]]:
    """Send the pieces, each when the server has had turns to take the one before, and wait for so many answers."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, port)
    got = Answers()
    async with asyncio.timeout(60):
        for piece in pieces:
            writer.write(piece)
            for _ in range(5):
                await asyncio.sleep(0)
        while len(got.all) < answers and (data := await reader.read(65536)):
            got.feed(data)
    writer.close()
    return got.all


async def test_whatever_is_asked_and_however_it_is_cut_the_answers_are_those_of_each_request_alone(
    address: str,
) -> None:
    print(f"TANDEM_SEED={SEED}")
    dice = random.Random(SEED)
    kinds = [
        post(CHAIN_ID % 1),
        post(CHAIN_ID % 22),
        post(CHAIN_ID % 3, ORIGIN),
        post(CHAIN_ID % 4, b"expect: nothing\r\n"),
        post(b"[" + CHAIN_ID % 5 + b"," + CHAIN_ID % 6 + b"]"),
        post(b"not json"),
        post(b""),
        post(CHAIN_ID % 7, start=b"POST /nothing HTTP/1.1"),
        post(CHAIN_ID % 8, start=b"PUT / HTTP/1.1"),
        post(b" " * (MAX_BODY_BYTES + 1) + CHAIN_ID % 9),
        in_chunks(CHAIN_ID % 10),
    ]
    alone = [(await exchange(address, [kind], 1))[0] for kind in kinds]
    for _ in range(30):
        picked = [dice.randrange(len(kinds)) for _ in range(dice.randrange(1, 8))]
        stream = b"".join(kinds[kind] for kind in picked)
        cuts = sorted({0, len(stream), *(dice.randrange(len(stream)) for _ in range(dice.randrange(6)))})
        pieces = [stream[start:end] for start, end in pairwise(cuts)]
        assert await exchange(address, pieces, len(picked)) == [alone[kind] for kind in picked]


async def test_a_body_that_looks_like_a_request_is_none(address: str) -> None:
    known = post(CHAIN_ID % 1)
    wrapped = post(known)
    answers = await exchange(address, [known, known, wrapped[: -len(known)], known, known], 4)
    assert [json.loads(body).get("result") for _, _, body in answers] == ["0x7a69", "0x7a69", None, "0x7a69"]


async def test_a_head_like_the_last_but_for_its_origin_is_answered_with_its_own(address: str) -> None:
    requests = [post(CHAIN_ID % 1, b"origin: https://%b.example.org\r\n" % page) for page in (b"a", b"b", b"a")]
    answers = await exchange(address, [b"".join(requests)], 3) + await exchange(address, requests, 3)
    allowed = [headers[b"access-control-allow-origin"] for _, headers, _ in answers]
    assert allowed == [b"https://%b.example.org" % page for page in (b"a", b"b", b"a") * 2]


class Application:
    def refusal(self, host: bytes | None, origin: bytes | None) -> str:
        return "no" if host == b"bad" else ""

    async def answer_post(self, body: bytes) -> bytes | None:
        return body


def test_posts_with_anything_unusual_are_not_plain() -> None:
    posts = PlainPosts(Application())
    length = (b"content-length", b"2")
    assert posts.head_of([(b"host", b"good"), length]) == Head(2, b"")
    for headers in (
        [],
        [(b"content-length", b"%d" % (MAX_BODY_BYTES + 1))],
        [length, (b"host", b"bad")],
        [length, (b"expect", b"100-continue")],
        [length, (b"upgrade", b"websocket")],
        [length, (b"transfer-encoding", b"chunked")],
        [length, (b"origin", b"a\x01b")],
    ):
        assert posts.head_of(headers) is None


def test_a_head_whose_end_may_be_elsewhere_is_not_remembered() -> None:
    posts = PlainPosts(Application())
    for written in (
        b"\r\n\r\n",
        b"\r\nPOST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\n\nPOST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nx: " + b"a" * 4_000 + b"\r\n\r\n",
    ):
        posts.keep(written, Head(1, b""))
        assert posts.known(written) is None
    usual = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n"
    posts.keep(usual, Head(1, b""))
    assert posts.known(usual) == Head(1, b"")


async def test_a_client_that_asks_to_close_sees_the_end_after_its_answer(address: str) -> None:
    host, port = address.split(":")
    for start, headers in ((b"POST / HTTP/1.1", b"connection: close\r\n"), (b"POST / HTTP/1.0", b"")):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(post(CHAIN_ID % 1, headers, start))
        async with asyncio.timeout(60):
            assert (await reader.read()).endswith(b'"result":"0x7a69"}')
        writer.close()


async def until(condition: Callable[[], Any]) -> None:
    """Let the event loop turn until it holds."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came about")


async def test_a_client_that_leaves_in_the_midst_of_its_request_is_forgotten(address: str, process: RpcProcess) -> None:
    host, port = address.split(":")
    state = process.server.server_state
    _, writer = await asyncio.open_connection(host, port)
    writer.write(post(CHAIN_ID % 1)[:-3])
    await until(lambda: state.tasks)
    writer.close()
    await until(lambda: not state.tasks and not state.connections)


async def test_a_connection_is_closed_when_it_has_been_quiet_for_long_and_only_then(
    chain: FakeChain, address: str, process: RpcProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, port)
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def hang(_: RunCall) -> CallOutcome:
        asked.set()
        await may_answer.wait()
        return CallOutcome(b"", "", Gas(0))

    monkeypatch.setattr(chain.callers, "call", hang)
    writer.write(post(CHAIN_ID % 1))
    await reader.readuntil(b"}")
    [connection] = process.server.server_state.connections
    assert isinstance(connection, HttpConnection)
    connection.timeout_keep_alive_handler()  # the pause has just begun
    writer.write(post(b'{"jsonrpc":"2.0","id":2,"method":"eth_call","params":[{}]}'))
    await asked.wait()
    connection.timeout_keep_alive = 0
    connection.timeout_keep_alive_handler()  # there is no pause
    may_answer.set()
    assert (await reader.readuntil(b"}")).endswith(b'"id":2,"result":"0x"}')
    connection.timeout_keep_alive_handler()
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


def connected(process: RpcProcess) -> Wire:
    """A client whose head is known."""
    server, wire = process.server, Wire()
    wire.protocol = HttpConnection(cast(ServerConfig, server.config), server.server_state, {})
    wire.protocol.connection_made(wire)
    return wire


async def test_what_comes_in_one_turn_is_answered_in_the_next_all_at_once(process: RpcProcess) -> None:
    wires = [connected(process) for _ in range(3)]
    for _ in range(2):  # the second time the head is known
        for wire in wires:
            wire.written = b""
            wire.receive(post(CHAIN_ID % 1))
        assert not any(wire.written for wire in wires)
        for _ in range(10):
            await asyncio.sleep(0)
        assert all(b'"0x7a69"' in wire.written for wire in wires)
    for wire in wires:
        wire.written = b""
        wire.receive(post(CHAIN_ID % 2))
    wires[1].protocol.connection_lost(None)
    wires[1].close()
    await asyncio.sleep(0)
    assert [b'"0x7a69"' in wire.written for wire in wires] == [True, False, True]
    for wire in wires[::2]:
        wire.protocol.connection_lost(None)


@pytest.mark.parametrize("clients", [1, 2])
async def test_at_the_end_what_is_answered_is_written_and_what_waits_is_told_so(
    process: RpcProcess, chain: FakeChain, monkeypatch: pytest.MonkeyPatch, clients: int
) -> None:
    async def hang(_: RunCall) -> CallOutcome:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(chain.callers, "call", hang)
    monkeypatch.setattr("rpc.server.GRACE_S", 0.01)
    asked = [
        post(body.ljust(100))
        for body in (CHAIN_ID % 1, b'{"jsonrpc":"2.0","id":2,"method":"eth_call","params":[{"data":"0x00"}]}')
    ]
    wires = [connected(process) for _ in range(clients)]
    wires[0].receive(asked[0])
    for _ in range(10):
        await asyncio.sleep(0)
    wires[0].written = b""
    for wire, request in zip(wires, asked, strict=False):
        wire.receive(request)
    process.server.servers = []
    await process.server.shutdown([])
    assert b'"0x7a69"' in wires[0].written
    assert all(wire.written.startswith(b"HTTP/1.1 503 ") for wire in wires[1:])
    assert not process.server.server_state.tasks
