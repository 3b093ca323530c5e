"""Bad requests by the thousand: each has an answer that blames the request, and the node is as it was before."""

import asyncio
import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import aiohttp
import pytest

from tests.contracts import artifact
from tests.e2e.bad_requests import BadRequests
from tests.e2e.chain_process import ChainProcess, chain, wait_until
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import DEADLINE_S
from tests.e2e.test_flood import resident_bytes

SEED = os.environ.get("TANDEM_SEED", "7")
CI_REQUESTS, ALL_REQUESTS = 2_000, 100_000
CONNECTIONS = 16
MOST_GROWTH_BYTES = 30_000_000
"""Of all processes together, from the middle of the requests to their end: caches fill in the first half."""
INTERNAL_ERROR = -32603


@pytest.fixture(scope="module")
def running() -> Iterator[ChainProcess]:
    with chain("--validators", "1") as running:
        yield running


def calls_of(call: Any, overrides: Any, block: str) -> list[tuple[str, list[Any]]]:
    """The requests that run a call, the block being one that there is."""
    blocks = [{"stateOverrides": overrides, "blockOverrides": {"time": "0xffffffff"}, "calls": [call]}]
    return [
        *(("eth_call", [call, place, overrides, {"number": "0x9"}]) for place in ("latest", {"blockHash": block})),
        ("eth_estimateGas", [call, "latest", overrides]),
        ("eth_createAccessList", [call, "latest"]),
        ("eth_simulateV1", [{"blockStateCalls": blocks, "validation": False, "traceTransfers": True}, "latest"]),
    ]


def scene(rpc: JsonRpc) -> tuple[list[Any], list[tuple[str, list[Any]]]]:
    """What a chain with a contract and a few blocks has to ask about, and right requests for it."""
    one, two = rpc.call("eth_accounts")[:2]
    created = rpc.call("eth_sendTransaction", {"from": one, "data": "0x" + artifact("Counter").bytecode.hex()})
    wait_until(lambda: rpc.call("eth_getTransactionReceipt", created), "a receipt")
    receipt = rpc.call("eth_getTransactionReceipt", created)
    contract, block = receipt["contractAddress"], receipt["blockHash"]
    raw = rpc.call("eth_getRawTransactionByHash", created)
    call = {"from": two, "to": contract, "data": "0xd09de08a", "gas": "0x186a0", "value": "0x0", "accessList": []}
    overrides = {contract: {"balance": "0x1", "nonce": "0x7", "stateDiff": {"0x" + "00" * 32: "0x" + "01" * 32}}}
    logs = {"fromBlock": "0x0", "toBlock": "latest", "address": contract, "topics": [None, ["0x" + "11" * 32]]}
    tracers: list[Any] = [
        {},
        {"tracer": "callTracer", "tracerConfig": {"withLog": True}},
        {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}, "timeout": "5s"},
    ]
    right: list[tuple[str, list[Any]]] = [
        *calls_of(call, overrides, block),
        ("eth_sendTransaction", [{"from": two, "to": contract, "data": "0xd09de08a"}]),
        ("eth_signTransaction", [{**call, "nonce": "0x0", "gasPrice": "0x77359400"}]),
        ("eth_sendRawTransaction", [raw]),
        ("eth_getLogs", [logs]),
        ("eth_newFilter", [logs]),
        ("eth_feeHistory", ["0x5", "latest", [25, 75]]),
        ("eth_getProof", [contract, ["0x0"], "latest"]),
        ("eth_getStorageAt", [contract, "0x0", "latest"]),
        ("eth_getBlockByNumber", ["latest", True]),
        ("eth_getBlockReceipts", [block]),
        ("eth_getTransactionByBlockHashAndIndex", [block, "0x0"]),
        *(("debug_traceTransaction", [created, tracer]) for tracer in tracers),
        *(("debug_traceCall", [call, "latest", {**tracer, "stateOverrides": overrides}]) for tracer in tracers),
        ("debug_traceBlockByNumber", ["latest", tracers[0]]),
        ("eth_signTypedData_v4", [one, TYPED_DATA]),
        ("personal_sign", ["0x68656c6c6f", one]),
        ("tandem_registerContract", [contract, {"name": "Counter", "abi": artifact("Counter").abi}]),
        ("tandem_getBlockExecution", ["latest"]),
        ("tandem_getTransactionExecution", [created]),
        ("tandem_getHotspots", [0, "latest"]),
        ("tandem_getBlockAccessList", ["latest"]),
        ("tandem_getBlockCase", ["latest"]),
    ]
    known = [one, two, contract, created, block, raw, call, overrides, logs, *tracers, "0x0", "0x1", "latest", [25, 75]]
    return [*known, rpc.call("eth_newBlockFilter"), "newHeads", "logs", True, TYPED_DATA], right


TYPED_DATA = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Mail": [{"name": "to", "type": "address"}, {"name": "parts", "type": "bytes32[2][]"}],
    },
    "primaryType": "Mail",
    "domain": {"name": "Tandem", "chainId": 1},
    "message": {"to": "0x" + "cd" * 20, "parts": [["0x" + "01" * 32, "0x" + "02" * 32]]},
}


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

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=DEADLINE_S)) as session:
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
        known, right = scene(rpc)
    bodies = list(BadRequests(SEED, known, right).bodies(count))
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
        rpc.call("anvil_dropAllTransactions")
        rpc.call("hardhat_reset")  # some were right: mining may be off, and the base fee beyond all money
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
    connection = HTTPConnection("127.0.0.1", running.port, timeout=DEADLINE_S)
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
