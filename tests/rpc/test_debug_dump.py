"""debug_accountRange, over a chain whose storage gives its whole state in one page."""

import asyncio

import pytest

from chain.keccak import keccak256
from chain.messages import Message
from chain.messages.proofs import ReadProof
from chain.messages.state_pages import AccountPart, ReadStatePage, StatePage
from chain.types import ZERO_HASH
from rpc.debug_state import PAGE_BYTES
from rpc.render import data_json, word_json
from tests.rpc.client import Client
from tests.rpc.fake_chain import TOKEN, FakeChain
from tests.rpc.fake_neighbours import FakeLink

ASKED = ("latest", "0x", 256, True, False, False)
SLOTS = {1: 0x1, 2: 0x123, 3: 0xAB}


class WholeState(FakeLink):
    """The chain's storage, which gives rpc's methods its whole state."""

    def __init__(self, chain: FakeChain) -> None:
        super().__init__(lambda _: page)
        self._chain = chain.storage
        parts = [
            AccountPart(address, account, tuple(SLOTS.items()) if address == TOKEN else ())
            for address, account in chain.states[chain.head.version].accounts.items()
        ]
        page = StatePage(ZERO_HASH, tuple(parts), (), b"")

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        if isinstance(message, ReadStatePage) and message.max_bytes == PAGE_BYTES:
            await asyncio.sleep(0)
            return await super().request(message, timeout_s)
        if isinstance(message, ReadProof):
            self.asked.append(message)
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


async def test_one_state_is_listed_at_a_time(storage: WholeState, client: Client) -> None:
    await asyncio.gather(*(client.result("debug_accountRange", *ASKED) for _ in range(3)))
    assert [type(message) for message in storage.asked] == [ReadStatePage, *[ReadProof] * 4] * 3
