"""Bad requests get geth's JSON-RPC errors: the codes and words of its rpc/ and internal/ethapi/ packages."""

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.e2e.accounts import Purse
from tests.e2e.json_rpc import JsonRpc, RpcError
from tests.e2e.running_node import DEADLINE_S, Node

BODY_LIMIT_BYTES = 5 * 1024 * 1024
BATCH_LIMIT = 1000
ADDRESS = "0x" + 40 * "1"
ARGUMENT = "invalid argument"


def _request(method: Any, params: Any, request_id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def _go(value: str, kind: str) -> str:
    """What Go's JSON decoder says of a value that does not fit."""
    return f"json: cannot unmarshal {value} into Go value of type {kind}"


@pytest.mark.parametrize("body", [b"{", b'{"jsonrpc": "2.0", "id": 1,', b"[1, 2", b"eth_chainId", b"\xff\xfe"])
def test_malformed_json_is_a_parse_error(rpc: JsonRpc, body: bytes) -> None:
    answer = rpc.exchange("POST", body)
    assert answer.status == 200
    assert answer.json() == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}}


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        ({}, None),
        (1, None),
        ({"id": 7, "method": "eth_chainId"}, 7),
        ({"jsonrpc": "1.0", "id": 7, "method": "eth_chainId"}, 7),
        ({"jsonrpc": "2.0", "id": 7}, 7),
    ],
)
def test_json_that_is_no_request_is_an_invalid_request(rpc: JsonRpc, message: Any, request_id: int | None) -> None:
    error = {"code": -32600, "message": "invalid request"}
    assert rpc.post(message) == {"jsonrpc": "2.0", "id": request_id, "error": error}


@pytest.mark.parametrize("method", ["eth_foo", "foo", "engine_newPayloadV4", "eth_chainid"])
def test_an_unknown_method_is_named(rpc: JsonRpc, method: str) -> None:
    with pytest.raises(RpcError) as caught:
        rpc.call(method)
    assert caught.value.code == -32601
    assert caught.value.message == f"the method {method} does not exist/is not available"


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("eth_getBalance", [], "missing value for required argument 0"),
        ("eth_getTransactionReceipt", [], "missing value for required argument 0"),
        ("eth_getBlockByNumber", ["latest"], "missing value for required argument 1"),
        ("eth_chainId", [1], "too many arguments, want at most 0"),
        ("eth_getBalance", [ADDRESS, "latest", 1], "too many arguments, want at most 2"),
        ("eth_getBalance", {"address": ADDRESS}, "non-array args"),
        ("eth_getBalance", ["0x1234", "latest"], f"{ARGUMENT} 0: hex string has length 4, want 40 for common.Address"),
        (
            "eth_getBalance",
            ["1" * 40, "latest"],
            f"{ARGUMENT} 0: {_go('hex string without 0x prefix', 'common.Address')}",
        ),
        ("eth_getBalance", [None, "latest"], f"{ARGUMENT} 0: {_go('non-string', 'common.Address')}"),
        ("eth_getBalance", [5, "latest"], f"{ARGUMENT} 0: {_go('non-string', 'common.Address')}"),
        ("eth_getBalance", [ADDRESS, "newest"], f"{ARGUMENT} 1: hex string without 0x prefix"),
        ("eth_getBalance", [ADDRESS, "0x01"], f"{ARGUMENT} 1: hex number with leading zero digits"),
        ("eth_getBlockByNumber", ["0x", False], f'{ARGUMENT} 0: hex string "0x"'),
        ("eth_getTransactionByHash", ["0x12"], f"{ARGUMENT} 0: hex string has length 2, want 64 for common.Hash"),
        ("eth_sendRawTransaction", ["0xzz"], f"{ARGUMENT} 0: {_go('invalid hex string', 'hexutil.Bytes')}"),
        ("eth_sendRawTransaction", ["0x1"], f"{ARGUMENT} 0: {_go('hex string of odd length', 'hexutil.Bytes')}"),
    ],
)
def test_wrong_parameters_are_explained(rpc: JsonRpc, method: str, params: Any, message: str) -> None:
    assert rpc.post(_request(method, params))["error"] == {"code": -32602, "message": message}


def test_the_wrong_parameters_of_a_call_object_are_refused(rpc: JsonRpc) -> None:
    for wrong in ({"to": "0x12"}, {"value": "12"}, {"gas": "0x01"}, {"data": "0x1"}, {"from": 1}):
        with pytest.raises(RpcError, match="invalid argument 0: ") as caught:
            rpc.call("eth_call", {"to": ADDRESS, **wrong}, "latest")
        assert caught.value.code == -32602, wrong


def test_a_block_range_that_runs_backwards_is_refused(rpc: JsonRpc) -> None:
    with pytest.raises(RpcError) as caught:
        rpc.call("eth_getLogs", {"fromBlock": "0x2", "toBlock": "0x1"})
    assert (caught.value.code, caught.value.message) == (-32602, "invalid block range params")


def test_state_of_a_block_that_does_not_exist_is_an_error(rpc: JsonRpc) -> None:
    for method, params in [
        ("eth_getBalance", [ADDRESS, "0xffffff"]),
        ("eth_call", [{"to": ADDRESS}, "0xffffff"]),
        ("eth_getTransactionCount", [ADDRESS, "0xffffff"]),
    ]:
        error = rpc.post(_request(method, params))["error"]
        assert error == {"code": -32000, "message": "header not found"}, method


def test_a_call_that_its_sender_cannot_pay_is_refused(rpc: JsonRpc, purse: Purse) -> None:
    pauper = purse.empty_account().address
    with pytest.raises(RpcError) as caught:
        rpc.call("eth_call", {"from": pauper, "to": ADDRESS, "value": "0x5", "gas": "0x5208"}, "latest")
    assert caught.value.code == -32000
    reason = f"insufficient funds for gas * price + value: address {pauper} have 0 want 5"
    assert caught.value.message == f"err: {reason} (supplied gas 21000)"


def test_an_account_that_is_not_unlocked_cannot_send_or_sign(rpc: JsonRpc) -> None:
    for method, params in [
        ("eth_sendTransaction", [{"from": ADDRESS, "to": ADDRESS, "gas": "0x5208"}]),
        ("eth_sign", [ADDRESS, "0x12"]),
    ]:
        assert rpc.post(_request(method, params))["error"] == {"code": -32000, "message": "unknown account"}, method


def test_an_empty_batch_is_invalid(rpc: JsonRpc) -> None:
    error = {"code": -32600, "message": "empty batch"}
    assert rpc.post([]) == {"jsonrpc": "2.0", "id": None, "error": error}


def test_a_batch_at_the_limit_is_answered(rpc: JsonRpc) -> None:
    answers = rpc.post([_request("eth_chainId", [], request_id) for request_id in range(BATCH_LIMIT)])
    assert [answer["id"] for answer in answers] == list(range(BATCH_LIMIT))


def test_a_batch_over_the_limit_is_refused_as_a_whole(rpc: JsonRpc) -> None:
    answers = rpc.post([_request("eth_chainId", [], request_id) for request_id in range(5, BATCH_LIMIT + 6)])
    assert answers == [{"jsonrpc": "2.0", "id": 5, "error": {"code": -32600, "message": "batch too large"}}]


def test_each_bad_member_of_a_batch_gets_its_own_error(rpc: JsonRpc) -> None:
    answers = rpc.post(
        [_request("eth_foo", [], 1), 5, _request("eth_getBalance", [], 2), _request("eth_chainId", [], 3)]
    )
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32601, -32600, -32602, None]


def test_an_oversized_body_is_refused_before_it_is_read(node: Node) -> None:
    parts = urlsplit(node.http_url)
    assert parts.hostname is not None
    with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)) as connection:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(BODY_LIMIT_BYTES + 1))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        reason = answer.read().decode().strip()
    assert reason == f"content length too large ({BODY_LIMIT_BYTES + 1}>{BODY_LIMIT_BYTES})"


def test_a_body_at_the_limit_is_read(rpc: JsonRpc) -> None:
    request = json.dumps(_request("eth_chainId", [])).encode()
    answer = rpc.exchange("POST", request + b" " * (BODY_LIMIT_BYTES - len(request)))
    assert answer.json()["result"] == "0x7a69"


def test_deeply_nested_json_does_no_harm(rpc: JsonRpc) -> None:
    answer = rpc.exchange("POST", b"[" * 100_000 + b"]" * 100_000)
    assert answer.status == 200
    assert rpc.call("eth_chainId") == "0x7a69"
