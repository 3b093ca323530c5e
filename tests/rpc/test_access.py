"""Which requests the RPC port refuses for the name they use or the page they come from."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from rpc.access import Access, AccessRules
from rpc.process import RpcProcess
from tests.rpc.conftest import open_process, serving
from tests.rpc.fake_chain import FakeChain
from tests.rpc.test_server import CHAIN_ID

REBOUND = "attacker.example.com"


def asked(host: str | None, origin: str | None = None) -> tuple[bytes | None, bytes | None]:
    return None if host is None else host.encode(), None if origin is None else origin.encode()


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "localhost",
        "LOCALHOST:8545",
        "localhost.:8545",
        "127.0.0.1:8545",
        "192.168.1.20:8545",
        "[::1]:8545",
        "rpc:8545",
        "host.docker.internal:8545",
        "studio.local:8545",
        "chain.localhost",
    ],
)
def test_addresses_and_names_that_no_site_can_have_are_answered(host: str | None) -> None:
    assert Access(AccessRules()).refusal(*asked(host)) == ""


@pytest.mark.parametrize(
    "host",
    [
        REBOUND,
        f"{REBOUND}:8545",
        "127.0.0.1.example.com",
        "localhost.example.com",
        "evil.locall",
        "1.2.3.4.5",
        "a.b\xff",
    ],
)
def test_any_other_name_is_refused_with_the_remedy(host: str) -> None:
    refusal = Access(AccessRules()).refusal(*asked(host))
    assert refusal.startswith("invalid host ")
    assert "--allow-host" in refusal


def test_names_that_were_allowed_are_answered_whatever_their_case_and_port() -> None:
    access = Access(AccessRules(hosts=("Devnet.Example.com",)))
    assert access.refusal(*asked("devnet.example.COM:443")) == ""
    assert access.refusal(*asked("other.example.com"))
    assert Access(AccessRules(hosts=("*",))).refusal(*asked(REBOUND)) == ""


def test_with_origins_given_only_their_pages_and_the_nodes_own_are_let_in() -> None:
    access = Access(AccessRules(origins=("http://localhost:3000/",)))
    assert access.refusal(*asked("127.0.0.1:8545")) == ""
    assert access.refusal(*asked("127.0.0.1:8545", "http://localhost:3000")) == ""
    assert access.refusal(*asked("127.0.0.1:8545", "http://127.0.0.1:8545")) == ""
    for origin in ("http://localhost:3001", "https://localhost:3000", "null", "https://app.example.org"):
        refusal = access.refusal(*asked("127.0.0.1:8545", origin))
        assert refusal.startswith(f"invalid origin {origin!r}"), origin
        assert "--allow-origin" in refusal


@pytest.fixture
async def strict(chain: FakeChain) -> AsyncIterator[RpcProcess]:
    async with open_process(chain, access=AccessRules(origins=("http://localhost:3000",))) as process:
        yield process


async def test_over_http_and_websocket_a_refused_request_is_answered_403_and_not_carried_out(
    strict: RpcProcess,
) -> None:
    async with serving(strict) as address, aiohttp.ClientSession() as http:
        for headers in ({"Host": REBOUND}, {"Origin": "https://app.example.org"}):
            async with http.post(f"http://{address}/", json=CHAIN_ID, headers=headers) as answer:
                assert answer.status == 403
                assert (await answer.text()).startswith("invalid ")
            async with http.get(f"http://{address}/health", headers=headers) as answer:
                assert answer.status == 403
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(f"ws://{address}/", headers=headers)
            assert refused.value.status == 403
        async with http.post(
            f"http://{address}/", json=CHAIN_ID, headers={"Origin": "http://localhost:3000"}
        ) as answer:
            assert (await answer.json())["result"] == "0x7a69"
