"""JSON-RPC 2.0 as geth speaks it: requests, batches, notifications, and what is wrong with them."""

import sys
from typing import Any

import orjson
import pytest

from chain.links import RequestFailed
from chain.messages.storage import ReadState
from rpc import dispatch
from rpc.process import RpcProcess
from tests.rpc.client import Client
from tests.rpc.fake_chain import ALICE, FakeChain


def error(answer: Any) -> tuple[Any, int, str]:
    return answer["id"], answer["error"]["code"], answer["error"]["message"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (None, -32700, "parse error")),
        (b"{", (None, -32700, "parse error")),
        (b"\xff", (None, -32700, "parse error")),
        (b"[" * 5000, (None, -32700, "parse error")),
        (b"[]", (None, -32600, "empty batch")),
        (b"5", (None, -32600, "invalid request")),
        (b'{"id":7,"method":"eth_chainId"}', (7, -32600, "invalid request")),
        (b'{"jsonrpc":"1.0","id":7,"method":"eth_chainId"}', (7, -32600, "invalid request")),
        (b'{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', (None, -32600, "invalid request")),
        (b'{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', (None, -32600, "invalid request")),
        (b'{"jsonrpc":"2.0","id":7,"method":5}', (7, -32600, "invalid request")),
        (
            b'{"jsonrpc":"2.0","id":"x","method":"eth_nothing"}',
            ("x", -32601, "the method eth_nothing does not exist/is not available"),
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"eth_getBalance"}', (7, -32602, "missing value for required argument 0")),
        (b'{"jsonrpc":"2.0","id":7,"method":"eth_getBalance","params":{}}', (7, -32602, "non-array args")),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[1]}',
            (7, -32602, "too many arguments, want at most 0"),
        ),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"eth_getBalance","params":["0x1"]}',
            (
                7,
                -32602,
                "invalid argument 0: json: cannot unmarshal hex string of odd length into Go value of type "
                "common.Address",
            ),
        ),
        (b'{"jsonrpc":"2.0","id":7,"method":"eth_subscribe"}', (7, -32602, "missing value for required argument 0")),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"eth_subscribe","params":["newHeads"]}',
            (7, -32601, "notifications not supported"),
        ),
    ],
)
async def test_wrong_requests_get_geths_errors(client: Client, body: bytes, expected: tuple[Any, int, str]) -> None:
    assert error(await client.post(body)) == expected


async def test_a_reorganisation_may_be_asked_for_by_name_as_alloy_does_it(client: Client) -> None:
    params = {"depth": 1, "tx_block_pairs": [["0x00", 10]]}
    answer = await client.post(orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "anvil_reorg", "params": params}))
    assert "block is not one of the 1 new ones" in answer["error"]["message"]


async def test_a_batch_is_answered_in_order_with_its_errors_in_place(client: Client) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "eth_getBalance", "params": ["0x" + ALICE.hex(), "latest"]},
        {"jsonrpc": "2.0", "id": "two", "method": "eth_chainId"},
        5,
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": None, "method": "net_version", "params": None},
    ]
    answers = await client.post(orjson.dumps(batch))
    assert [answer["id"] for answer in answers] == [1, "two", None, None]
    assert answers[1]["result"] == "0x7a69"
    assert error(answers[2]) == (None, -32600, "invalid request")
    assert answers[3]["result"] == "31337"


async def test_notifications_are_not_answered(client: Client) -> None:
    notification = b'{"jsonrpc":"2.0","method":"eth_chainId"}'
    assert await client.post(notification) is None
    assert await client.post(b"[" + notification + b"]") is None
    assert await client.post(b'{"jsonrpc":"2.0","method":"eth_nothing"}') is None


@pytest.mark.parametrize(
    "written",
    [
        "1e3",
        "1.0",
        "-0.50",
        "-0",
        "18446744073709551616",
        "-9223372036854775809",
        "12345678901234567890123",
        "7",
        "0",
        '"1e3"',
        "null",
    ],
)
async def test_an_id_goes_back_as_it_was_written(client: Client, written: str) -> None:
    id = written.encode()
    start = b'{"jsonrpc":"2.0","id":%b,' % id
    answer = await client.written(b'{"jsonrpc":"2.0","params":[],"method":"eth_chainId", "id" : %b }' % id)
    assert answer == start + b'"result":"0x7a69"}'
    answer = await client.written(b'{"jsonrpc":"2.0","id":3,"id":%b,"method":"eth_nothing"}' % id)
    assert answer.startswith(start + b'"error":{"code":-32601,')
    answer = await client.written(b'{"jsonrpc":"2.0","id":%b}' % id)
    assert answer.startswith(start + b'"error":{"code":-32600,')


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python's parser goes as deep as orjson since 3.12")
async def test_what_is_nested_too_deep_to_keep_such_an_id_is_told_so(client: Client) -> None:
    params = b"[" * 1_015 + b"]" * 1_015
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # as Python has it, whatever other tests import
    try:
        answer = await client.post(b'{"jsonrpc":"2.0","id":1.5,"method":"eth_chainId","params":%b}' % params)
    finally:
        sys.setrecursionlimit(limit)
    assert answer["error"]["code"] == -32700


async def test_ids_of_a_batch_go_back_as_they_were_written(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["1", "1.0", "0", "-0", "12345678901234567890123", '"1.0"', "1.00"]
    asked = ",".join(f'{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId","params":[]}}' for id in ids)
    answers = ",".join(f'{{"jsonrpc":"2.0","id":{id},"result":"0x7a69"}}' for id in ids)
    assert await client.written(f"[{asked}]".encode()) == f"[{answers}]".encode()
    others = b'5,[1.0],{"method":1.0},{"id":{"id":1.0}},{"id":[1.0]},'
    answers_with_others = await client.written(b"[%b%b]" % (others, asked.encode()))
    assert answers_with_others.endswith(b"," + answers.encode() + b"]")
    assert answers_with_others.count(b'"id":null') == 5

    monkeypatch.setattr(dispatch, "MAX_BATCH_REQUESTS", 2)
    beginning = b'[{"jsonrpc":"2.0","id":1e2,"error":{"code":-32600,'
    assert (await client.written(b'[{"id":1e2},{},{}]')).startswith(beginning)
    monkeypatch.setattr(dispatch, "MAX_BATCH_ANSWER_BYTES", 1)
    beginning = b'[{"jsonrpc":"2.0","id":1e2,"error":{"code":-32003,'
    assert (await client.written(b'[{"id":1e2},{}]')).startswith(beginning)


async def test_a_batch_over_the_limit_gets_one_error_under_its_first_id(client: Client) -> None:
    request = {"jsonrpc": "2.0", "id": 9, "method": "eth_chainId"}
    [answer] = await client.post(orjson.dumps([{"jsonrpc": "2.0", "method": "eth_chainId"}] + [request] * 1000))
    assert error(answer) == (9, -32600, "batch too large")
    assert len(await client.post(orjson.dumps([request] * 1000))) == 1000


async def test_answers_past_the_size_limit_of_a_batch_become_errors(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MAX_BATCH_ANSWER_BYTES", 100)
    request = {"jsonrpc": "2.0", "id": 9, "method": "eth_chainId"}
    answers = await client.post(orjson.dumps([request] * 5))
    assert answers[0]["result"] == "0x7a69"
    assert error(answers[-1]) == (9, -32003, "response too large")


async def test_reads_of_one_batch_reach_storage_as_one_message(client: Client, chain: FakeChain) -> None:
    chain.storage.asked.clear()
    accounts = ["0x" + bytes([i] * 20).hex() for i in range(50)]
    batch = [{"jsonrpc": "2.0", "id": i, "method": "eth_getBalance", "params": [a]} for i, a in enumerate(accounts)]
    assert len(await client.post(orjson.dumps(batch))) == 50
    reads = [asked for asked in chain.storage.asked if isinstance(asked, ReadState)]
    assert [len(read.accounts) for read in reads] == [50]


async def test_a_failure_of_storage_is_told_in_its_words_and_a_bug_is_not(
    client: Client, process: RpcProcess, chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> object:
        raise RequestFailed("VersionNotKept", "version 3 is not kept")

    monkeypatch.setattr(chain.storage, "_answer", fail)
    params = ["0x" + "05" * 20, "latest"]
    assert await client.error("eth_getBalance", *params) == (-32000, "version 3 is not kept")
    chain.storage.connected = False
    assert await client.error("eth_getBalance", *params) == (-32002, "request timed out")

    def crash(_: object) -> object:
        raise ZeroDivisionError("secret")

    chain.storage.connected = True
    monkeypatch.setattr(chain.storage, "_answer", crash)
    assert await client.error("eth_getBalance", *params) == (-32603, "method handler crashed")
