"""Bad requests by the thousand: each has an answer that blames the request, and the node is as it was before."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import aiohttp
import pytest

from tests.contracts import artifact
from tests.e2e.bad_requests import BadRequests
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.conftest import SEED
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.test_flood import resident_bytes

CI_REQUESTS, ALL_REQUESTS = 2_000, 100_000
CONNECTIONS = 16
MOST_GROWTH_BYTES = 30_000_000
"""Of all processes together, from the middle of the requests to their end: caches fill in the first half."""
INTERNAL_ERROR = -32603


@pytest.fixture(scope="module")
def running() -> Iterator[ChainProcess]:
    with chain("--validators", "1") as running:
        yield running


def right_values(rpc: JsonRpc) -> list[Any]:
    """What a chain with a contract, a log and a few blocks has to ask about."""
    accounts = rpc.call("eth_accounts")
    created = rpc.call("eth_sendTransaction", {"from": accounts[0], "data": "0x" + artifact("Counter").bytecode.hex()})
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", created), "a receipt")
    receipt = rpc.call("eth_getTransactionReceipt", created)
    raw = rpc.call("eth_getRawTransactionByHash", created)
    subscription = rpc.call("eth_newBlockFilter")
    call = {"from": accounts[1], "to": receipt["contractAddress"], "data": "0xd09de08a"}
    return [
        *accounts[:2],
        receipt["contractAddress"],
        created,
        receipt["blockHash"],
        raw,
        subscription,
        call,
        {"fromBlock": "0x0", "toBlock": "latest", "address": receipt["contractAddress"]},
        {accounts[0]: {"balance": "0x1", "stateDiff": {"0x" + "00" * 32: "0x" + "01" * 32}}},
        {"tracer": "callTracer"},
        {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
        ["0x0", "0x" + "00" * 32],
        "0x0",
        "0x1",
        "latest",
        "pending",
        "newHeads",
        "logs",
        [25, 75],
        True,
    ]


async def ask(url: str, bodies: list[bytes]) -> Counter[int]:
    """The error codes of all answers, 0 for results. Every answer is checked."""
    codes: Counter[int] = Counter()
    waiting = iter(bodies)

    async def one_client(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                text = await answer.read()
                assert answer.status == 200, (body[:500], answer.status, text[:500])
                codes.update(codes_of(body, text))

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=60)) as session:
        await asyncio.gather(*(one_client(session) for _ in range(CONNECTIONS)))
    return codes


def codes_of(body: bytes, text: bytes) -> Iterator[int]:
    """The codes in one answer, which is a whole one. Nothing is an answer to notifications only."""
    if not text:
        return
    found = json.loads(text)
    for answer in found if isinstance(found, list) else [found]:
        assert answer["jsonrpc"] == "2.0"
        assert ("result" in answer) != ("error" in answer), (body[:500], answer)
        if "error" not in answer:
            yield 0
            continue
        error = answer["error"]
        assert type(error["code"]) is int
        assert error["message"]
        assert error["code"] != INTERNAL_ERROR, (body[:2_000], error)
        assert "Traceback" not in error["message"]
        yield error["code"]


def fuzz(running: ChainProcess, count: int) -> Counter[int]:
    running.ready()
    with contextlib.closing(running.rpc()) as rpc:
        known = right_values(rpc)
    bodies = list(BadRequests(SEED, known).bodies(count))
    before = running.pids()
    codes = asyncio.run(ask(running.url, bodies[: count // 2]))
    halfway = sum(map(resident_bytes, running.pids().values()))
    codes += asyncio.run(ask(running.url, bodies[count // 2 :]))
    assert running.pids() == before, "a process was started again"
    growth = sum(map(resident_bytes, running.pids().values())) - halfway
    assert growth < MOST_GROWTH_BYTES, f"{growth} bytes"
    assert not [line for line in running.errors if "Traceback" in line or "Error" in line], running.errors
    return codes


def test_two_thousand_bad_requests_change_nothing_but_are_all_answered(running: ChainProcess) -> None:
    codes = fuzz(running, CI_REQUESTS)
    assert codes.keys() >= {0, -32700, -32600, -32601, -32602, -32000}, codes
    with contextlib.closing(running.rpc()) as rpc:
        one, two = rpc.call("eth_accounts")[:2]
        sent = rpc.call("eth_sendTransaction", {"from": one, "to": two, "value": "0x1"})
        wait_until(lambda: rpc.call("eth_getTransactionReceipt", sent), "a receipt")


@pytest.mark.full
def test_a_hundred_thousand_bad_requests_change_nothing_but_are_all_answered(running: ChainProcess) -> None:
    fuzz(running, ALL_REQUESTS)


def test_typed_data_nested_deeper_than_any_stack_is_refused(running: ChainProcess) -> None:
    running.ready()
    before = running.pids()
    nested = "[" * 90_000 + "]" * 90_000
    with contextlib.closing(running.rpc()) as rpc:
        account = rpc.call("eth_accounts")[0]
        for typed_data in ("{}", nested):  # the first has the library loaded that lifts Python's recursion limit
            with pytest.raises(RpcError, match="invalid typed data"):
                rpc.call("eth_signTypedData_v4", account, typed_data)
    assert running.pids() == before


HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 9" + b"9" * 30 + b"\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffffff\r\n\r\n",
        HEAD + b"x: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
        b"POST /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        HEAD + b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 1\r\n\r\n",
    ],
    ids=repr,
)
def test_what_is_no_http_ends_its_own_connection_only(running: ChainProcess, sent: bytes) -> None:
    running.ready()
    connection = HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(sent)
    connection.sock.shutdown(1)
    answer = b""
    while data := connection.sock.recv(65536):
        answer += data
    connection.close()
    assert not answer or int(answer.split()[1]) < 500, answer
    with contextlib.closing(running.rpc()) as rpc:
        assert rpc.call("eth_chainId") == "0x7a69"
    assert not [line for line in running.errors if "Traceback" in line], running.errors
