"""The short way of plain posts does with any bytes, however they are cut, what uvicorn's own connection does."""

import asyncio
import os
import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from rpc.http_connection import HttpConnection
from rpc.process import RpcProcess
from tests.rpc.wire import Wire

SEED = int(os.environ.get("TANDEM_SEED", "7"))
CHAIN_ID = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
KNOWN = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(CHAIN_ID), CHAIN_ID)
BODIES = (CHAIN_ID, CHAIN_ID, b"[%b,%b]" % (CHAIN_ID, CHAIN_ID), b"", b"{", KNOWN, CHAIN_ID + b"\r\n\r\n")
METHODS = (*(b"POST",) * 50, b"GET", b"HEAD", b"PUT", b"OPTIONS", b"post", b"PO", b"")
TARGETS = (*(b"/",) * 50, b"//", b"/?a=b", b"/#", b"*", b"http://localhost/", b"/nothing", b"/ ", b"")
VERSIONS = (*(b"HTTP/1.1",) * 50, b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"")
HEADERS = (
    *(b"host: %b" % host for host in (b"localhost", b"localhost", b"127.0.0.1:8545", b"attacker.example.com", b"")),
    *(
        b"origin: %b" % origin
        for origin in (b"https://a.example", b"https://b.example", b"null", b"a\tb", b"a\xa0", b"")
    ),
    *(b"connection: %b" % value for value in (b"keep-alive", b"close", b"Upgrade", b"keep-alive, close", b"x")),
    *(b"transfer-encoding: %b" % value for value in (b"chunked", b"Chunked", b"gzip", b"identity", b"chunked, x")),
    *(b"expect: %b" % value for value in (b"100-continue", b"100-Continue", b"nothing")),
    *(b"upgrade: %b" % value for value in (b"h2c", b"websocket")),
    *(b"content-type: %b" % value for value in (b"application/json", b"text/plain", b"")),
    b"proxy-connection: close",
    b"keep-alive: timeout=1",
    b"content-length : 5",
    b" folded: 1",
    b"\tfolded",
    b": none",
    b"none",
    b"nul: a\x00b",
    b"bare: a\rb",
    b"bare: a\nb",
    b"x: " + b"y" * 2_100,
)
LINE_ENDS = (*(b"\r\n",) * 60, b"\n", b"\r", b"\r\r\n", b"\n\r\n")
BETWEEN = (*(b"",) * 25, b"\r\n", b"\r", b"\n", b" ", b"\x00", b"0\r\n\r\n")
REST = 16
"""Turns of the event loop in which nothing happens any more."""
LENGTHS = (b"%(n)d", b"+%(n)d", b"0%(n)d", b" %(n)d ", b"%(n)d,%(n)d", b"-%(n)d", b"0x%(n)x", b"%(n)d.0", b"1%(n)030d")


def some_request(dice: random.Random) -> bytes:
    """Half of them good; the others with up to three oddities."""
    body = dice.choice(BODIES)
    if dice.random() < 0.4:
        return post(body, [b"host: localhost", *dice.choice(([], [b"origin: https://a.example"]))])
    headers = dice.sample(HEADERS, dice.randrange(4))
    if dice.random() < 0.7:
        headers.insert(0, b"host: localhost")
    if any(header.startswith(b"transfer-encoding") for header in headers) and dice.random() < 0.8:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        headers += [some_length(dice, len(body)) for _ in range(dice.choice((0, 1, 1, 1, 1, 1, 2)))]
    dice.shuffle(headers)
    end = dice.choice(LINE_ENDS)
    start = b" ".join((dice.choice(METHODS), dice.choice(TARGETS), dice.choice(VERSIONS)))
    return end.join((start, *headers, b"", b"")) + body + dice.choice(BETWEEN)


def post(body: bytes, headers: Sequence[bytes]) -> bytes:
    return b"\r\n".join((b"POST / HTTP/1.1", *headers, b"content-length: %d" % len(body), b"", body))


def some_length(dice: random.Random, size: int) -> bytes:
    if dice.random() < 0.7:
        return b"content-length: %d" % size
    size = max(0, size + dice.choice((-1, 0, 0, 0, 1)))
    return b"Content-Length: " + dice.choice(LENGTHS) % {b"n": size}


OVERTAKING = b"HTTP/1.1 400 ", b"Failed to open a WebSocket connection"
"""What overtakes, by chance, what uvicorn is still answering."""


async def outcome(
    process: RpcProcess, kind: type[HttpToolsProtocol], pieces: Sequence[bytes], turns: int
) -> tuple[bytes, bool]:
    """All that is written for the pieces, each after so many turns of rest, and whether the connection is ended."""
    server = process.server
    wire = Wire()
    wire.protocol = connection = kind(server.config, server.server_state, {})
    connection.connection_made(wire)
    wire.pieces += pieces
    rested = 0
    while rested < REST:
        before = len(wire.pieces), len(wire.written), wire.is_closed
        if rested % turns == turns - 1:
            wire.hand_over()
        await asyncio.sleep(0)
        rested = rested + 1 if before == (len(wire.pieces), len(wire.written), wire.is_closed) else 0
    is_closed = wire.is_closed
    wire.close()
    wire.protocol.connection_lost(None)
    return in_order(wire.written), is_closed


def in_order(written: bytes) -> bytes:
    """With the headers of each answer sorted, which may come in any order."""
    heads = re.compile(rb"(HTTP/1\.1 \d{3} [^\r]*\r\n)(.*?\r\n)?\r\n", re.DOTALL)
    return heads.sub(lambda m: m[1] + b"\r\n".join(sorted((m[2] or b"").split(b"\r\n"))) + b"\r\n\r\n", written)


def cut(dice: random.Random, stream: bytes) -> list[bytes]:
    cuts = sorted({0, len(stream), *(dice.randrange(len(stream) + 1) for _ in range(dice.choice((0, 0, 1, 3, 8))))})
    return [stream[start:end] for start, end in pairwise(cuts)]


@pytest.mark.parametrize("streams", [300, pytest.param(20_000, marks=pytest.mark.full)])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
async def test_any_bytes_have_the_answers_of_uvicorn_s_own_connection(process: RpcProcess, streams: int) -> None:
    print(f"TANDEM_SEED={SEED}")
    dice = random.Random(SEED)
    known: list[bytes] = [KNOWN]
    for _ in range(streams):
        requests = [
            dice.choice(known) if dice.random() < 0.4 else some_request(dice) for _ in range(dice.randrange(1, 6))
        ]
        known = [*known[-20:], *requests]
        pieces = dice.choice((requests, cut(dice, b"".join(requests))))
        turns = dice.choice((1, REST - 1))
        expected = await outcome(process, HttpToolsProtocol, pieces, turns)
        if turns > 1 or not any(answer in expected[0] for answer in OVERTAKING):
            assert await outcome(process, HttpConnection, pieces, turns) == expected, pieces
    if process.server.server_state.tasks:
        _, left = await asyncio.wait(process.server.server_state.tasks, timeout=60)
        assert not left


async def test_a_head_that_is_not_plain_does_not_pass_for_the_one_after_it(process: RpcProcess) -> None:
    foreign = post(CHAIN_ID, [b"host: attacker.example.com"])
    for pieces in ([foreign + KNOWN], [foreign]):
        written, _ = await outcome(process, HttpConnection, pieces, 1)
        assert written.startswith(b"HTTP/1.1 403 "), pieces
