"""debug_accountRange, over a chain whose storage gives its whole state in one page."""

import asyncio

import pytest

from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.state_pages import AccountPart, ReadStatePage, StatePage
from chain.types import ZERO_HASH, Address
from rpc.debug_state import MAX_SLOTS, PAGE_BYTES
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import TOKEN, FakeChain
from tests.rpc.fake_neighbours import FakeLink

ASKED = ("latest", "0x", 256, True, False, False)
SLOTS = {1: 0x1, 2: 0x123, 3: 0xAB}


class WholeState(FakeLink):
    """The chain's storage, which gives rpc's methods its whole state and the slots of one contract."""

    def __init__(self, chain: FakeChain) -> None:
        super().__init__(self._page)
        self._chain = chain.storage
        self._accounts = chain.states[chain.head.version].accounts
        self.slots = {TOKEN: tuple(SLOTS.items())}

    def _page(self, read: Message) -> StatePage:
        assert isinstance(read, ReadStatePage)
        assert read.alone is (read.of is None)
        asked = self._accounts if read.of is None else (read.of,)
        slots = {} if read.of is None else self.slots
        parts = [AccountPart(address, self._accounts[address], slots.get(address, ())) for address in asked]
        return StatePage(ZERO_HASH, tuple(parts), (), b"")

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        if isinstance(message, ReadStatePage) and message.max_bytes == PAGE_BYTES:
            await asyncio.sleep(0)
            return await super().request(message, timeout_s)
        return await self._chain.request(message, timeout_s)


@pytest.fixture
def storage(chain: FakeChain) -> WholeState:
    chain.storage = storage = WholeState(chain)
    return storage


async def test_values_of_slots_are_whole_bytes(storage: WholeState, client: Client) -> None:
    accounts = (await client.result("debug_accountRange", *ASKED))["accounts"]
    (told,) = [account["storage"] for account in accounts.values() if "storage" in account]
    assert told == {word_json(1): "01", word_json(2): "0123", word_json(3): "ab"}


async def test_less_than_no_accounts_are_as_many_as_there_may_be(storage: WholeState, client: Client) -> None:
    shown = [await client.result("debug_accountRange", "latest", "0x", most, *ASKED[3:]) for most in (-1, 0, 256)]
    assert shown[0] == shown[1] == shown[2]
    assert len(shown[0]["accounts"]) == 4
    one = await client.result("debug_accountRange", "latest", "0x", 1, *ASKED[3:])
    (first,) = one["accounts"].values()
    assert one["next"] > first["key"] == data_json(keccak256(bytes.fromhex(first["address"][2:])))


async def test_a_state_that_is_paged_through_is_listed_once(storage: WholeState, client: Client) -> None:
    asked = ("latest", "0x", 1, True, True, False)
    first, *_ = await asyncio.gather(*(client.result("debug_accountRange", *asked) for _ in range(3)))
    found = list(first["accounts"])
    while "next" in first:
        first = await client.result("debug_accountRange", "latest", first["next"], *asked[2:])
        found += first["accounts"]
    assert found == sorted(found, key=lambda address: keccak256(bytes.fromhex(address[2:])))
    assert len(found) == 4
    assert len(storage.asked) == 1


async def test_a_page_ends_before_it_has_too_many_slots(storage: WholeState, client: Client) -> None:
    whole = await client.result("debug_accountRange", *ASKED)
    ordered = [bytes.fromhex(address[2:]) for address in whole["accounts"]]
    large = tuple((number, 1) for number in range(MAX_SLOTS))
    storage.slots = {Address(ordered[1]): large, Address(ordered[2]): ((1, 1),)}
    page = await client.result("debug_accountRange", *ASKED)
    assert list(page["accounts"]) == list(whole["accounts"])[:2]
    assert page["next"] == data_json(keccak256(ordered[2]))
    rest = await client.result("debug_accountRange", "latest", page["next"], *ASKED[2:])
    assert list(rest["accounts"]) == list(whole["accounts"])[2:]
    storage.slots = {Address(ordered[1]): (*large, (MAX_SLOTS, 1))}
    code, message = await client.error("debug_accountRange", *ASKED)
    assert (code, f"more than {MAX_SLOTS} slots" in message) == (-32005, True)
