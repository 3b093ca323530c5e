"""Small states held whole: rpc's reads and readers' reads against a model of every version, through ways back too."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

import pytest

import chain.whole_state
import storage.changed_values
from chain.accounts import EMPTY_ACCOUNT, Account
from chain.messages import Message
from chain.messages.state_pages import ReadStatePage
from chain.messages.storage import ReadState, StateValues
from chain.types import Address, Version
from chain.whole_state import PAGE_BYTES, READS_A_PAGE, WholeState
from execution.call_views import CallViews
from execution.outcome import StateView
from rpc.state_reader import StateReader
from storage.process import StorageService
from tests.execution.pool_workers import CALL
from tests.storage.heights import World
from tests.storage.test_process import Asker
from tests.storage.world import ModelAccount

STEPS, READS_A_STEP = 80, 24


class Link:
    """Storage as rpc asks it, and in one go as a reader does."""

    connected = True

    def __init__(self, world: World) -> None:
        self._asker = Asker(StorageService(world.store))
        self.requests = 0
        self.followed = 0

    async def request(self, message: Message, timeout_s: float | None = None) -> Any:
        self.requests += 1
        self.followed += isinstance(message, ReadState) and message.since is not None
        return await self._asker.ask(message)

    def notify(self, message: Message) -> bool:
        raise AssertionError

    def follow(self, *_: Any) -> None:
        raise AssertionError


class BlockingLink:
    def __init__(self, link: Link) -> None:
        self._link = link

    def request(self, message: Message) -> Any:
        return _driven(self._link.request(message))


def _driven(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs what waits for nothing but its next turn."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            return end.value


class Readers:
    """Asks both for random accounts and slots, and compares what they say with the model."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.links = Link(world), Link(world)
        self.rpc, self.calls = StateReader(self.links[0]), CallViews(BlockingLink(self.links[1]))
        self.reads = 0

    async def read(self, count: int) -> None:
        versions = list(self.world.states)
        newest = self.random.random() < 0.8
        picked = [versions[-1] if newest else self.random.choice(versions[-6:]) for _ in range(count)]
        await asyncio.gather(*(self._account(version) for version in picked))
        await asyncio.gather(*(self._slot(version) for version in picked))
        self.reads += 4 * count

    def _address(self) -> Address:
        nobody = Address(self.random.randbytes(20))
        return self.random.choice([*self.world.chain.addresses, nobody])

    async def _account(self, version: Version) -> None:
        address = self._address()
        model = self.world.states[version].get(address)
        expected: Account = EMPTY_ACCOUNT if model is None else model.account
        assert await self.rpc.account(version, address) == expected
        values = self.calls.reads.request(ReadState(version, (address,), (), ()))
        assert isinstance(values, StateValues)
        assert values.accounts == (expected,)
        assert self._as_calls_see(version).account(address) == expected

    async def _slot(self, version: Version) -> None:
        address = self._address()
        slots = self.world.states[version].get(address, ModelAccount()).slots
        number = self.random.choice([*slots, self.random.randrange(12)])
        expected = slots.get(number, 0)
        assert await self.rpc.slot(version, address, number) == expected
        values = self.calls.reads.request(ReadState(version, (), ((address, number),), ()))
        assert isinstance(values, StateValues)
        assert values.slots == (expected,)
        assert self._as_calls_see(version).slot(address, number) == expected

    def _as_calls_see(self, version: Version) -> StateView:
        return self.calls.stage(version, CALL.environment).view(CALL.call)


async def _run(seed: int) -> Readers:
    world = World(seed, checked=False)
    readers = Readers(world, seed)
    for _ in range(STEPS):
        for _ in range(readers.random.randint(0, 2)):
            world.step()
        await readers.read(readers.random.randint(1, READS_A_STEP))
    return readers


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_held_whole_is_what_the_model_has_at_every_version(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(chain.whole_state, "READS_A_PAGE", 2)
    monkeypatch.setattr(chain.whole_state, "PAGE_BYTES", 1_024)
    readers = await _run(seed)
    of_rpc, of_reader = readers.links
    assert of_rpc.followed > 10
    assert of_reader.requests < readers.reads / 3, "most is answered without asking"


async def test_more_changes_than_are_worth_following_begin_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.whole_state, "READS_A_PAGE", 2)
    monkeypatch.setattr(storage.changed_values, "MAX_CHANGES", 6)
    monkeypatch.setattr(storage.changed_values, "MAX_VERSIONS", 3)
    await _run(5)


async def test_a_state_larger_than_the_limit_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain.whole_state, "READS_A_PAGE", 1)
    monkeypatch.setattr(chain.whole_state.WholeState.__init__, "__defaults__", (3,))
    readers = await _run(6)
    assert [link.followed for link in readers.links] == [0, 0]
    assert readers.links[1].requests >= readers.reads / 2, "what calls read is kept by version"


def test_a_chain_that_has_no_whole_state_is_asked_for_it_once() -> None:
    state = WholeState()
    pages = [state.next_page(Version(1)) for _ in range(READS_A_PAGE)]
    assert pages == [None] * (READS_A_PAGE - 1) + [ReadStatePage(Version(1), b"", PAGE_BYTES)]
    state.give_up(for_good=True)
    assert not any(state.next_page(Version(2)) for _ in range(2 * READS_A_PAGE))
