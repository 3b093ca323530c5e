"""A name is looked up until something answers there, whatever the name means meanwhile."""

import asyncio
import socket as sockets
from typing import Any

import pytest

from chain.messages.storage import NotThere
from node.queues.asking import AskingSocket
from node.queues.serving import ServingSocket
from tests.e2e.running_node import free_port
from tests.node.test_queues import READ, Newsroom

DEADLINE_S = 60.0


class Names:
    """What the resolver says of "storage", the addresses that it likes best first; each question is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[tuple[sockets.AddressFamily, str]] = []
        self.asked = 0
        self._again = asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._getaddrinfo)
        monkeypatch.setattr("node.queues.dialing.RETRY_FIRST_S", 0.001)
        monkeypatch.setattr("node.queues.dialing.RETRY_MOST_S", 0.001)

    async def asked_again(self, times: int) -> None:
        for _ in range(times):
            self._again.clear()
            await asyncio.wait_for(self._again.wait(), DEADLINE_S)

    async def _getaddrinfo(self, host: str, port: int, *, family: int = 0, **_: Any) -> list[Any]:
        self.asked += 1
        self._again.set()
        named = self.addresses if host == "storage" else [(sockets.AF_INET, "127.0.0.1")]
        found = [(f, sockets.SOCK_STREAM, 0, "", (address, port)) for f, address in named if family in (0, f)]
        if not found:
            raise sockets.gaierror(sockets.EAI_NONAME, "Name or service not known")
        return found


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture
def port() -> int:
    return free_port()


async def test_a_name_that_is_not_there_yet_is_connected_to_once_it_is(names: Names, port: int) -> None:
    server, link = ServingSocket(f"tcp://*:{port}", Newsroom()), AskingSocket(f"tcp://storage:{port}", "rpc")
    await names.asked_again(3)
    assert not link.connected
    names.addresses = [(sockets.AF_INET, "127.0.0.1")]
    assert await link.request(READ, DEADLINE_S) == NotThere()
    asked = names.asked
    assert await link.request(READ, DEADLINE_S) == NotThere()
    assert names.asked == asked, "nothing is looked up while connected"
    await link.close()
    await server.close()


async def test_the_address_of_the_family_that_processes_listen_on_is_taken_though_another_comes_first(
    names: Names, port: int
) -> None:
    """They listen on IPv4; many resolvers name IPv6 first."""
    names.addresses = [(sockets.AF_INET6, "::1"), (sockets.AF_INET, "127.0.0.1")]
    server, link = ServingSocket(f"tcp://*:{port}", Newsroom()), AskingSocket(f"tcp://storage:{port}", "rpc")
    assert await link.request(READ, DEADLINE_S) == NotThere()
    await link.close()
    await server.close()


async def test_a_name_that_moves_is_followed_before_anything_answers_and_after_a_loss(names: Names, port: int) -> None:
    names.addresses = [(sockets.AF_INET, "127.0.0.2")]
    server = ServingSocket(f"tcp://127.0.0.3:{port}", Newsroom())
    link = AskingSocket(f"tcp://storage:{port}", "rpc")
    await names.asked_again(3)
    names.addresses = [(sockets.AF_INET, "127.0.0.3")]
    assert await link.request(READ, DEADLINE_S) == NotThere()
    await server.close()
    server = ServingSocket(f"tcp://127.0.0.4:{port}", Newsroom())
    await names.asked_again(2)
    names.addresses = [(sockets.AF_INET, "127.0.0.4")]
    assert await link.request(READ, DEADLINE_S) == NotThere()
    await link.close()
    await server.close()
