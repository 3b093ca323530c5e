"""The requests MetaMask makes, in its order and with its parameters, and the browser's rules around them.

Read from MetaMask's network, gas-fee and transaction controllers: a network is added by asking for its chain id; blocks
are followed by number; fees come from the fee history; the nonce is taken at the newest block; a receipt is asked for
with every new block, and its block fetched by hash.
"""

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from tests.e2e.accounts import ETHER, Purse
from tests.e2e.json_rpc import HttpAnswer, JsonRpc
from tests.e2e.running_node import DEADLINE_S, Node

DAPP = "https://app.example"
METAMASK = "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn"


@pytest.fixture(params=[DAPP, METAMASK], ids=["dapp", "extension"])
def origin(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(node: Node) -> Iterator[JsonRpc]:
    """Sends the headers a browser adds by itself."""
    headers = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
    with contextlib.closing(JsonRpc(node.http_url, headers)) as page:
        yield page


class Wallet:
    """MetaMask's way of asking: one request at a time, with its large ids, from its origin."""

    def __init__(self, page: JsonRpc, origin: str, account: LocalAccount, *, echoes_origin: bool) -> None:
        self._page = page
        self._origin = origin
        self._echoes_origin = echoes_origin
        self._ids = itertools.count(4_152_903_331_234_567)
        self.account = account

    def ask(self, method: str, *params: Any) -> Any:
        message = {"id": next(self._ids), "jsonrpc": "2.0", "method": method, "params": params}
        answer = self._page.exchange("POST", json.dumps(message).encode(), {"Origin": self._origin})
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert_readable_by(answer, self._origin, echoes_origin=self._echoes_origin)
        body = answer.json()
        assert body["id"] == message["id"]
        assert "error" not in body, (method, body)
        return body["result"]

    def add_network(self) -> None:
        assert self.ask("eth_chainId") == "0x7a69"
        assert self.ask("net_version") == "31337"
        latest = self.ask("eth_getBlockByNumber", "latest", False)
        assert int(latest["baseFeePerGas"], 16) > 0, "MetaMask offers dynamic fees only when it sees a base fee"
        assert int(self.ask("eth_blockNumber"), 16) >= int(latest["number"], 16)
        assert int(self.ask("eth_getBalance", self.account.address.lower(), latest["number"]), 16) == ETHER
        assert self.ask("eth_getCode", self.account.address, "latest") == "0x"

    def suggested_fees(self) -> dict[str, int]:
        newest = self.ask("eth_blockNumber")
        history = self.ask("eth_feeHistory", hex(min(5, int(newest, 16) + 1)), newest, [10, 20, 30])
        tips = [int(rewards[1], 16) for rewards in history["reward"]]
        tip = max(10**9, *tips)
        return {"maxPriorityFeePerGas": tip, "maxFeePerGas": 2 * int(history["baseFeePerGas"][-1], 16) + tip}

    def send(self, to: str, value: int) -> str:
        draft = {"from": self.account.address.lower(), "to": to.lower(), "value": hex(value)}
        limit = int(self.ask("eth_getBlockByNumber", "latest", False)["gasLimit"], 16)
        gas = int(self.ask("eth_estimateGas", {**draft, "type": "0x2"}), 16)
        assert 21000 <= gas < limit
        block = self.ask("eth_blockNumber")
        nonce = int(self.ask("eth_getTransactionCount", self.account.address.lower(), block), 16)
        fields: dict[str, Any] = {"nonce": nonce, "gas": gas * 3 // 2, "to": to, "value": value, "chainId": 31337}
        signed = self.account.sign_transaction({**fields, **self.suggested_fees()})
        sent = self.ask("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())
        assert sent == signed.hash.to_0x_hex()
        return str(sent)

    def confirm(self, transaction_hash: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while (receipt := self.ask("eth_getTransactionReceipt", transaction_hash)) is None:
            assert time.monotonic() < deadline
            self.ask("eth_getTransactionCount", self.account.address.lower(), "latest")
        assert receipt["status"] == "0x1"
        block = self.ask("eth_getBlockByHash", receipt["blockHash"], False)
        assert transaction_hash in block["transactions"]
        assert int(block["baseFeePerGas"], 16) > 0
        assert int(block["timestamp"], 16) > 0
        return dict(receipt)


def assert_readable_by(answer: HttpAnswer, origin: str, *, echoes_origin: bool) -> None:
    """The browser lets a page of `origin` see the answer; with its own name, so that credentials do no harm."""
    allowed = answer.headers.get("access-control-allow-origin")
    if echoes_origin:
        assert allowed == origin
        assert "origin" in answer.headers.get("vary", "").lower(), "a cache could give it to another origin"
    else:
        assert allowed in (origin, "*")


def test_a_network_is_added_and_a_transaction_sent_and_confirmed(
    node: Node, page: JsonRpc, purse: Purse, origin: str
) -> None:
    wallet = Wallet(page, origin, purse.account(ETHER), echoes_origin=node.is_tandem)
    wallet.add_network()
    friend = purse.empty_account().address
    receipt = wallet.confirm(wallet.send(friend, ETHER // 2))
    spent = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    left = wallet.ask("eth_getBalance", wallet.account.address.lower(), receipt["blockNumber"])
    assert int(left, 16) == ETHER // 2 - spent
    assert int(wallet.ask("eth_getBalance", friend, "latest"), 16) == ETHER // 2


def test_a_preflight_allows_a_json_post(node: Node, page: JsonRpc, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = page.exchange("OPTIONS", headers=asked)
    assert answer.status in (200, 204)
    assert_readable_by(answer, origin, echoes_origin=node.is_tandem)
    assert _allows(answer, "access-control-allow-methods", "post")
    assert _allows(answer, "access-control-allow-headers", "content-type")


@pytest.mark.usefixtures("tandem_only")
def test_a_preflight_allows_whatever_headers_a_library_adds(page: JsonRpc, origin: str) -> None:
    headers = ["content-type", "x-requested-with", "x-client-version"]
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = page.exchange("OPTIONS", headers={**asked, "Access-Control-Request-Headers": ",".join(headers)})
    assert answer.status in (200, 204)
    assert all(_allows(answer, "access-control-allow-headers", name) for name in headers)


@pytest.mark.usefixtures("tandem_only")
def test_a_preflight_from_a_public_page_to_this_machine_is_allowed(page: JsonRpc, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = page.exchange("OPTIONS", headers=asked)
    assert answer.headers["access-control-allow-private-network"] == "true"


def test_a_page_may_read_an_error_too(node: Node, page: JsonRpc, origin: str) -> None:
    message = {"id": 1, "jsonrpc": "2.0", "method": "eth_foo", "params": []}
    answer = page.exchange("POST", json.dumps(message).encode(), {"Origin": origin})
    assert_readable_by(answer, origin, echoes_origin=node.is_tandem)
    assert "error" in answer.json()


def _allows(answer: HttpAnswer, header: str, name: str) -> bool:
    names = [part.strip().lower() for part in answer.headers.get(header, "").split(",")]
    return name in names or "*" in names
