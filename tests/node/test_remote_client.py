"""JSON-RPC to a remote: batches, patience, and words without secrets."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from node.errors import BadSetting
from node.remote.address import checked, masked
from node.remote.client import Call, CallError, JsonRpcClient
from storage.remote import RemoteForbids, RemoteNonsense, RemoteUnavailable
from tests.node.fake_remote import FakeRemote, at_most, error, serving, status, text

KEY = "0123456789abcdef0123456789abcdef"


class Pauses:
    """Takes the place of sleeping, and remembers how long it was asked to."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)

    def now(self) -> float:
        return sum(self.seconds)


@pytest.fixture
async def remote() -> AsyncIterator[FakeRemote]:
    async with serving(FakeRemote({"eth_blockNumber": "0x7"})) as fake:
        fake.results |= {f"get {index}": index * index for index in range(250)}
        yield fake


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def client(remote: FakeRemote, pauses: Pauses) -> AsyncIterator[JsonRpcClient]:
    made = JsonRpcClient(remote.url, pauses, pauses.now)
    yield made
    await made.close()


async def _squares(client: JsonRpcClient, count: int) -> None:
    answers = await client.call([Call("get", [index]) for index in range(count)], 5.0)
    assert answers == [index * index for index in range(count)]


async def test_calls_travel_in_batches_of_bounded_size(client: JsonRpcClient, remote: FakeRemote) -> None:
    await _squares(client, 250)
    assert sorted(remote.sizes) == [50, 100, 100]
    assert client.requests == 3


async def test_one_call_is_no_batch(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.always = at_most(1)
    assert await client.call([Call("eth_blockNumber", [])], 5.0) == ["0x7"]
    assert remote.sizes == [1]


@pytest.mark.parametrize("most", [1, 10])
async def test_a_remote_that_refuses_batches_gets_smaller_ones(
    client: JsonRpcClient, remote: FakeRemote, most: int
) -> None:
    remote.always = at_most(most)
    await _squares(client, 20)
    remote.bodies.clear()
    await _squares(client, 20)
    assert max(remote.sizes) <= most


async def test_a_batch_refused_by_its_status_is_cut_as_well(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.always = lambda rows: web.Response(status=413) if len(rows) > 4 else None
    await _squares(client, 20)


async def test_what_passes_is_tried_again_with_growing_pauses(
    client: JsonRpcClient, remote: FakeRemote, pauses: Pauses
) -> None:
    remote.troubles = [status(503), status(429), status(502)]
    await _squares(client, 3)
    assert pauses.seconds == [0.1, 0.2, 0.4]


async def test_the_pause_is_the_one_that_the_remote_asks_for(
    client: JsonRpcClient, remote: FakeRemote, pauses: Pauses
) -> None:
    remote.troubles = [status(429, **{"Retry-After": "2"})]
    await _squares(client, 3)
    assert pauses.seconds == [2.0]


async def test_of_a_batch_only_the_calls_that_came_too_often_are_asked_again(
    client: JsonRpcClient, remote: FakeRemote
) -> None:
    def busy(rows: list[dict[str, object]]) -> web.Response:
        answers = [remote.answer(row) for row in rows]
        answers[1] = {"jsonrpc": "2.0", "id": rows[1]["id"], "error": error(429, "compute units per second exceeded")}
        return web.json_response(answers)

    remote.troubles = [busy]
    await _squares(client, 4)
    assert remote.sizes == [4, 1]


async def test_an_error_of_the_method_is_its_answer(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.results["eth_call"] = error(3, "execution reverted")
    answers = await client.call([Call("eth_call", [{}]), Call("get", [3])], 5.0)
    assert answers == [CallError(3, "execution reverted"), 9]


async def test_answers_may_come_in_any_order(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.always = lambda rows: web.json_response([remote.answer(row) for row in reversed(rows)])
    await _squares(client, 7)


async def test_a_remote_that_is_gone_is_named_without_its_key(remote: FakeRemote, pauses: Pauses) -> None:
    client = JsonRpcClient("http://127.0.0.1:1/v3/" + KEY, pauses, pauses.now)
    with pytest.raises(RemoteUnavailable) as failure:
        await client.call([Call("eth_blockNumber", [])], 0.3)
    await client.close()
    assert "http://127.0.0.1:1/… cannot be reached (Connection refused" in str(failure.value)
    assert KEY not in str(failure.value)


async def test_who_asks_a_remote_that_is_down_does_not_wait_for_it_again(
    client: JsonRpcClient, remote: FakeRemote, pauses: Pauses
) -> None:
    remote.always = status(503)
    for _ in range(2):
        with pytest.raises(RemoteUnavailable, match="HTTP status 503"):
            await client.call([Call("eth_blockNumber", [])], 0.25)
    assert len(remote.bodies) == 3, "two attempts fit into the first call's time, the second call is tried once"
    remote.always = None
    assert await client.call([Call("eth_blockNumber", [])], 0.25) == ["0x7"]
    remote.troubles = [status(503)]
    assert await client.call([Call("eth_blockNumber", [])], 5.0) == ["0x7"]


async def test_a_remote_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = JsonRpcClient(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RemoteUnavailable, match="does not answer"):
            await client.call([Call("eth_blockNumber", [])], 0.05)
        await client.close()


async def test_a_key_that_is_not_accepted_is_told_at_once(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.always = status(401)
    with pytest.raises(RemoteForbids, match="HTTP status 401: check the key"):
        await client.call([Call("eth_blockNumber", [])], 5.0)
    assert len(remote.bodies) == 1


@pytest.mark.parametrize("body", ["<html>Welcome</html>", "[]", '{"jsonrpc":"2.0","id":1}', '"yes"', "[1,2]"])
async def test_an_answer_that_makes_no_sense_is_an_error(client: JsonRpcClient, remote: FakeRemote, body: str) -> None:
    remote.always = text(body)
    for count in (1, 3):
        with pytest.raises(RemoteNonsense):
            await client.call([Call("get", [index]) for index in range(count)], 0.2)


async def test_the_way_to_another_server_is_not_followed(client: JsonRpcClient, remote: FakeRemote) -> None:
    remote.always = status(302, Location="http://127.0.0.1:1/")
    with pytest.raises(RemoteNonsense, match="HTTP status 302"):
        await _squares(client, 3)
    assert len(remote.bodies) == 1


async def test_an_endless_answer_is_cut_off(
    client: JsonRpcClient, remote: FakeRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.remote.client.MAX_ANSWER_BYTES", 1 << 20)
    remote.always = text("x" * (2 << 20))
    with pytest.raises(RemoteNonsense, match="more than 1 MB"):
        await client.call([Call("eth_blockNumber", [])], 5.0)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://mainnet.infura.io/v3/{KEY}", "https://mainnet.infura.io/…"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545/", "http://127.0.0.1:8545"),
        ("http://user:secret@node.example:1234/?key=secret", "http://node.example:1234/…"),
        (f"https://{KEY}.eth.rpc.example", "https://….eth.rpc.example"),
        ("http://[::1]:8545/", "http://[::1]:8545"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert checked(url) == url
    assert masked(url) == shown


@pytest.mark.parametrize("url", ["localhost:8545", "ftp://example.org", "http://", "", f"wss://x/{KEY}", "http://a:b"])
def test_a_url_of_another_kind_is_refused_without_showing_its_secret(url: str) -> None:
    with pytest.raises(BadSetting, match=r"--fork-url .* is not known: give http://HOST:PORT") as refused:
        checked(url)
    assert KEY not in str(refused.value)
