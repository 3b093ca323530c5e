"""A name is looked up until something answers there, whatever the name means meanwhile."""

import asyncio
import socket as sockets
from typing import Any, cast

import pytest
import zmq

from node.queues.names import NameLookup, needs_lookup

DEADLINE_S = 5.0


class Names:
    """What the resolver says, the addresses that it likes best first; each question is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: list[tuple[sockets.AddressFamily, str]] = []
        self.asked = 0
        self._again = asyncio.Event()
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self._getaddrinfo)
        monkeypatch.setattr("node.queues.names.RETRY_FIRST_S", 0.001)
        monkeypatch.setattr("node.queues.names.RETRY_MOST_S", 0.001)

    async def asked_again(self, times: int) -> None:
        for _ in range(times):
            self._again.clear()
            await asyncio.wait_for(self._again.wait(), DEADLINE_S)

    async def _getaddrinfo(self, host: str, port: int, *, family: int = 0, type: int = 0) -> list[Any]:
        self.asked += 1
        self._again.set()
        found = [(f, type, 0, "", (address, port)) for f, address in self.addresses if family in (0, f)]
        if not found:
            raise sockets.gaierror(sockets.EAI_NONAME, "Name or service not known")
        return found


class Dealer:
    """Where a socket was told to connect to."""

    def __init__(self) -> None:
        self.connected_to: set[str] = set()

    def connect(self, address: str) -> None:
        self.connected_to.add(address)

    def disconnect(self, address: str) -> None:
        self.connected_to.remove(address)


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def lookup_of(name: str) -> tuple[NameLookup, Dealer]:
    dealer = Dealer()
    return NameLookup(cast("zmq.Socket[bytes]", dealer), f"tcp://{name}:7100"), dealer


async def test_a_name_that_is_not_there_yet_is_connected_to_once_it_is(names: Names) -> None:
    lookup, dealer = lookup_of("storage")
    await names.asked_again(3)
    assert dealer.connected_to == set()
    names.addresses = [(sockets.AF_INET, "10.0.0.7")]
    await names.asked_again(2)
    assert dealer.connected_to == {"tcp://10.0.0.7:7100"}
    lookup.close()


async def test_the_address_of_the_family_that_processes_listen_on_is_taken_though_another_comes_first(
    names: Names,
) -> None:
    """They listen on IPv4; many resolvers name IPv6 first."""
    names.addresses = [(sockets.AF_INET6, "::1"), (sockets.AF_INET, "127.0.0.1")]
    lookup, dealer = lookup_of("localhost")
    await names.asked_again(2)
    assert dealer.connected_to == {"tcp://127.0.0.1:7100"}
    lookup.close()


async def test_a_name_that_moves_before_anything_answers_is_followed(names: Names) -> None:
    names.addresses = [(sockets.AF_INET, "10.0.0.7")]
    lookup, dealer = lookup_of("storage")
    await names.asked_again(2)
    names.addresses = [(sockets.AF_INET, "10.0.0.8")]
    await names.asked_again(2)
    assert dealer.connected_to == {"tcp://10.0.0.8:7100"}
    lookup.close()


async def test_nothing_is_looked_up_while_connected_and_again_once_the_connection_is_lost(names: Names) -> None:
    names.addresses = [(sockets.AF_INET, "10.0.0.7")]
    lookup, _ = lookup_of("storage")
    await names.asked_again(2)
    lookup.settled()
    await asyncio.sleep(0)
    assert all(task is asyncio.current_task() for task in asyncio.all_tasks())
    asked = names.asked
    lookup.refresh()
    await names.asked_again(2)
    assert names.asked > asked
    lookup.close()


def test_only_names_are_looked_up() -> None:
    assert needs_lookup("tcp://storage:7100")
    assert not needs_lookup("tcp://10.0.0.1:7100")
    assert not needs_lookup("tcp://[::1]:7100")
    assert not needs_lookup("ipc:///run/storage")
