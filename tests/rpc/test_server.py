"""The server on a real socket: HTTP and WebSocket, browsers, limits, news, idleness and the end."""

import asyncio
import contextlib
import io
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection
from typing import Any

import aiohttp
import pytest

import rpc.http
from chain.messages.calls import CallOutcome, RunCall
from rpc import websocket
from rpc.http import MAX_BODY_BYTES, MAX_DRAINED_BYTES
from rpc.process import RpcProcess
from rpc.render import data_json
from tests.rpc.conftest import serving
from tests.rpc.fake_chain import FakeChain, transfer

ORIGIN = "https://app.example.org"
ENDLESS_S = 60
SECONDS_LOOKED = 3
"""In one of them nothing else in this process may get in the way."""
"""Far more than it takes to end on a busy machine, and less than a client may keep its connection."""
CHAIN_ID = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}


async def test_json_rpc_is_answered_whatever_the_content_type(http: aiohttp.ClientSession, address: str) -> None:
    async with http.post(f"http://{address}/", json=CHAIN_ID) as answer:
        assert answer.content_type == "application/json"
        assert await answer.json() == {"jsonrpc": "2.0", "id": 1, "result": "0x7a69"}
    async with http.post(f"http://{address}", data=json.dumps([CHAIN_ID, CHAIN_ID])) as answer:
        assert [part["result"] for part in await answer.json()] == ["0x7a69", "0x7a69"]


async def test_notifications_get_an_empty_answer(http: aiohttp.ClientSession, address: str) -> None:
    async with http.post(f"http://{address}/", json={"jsonrpc": "2.0", "method": "eth_chainId"}) as answer:
        assert answer.status == 200
        assert await answer.read() == b""


async def test_an_empty_body_is_no_json(http: aiohttp.ClientSession, address: str) -> None:
    """geth answers it with nothing, which a client of JSON-RPC can only take for a broken connection."""
    async with http.post(f"http://{address}/") as answer:
        assert (await answer.json())["error"] == {"code": -32700, "message": "parse error"}


async def test_a_body_over_the_limit_is_refused_announced_or_not(http: aiohttp.ClientSession, address: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    async with http.post(f"http://{address}/", data=io.BytesIO(b" " * (MAX_BODY_BYTES + 1))) as answer:
        assert answer.status == 413
    async with http.post(f"http://{address}/", data=chunks()) as answer:
        assert answer.status == 413
    padded = json.dumps(CHAIN_ID).encode().ljust(MAX_BODY_BYTES)
    async with http.post(f"http://{address}/", data=io.BytesIO(padded)) as answer:
        assert (await answer.json())["result"] == "0x7a69"


async def test_a_client_that_sends_before_it_reads_sees_the_refusal_of_its_body(address: str) -> None:
    def post(body: bytes | Iterator[bytes]) -> tuple[int, bytes]:
        with contextlib.closing(HTTPConnection(address, timeout=ENDLESS_S)) as client:
            client.request("POST", "/", body)
            answer = client.getresponse()
            return answer.status, answer.read()

    size = 3 * MAX_BODY_BYTES
    refused = (413, f"content length too large ({size}>{MAX_BODY_BYTES})".encode())
    assert await asyncio.to_thread(post, b" " * size) == refused
    status, _ = await asyncio.to_thread(post, (b" " * 65536 for _ in range(size // 65536)))
    assert status == 413


async def test_a_refused_body_is_not_read_for_ever(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = address.split(":")

    async def post(chunks: int) -> bytes:
        """What comes until the node hangs up on a client that announces more than it sends."""
        reader, writer = await asyncio.open_connection(host, port)
        announced = MAX_BODY_BYTES + MAX_DRAINED_BYTES
        writer.write(f"POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: {announced}\r\n\r\n".encode())
        seen = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(chunks):
                writer.write(b" " * 65536)
                await writer.drain()
            seen = await reader.read()
        writer.close()
        return seen

    async with asyncio.timeout(ENDLESS_S):
        monkeypatch.setattr(rpc.http, "MAX_DRAINING_S", 0.05)
        assert (await post(1)).startswith(b"HTTP/1.1 413 ")
        monkeypatch.setattr(rpc.http, "MAX_DRAINING_S", 60)
        monkeypatch.setattr(rpc.http, "MAX_DRAINED_BYTES", 65536)
        await post(4)


async def test_any_page_may_talk_to_the_node(http: aiohttp.ClientSession, address: str) -> None:
    asks = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-custom",
        "Access-Control-Request-Private-Network": "true",
    }
    async with http.options(f"http://{address}/", headers=asks) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type,x-custom"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
    async with http.post(f"http://{address}/", json=CHAIN_ID, headers={"Origin": ORIGIN}) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Vary"].lower() == "origin"


async def test_an_answer_to_a_post_comes_in_one_piece(address: str) -> None:
    host, port = address.split(":")
    loop, pieces = asyncio.get_running_loop(), list[bytes]()
    body = json.dumps(CHAIN_ID).encode()
    with contextlib.closing(socket.create_connection((host, int(port)))) as client:
        client.setblocking(False)
        for _ in range(3):  # kept alive
            request = f"POST / HTTP/1.1\r\nhost: {address}\r\ncontent-length: {len(body)}\r\n\r\n"
            await loop.sock_sendall(client, request.encode() + body)
            pieces.append(await loop.sock_recv(client, 65536))
    assert [piece.count(b"HTTP/1.1 200 OK") for piece in pieces] == [1, 1, 1]
    assert all(piece.endswith(b'"result":"0x7a69"}') for piece in pieces)


async def test_a_client_that_waits_to_be_told_to_go_on_is_told(address: str) -> None:
    host, port = address.split(":")
    body = json.dumps(CHAIN_ID).encode()
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST / HTTP/1.1\r\nhost: {address}\r\nexpect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_a_head_without_a_body_is_not_kept_back(http: aiohttp.ClientSession, address: str) -> None:
    async with http.head(f"http://{address}/", timeout=aiohttp.ClientTimeout(ENDLESS_S)) as answer:
        assert answer.status == 200


async def test_other_methods_and_paths_are_refused(http: aiohttp.ClientSession, address: str) -> None:
    async with http.put(f"http://{address}/", json=CHAIN_ID) as answer:
        assert answer.status == 405
    async with http.post(f"http://{address}/nothing", json=CHAIN_ID) as answer:
        assert answer.status == 404


async def test_health_tells_what_is_missing(http: aiohttp.ClientSession, address: str, chain: FakeChain) -> None:
    async with http.get(f"http://{address}/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok", "block": 0})
    for page in ("health", "ready", "metrics"):
        async with http.head(f"http://{address}/{page}") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
    chain.execution.connected = False
    async with http.get(f"http://{address}/health") as answer:
        assert (answer.status, await answer.json()) == (503, {"status": "waiting", "for": ["execution"]})


async def test_a_websocket_answers_requests_and_batches(http: aiohttp.ClientSession, address: str) -> None:
    async with http.ws_connect(f"ws://{address}/") as client:
        await client.send_json(CHAIN_ID)
        assert (await client.receive_json())["result"] == "0x7a69"
        await client.send_json([CHAIN_ID, CHAIN_ID])
        assert len(await client.receive_json()) == 2
        await client.send_bytes(json.dumps(CHAIN_ID).encode())
        assert (await client.receive_json())["result"] == "0x7a69"
        await client.send_str("{")
        assert (await client.receive_json())["error"]["code"] == -32700


async def test_a_new_block_moves_the_head_and_is_pushed(
    http: aiohttp.ClientSession, address: str, chain: FakeChain
) -> None:
    async with http.ws_connect(f"ws://{address}/") as client:
        await client.send_json(SUBSCRIBE)
        subscription = (await client.receive_json())["result"]
        block = chain.append(transfer(0))
        async with http.post(f"http://{address}/", json=CHAIN_ID | {"method": "eth_blockNumber"}) as answer:
            assert (await answer.json())["result"] == "0x0"
        await chain.execution.tell(chain.news())
        pushed = await client.receive_json()
        assert pushed["params"]["subscription"] == subscription
        assert pushed["params"]["result"]["hash"] == data_json(block.hash)
        async with http.post(f"http://{address}/", json=CHAIN_ID | {"method": "eth_blockNumber"}) as answer:
            assert (await answer.json())["result"] == "0x1"


async def test_a_receipt_is_waited_for_over_http_and_a_websocket_alike(
    http: aiohttp.ClientSession, address: str, process: RpcProcess, chain: FakeChain
) -> None:
    sent = transfer(0)
    await process.node.admission.submit(sent.raw)
    ask = CHAIN_ID | {"method": "eth_getTransactionReceipt", "params": [data_json(sent.hash)]}

    async def over_http() -> Any:
        async with http.post(f"http://{address}/", json=ask) as answer:
            return (await answer.json())["result"]

    async with http.ws_connect(f"ws://{address}/") as client:
        await client.send_json(ask)
        await client.send_json(CHAIN_ID)
        assert (await client.receive_json())["result"] == "0x7a69"  # it is not kept from other answers
        asked = asyncio.ensure_future(over_http())
        async with asyncio.timeout(ENDLESS_S):
            while len(process.node.admission._awaited) < 2:  # noqa: ASYNC110  (nothing tells of it)
                await asyncio.sleep(0.001)
        chain.append(sent)
        await chain.execution.tell(chain.news())
        assert (await client.receive_json())["result"]["blockNumber"] == "0x1"
        assert (await asked)["blockNumber"] == "0x1"


async def test_a_closed_websocket_is_forgotten(http: aiohttp.ClientSession, address: str, process: RpcProcess) -> None:
    async with http.ws_connect(f"ws://{address}/") as client:
        await client.send_json(SUBSCRIBE)
        await client.receive_json()
        assert len(process.node.subscriptions) == 1
    async with asyncio.timeout(ENDLESS_S):
        while process.server.server_state.tasks:
            await asyncio.wait(set(process.server.server_state.tasks))
    assert len(process.node.subscriptions) == 0


async def test_a_client_that_does_not_read_is_disconnected(
    http: aiohttp.ClientSession, address: str, process: RpcProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_QUEUED_BYTES", 100_000)
    impatient = aiohttp.ClientWSTimeout(ws_close=0.1)
    async with http.ws_connect(f"ws://{address}/", timeout=impatient) as client:
        await client.send_json(SUBSCRIBE)
        await client.receive_json()
        transport = client._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()  # type: ignore[union-attr]
        [connection] = process.node.subscriptions._subscribers
        pushed = 0
        while connection.push(b'"' + b"x" * 50_000 + b'"'):
            pushed += 1
            assert pushed < 1_000
            await asyncio.sleep(0)
        async with asyncio.timeout(ENDLESS_S):
            while process.server.server_state.connections:  # noqa: ASYNC110  (uvicorn has no event for it)
                await asyncio.sleep(0.05)
    assert len(process.node.subscriptions) == 0


async def test_the_end_comes_whatever_clients_do(http: aiohttp.ClientSession, process: RpcProcess) -> None:
    async with asyncio.timeout(ENDLESS_S), serving(process) as address:
        client = await http.ws_connect(f"ws://{address}/", autoclose=False)
        async with http.post(f"http://{address}/", json=CHAIN_ID) as answer:
            await answer.read()
    await client.close()
    with pytest.raises(OSError, match="onnect"):
        await asyncio.open_connection(*address.split(":"))


async def test_requests_that_do_not_end_are_cut_off_at_the_end(
    http: aiohttp.ClientSession,
    process: RpcProcess,
    chain: FakeChain,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = asyncio.Semaphore(0)

    async def hang(_: RunCall) -> CallOutcome:
        begun.release()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(chain.callers, "call", hang)
    call = CHAIN_ID | {"method": "eth_call", "params": [{}]}
    async with asyncio.timeout(ENDLESS_S), serving(process) as address:
        asked = asyncio.ensure_future(http.post(f"http://{address}/", json=call))
        client = await http.ws_connect(f"ws://{address}/")
        await client.send_json(call)
        await begun.acquire()
        await begun.acquire()
    assert process.server.server_state.tasks == set()
    assert (await asked).status == 503
    assert (await client.receive()).type == aiohttp.WSMsgType.CLOSE
    assert caplog.records == []


async def test_an_idle_server_uses_no_cpu(http: aiohttp.ClientSession, address: str) -> None:
    async with http.ws_connect(f"ws://{address}/") as client:
        await client.send_json(SUBSCRIBE)
        await client.receive_json()
        spent = [await spent_in_a_second() for _ in range(SECONDS_LOOKED)]
    assert min(switches for switches, _ in spent) < 5, spent
    assert min(seconds for _, seconds in spent) < 0.01, spent


async def spent_in_a_second() -> tuple[int, float]:
    before = switches_and_seconds()
    await asyncio.sleep(1)
    after = switches_and_seconds()
    return after[0] - before[0], after[1] - before[1]


def switches_and_seconds() -> tuple[int, float]:
    """How often this process has waited, and the CPU time it has taken."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_nvcsw, usage.ru_utime + usage.ru_stime
