"""What no client can do by HTTP: end the process, have it keep what never ends, or hold a connection for ever."""

import asyncio
import logging
from collections.abc import Iterator
from typing import cast

import pytest

from chain.messages.calls import CallOutcome, RunCall
from chain.types import Gas
from rpc.http import MAX_LARGE_BODIES, SMALL_BODY_BYTES
from rpc.http_connection import MAX_UNFINISHED_BYTES, HttpConnection
from rpc.plain_posts import ServerConfig
from rpc.process import RpcProcess
from rpc.server import Rarely
from tests.rpc.fake_chain import FakeChain
from tests.rpc.wire import Wire

CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
CALL = b'{"jsonrpc":"2.0","id":2,"method":"eth_call","params":[{"data":"0x%02x"}]}'
START = b"POST / HTTP/1.1\r\nhost: localhost\r\n"

UPGRADE = (
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def post(body: bytes) -> bytes:
    return START + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def in_chunks(body: bytes) -> bytes:
    return START + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def connected(process: RpcProcess) -> Wire:
    server, wire = process.server, Wire()
    wire.protocol = HttpConnection(cast(ServerConfig, server.config), server.server_state, {})
    wire.protocol.connection_made(wire)
    return wire


def hang_up(wire: Wire) -> None:
    wire.close()
    wire.protocol.connection_lost(None)


@pytest.fixture
def wire(process: RpcProcess) -> Iterator[Wire]:
    wire = connected(process)
    yield wire
    hang_up(wire)


@pytest.fixture
def answers(chain: FakeChain, monkeypatch: pytest.MonkeyPatch) -> asyncio.Semaphore:
    """So many calls are answered."""
    answers = asyncio.Semaphore(0)

    async def hang(_: RunCall) -> CallOutcome:
        await answers.acquire()
        return CallOutcome(b"", "", Gas(0))

    monkeypatch.setattr(chain.callers, "call", hang)
    return answers


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("first", [post(CALL % 1), in_chunks(CALL % 1)])
@pytest.mark.parametrize("ends_by", ["leaving", "an error"])
async def test_answers_to_a_client_that_is_gone_are_dropped_and_harm_nobody(
    process: RpcProcess,
    wire: Wire,
    answers: asyncio.Semaphore,
    first: bytes,
    ends_by: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire.receive(first + post(CHAIN_ID) + (b"\x00\r\n\r\n" if ends_by == "an error" else b""))
    await turns()
    wire.close()
    wire.protocol.connection_lost(ConnectionResetError())
    tasks = set(process.server.server_state.tasks)
    answers.release()
    await turns()
    assert all(task.done() and task.exception() is None for task in tasks)
    assert not process.server.server_state.tasks
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"POST /", b"a" * 16_384),
        (START + b"x: ", b"a" * 16_384),
        (START, b"x: y\r\n" * 2_000),
        (START + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"x: y\r\n" * 2_000),
        (START + b"transfer-encoding: chunked\r\n\r\n1;", b"a" * 16_384),
        (b"", b"\r\n" * 8_192),
    ],
    ids=["target", "header", "headers", "trailers", "chunk extension", "empty lines"],
)
async def test_what_does_not_end_is_refused(wire: Wire, start: bytes, more: bytes) -> None:
    wire.receive(post(CHAIN_ID) + start)
    await turns()
    assert wire.written.count(b"HTTP/1.1 200 OK") == 1
    taken = 0
    while b"HTTP/1.1 431 " not in wire.written and taken < 2 * MAX_UNFINISHED_BYTES:
        wire.receive(more)
        taken += len(more)
    assert MAX_UNFINISHED_BYTES < taken + len(start) <= MAX_UNFINISHED_BYTES + len(start) + len(more)
    wire.receive(more + b"\r\n\r\n" + post(CHAIN_ID))
    await turns()
    assert wire.written.endswith(b"the head has more than 64 KiB\r\n")


async def test_a_client_is_not_heard_while_its_requests_wait_for_one_before_them(
    wire: Wire, answers: asyncio.Semaphore
) -> None:
    wire.pieces += [b"".join(post(CALL % i) for i in range(3)), post(CHAIN_ID) * 2]
    for answered in range(2):
        wire.hand_over()
        await turns()
        assert (wire.written.count(b"HTTP/1.1 200 OK"), len(wire.pieces)) == (answered, 1)
        answers.release()
        await turns()
    answers.release()
    wire.hand_over()
    await turns()
    assert wire.written.count(b"HTTP/1.1 200 OK") == 5


@pytest.mark.parametrize("is_one_piece", [True, False])
@pytest.mark.parametrize("posts", [1, 3])
async def test_an_upgrade_waits_for_the_answers_before_it(
    wire: Wire, answers: asyncio.Semaphore, posts: int, is_one_piece: bool
) -> None:
    calls = [post(CALL % i) for i in range(posts)]
    wire.pieces += [b"".join(calls) + UPGRADE] if is_one_piece else [*calls, UPGRADE]
    wire.pieces.append(b"\x81\x80\0\0\0\0")
    for answered in range(posts):
        for _ in wire.pieces.copy():
            wire.hand_over()
            await turns()
        assert wire.written.count(b"HTTP/1.1 200 OK") == answered
        assert b"HTTP/1.1 101 " not in wire.written
        answers.release()
        await turns()
    wire.hand_over()
    await turns(200)
    assert wire.written.count(b"HTTP/1.1 200 OK") == posts
    assert wire.written.index(b"HTTP/1.1 101 ") > wire.written.rindex(b"HTTP/1.1 200 OK")
    wire.hand_over()
    await turns()
    assert not wire.pieces
    assert b'"parse error"' in wire.written, "what follows is a message of the WebSocket"


async def test_an_upgrade_that_waits_is_forgotten_with_its_client(wire: Wire, answers: asyncio.Semaphore) -> None:
    connection = wire.protocol
    wire.receive(post(CALL % 1) + UPGRADE)
    await turns()
    hang_up(wire)
    answers.release()
    await turns()
    assert wire.written == b""
    assert wire.protocol is connection


@pytest.mark.parametrize("pieces", [[], [b"\r\n"], [post(CHAIN_ID), b"POST /"], [post(CHAIN_ID), post(CHAIN_ID)[:-1]]])
async def test_a_client_that_sends_no_whole_request_is_given_up(wire: Wire, pieces: list[bytes]) -> None:
    connection = wire.protocol
    for piece in pieces:
        wire.receive(piece)
        await turns()
    connection.timeout_keep_alive_handler()
    assert not wire.is_closed
    connection.timeout_keep_alive = 0
    connection.timeout_keep_alive_handler()
    assert wire.is_closed


def test_of_a_warning_that_clients_cause_few_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test of warnings")
    log.addFilter(Rarely())
    for _ in range(120):
        log.warning("Invalid HTTP request received.")
    log.warning("Exceeded concurrency limit.")
    assert [record.getMessage() for record in caplog.records] == [
        "Invalid HTTP request received.",
        "Invalid HTTP request received. (10 so far)",
        "Invalid HTTP request received. (100 so far)",
        "Exceeded concurrency limit.",
    ]


async def test_so_many_large_bodies_are_taken_in_at_once_and_the_end_is_said_to_those_that_wait(
    process: RpcProcess, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    body = CHAIN_ID.ljust(3 * SMALL_BODY_BYTES)
    *pieces, end = [
        post(body)[at : at + SMALL_BODY_BYTES] for at in range(0, 3 * SMALL_BODY_BYTES + 100, SMALL_BODY_BYTES)
    ]
    clients = [connected(process) for _ in range(MAX_LARGE_BODIES + 2)]
    for client in clients:
        client.pieces += pieces
    for _ in pieces:
        for client in clients:
            client.hand_over()
        await turns()
    wire.receive(post(CHAIN_ID))
    await turns()
    assert b'"result":"0x7a69"' in wire.written, "others are answered"
    assert [len(client.pieces) for client in clients] == [0] * MAX_LARGE_BODIES + [1, 1]
    clients[0].receive(end)
    await turns()
    clients[-2].hand_over()
    assert b'"result":"0x7a69"' in clients[0].written
    assert [len(client.pieces) for client in clients[-2:]] == [0, 1]
    for task in process.server.server_state.tasks:
        task.cancel()
    await turns()
    assert all(client.written.startswith(b"HTTP/1.1 503 ") for client in clients[1:])
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    for client in clients:
        hang_up(client)


async def test_a_large_body_that_does_not_come_leaves_its_place_to_another(
    process: RpcProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpc.http.LARGE_BODY_S", 0.0)
    request = post(CHAIN_ID.ljust(2 * SMALL_BODY_BYTES))
    clients = [connected(process) for _ in range(MAX_LARGE_BODIES + 1)]
    for client in clients[:-1]:
        client.receive(request[:-1])
    clients[-1].receive(request)
    await turns()
    assert all(client.written.startswith(b"HTTP/1.1 408 ") and client.is_closed for client in clients[:-1])
    assert b'"result":"0x7a69"' in clients[-1].written
    hang_up(clients[-1])
