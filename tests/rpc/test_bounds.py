"""What rpc keeps in memory is bounded in bytes where values can be large."""

from dataclasses import replace

import pytest

from chain.keccak import keccak256
from chain.receipts import Log, Receipt
from chain.transactions import LEGACY
from chain.types import BlockNumber, Gas, Wei
from rpc.bounded_cache import BoundedCache
from rpc.recent_blocks import RecentBlocks
from tests.rpc.fake_chain import ALICE, FakeChain


def test_entries_are_forgotten_oldest_first_once_they_are_too_many() -> None:
    cache: BoundedCache[int, str] = BoundedCache(3)
    for key in range(5):
        cache.put(key, "value")
    assert [key for key in range(5) if cache.get(key)] == [2, 3, 4]


def test_with_weights_the_bound_is_on_their_sum_and_the_newest_stays_whatever_it_weighs() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(1000, len)
    for key in range(5):
        cache.put(key, bytes(400))
    assert [key for key in range(5) if cache.get(key)] == [3, 4]
    cache.put(4, bytes(700))
    assert [key for key in range(5) if cache.get(key)] == [4]
    cache.put(5, bytes(5000))
    assert [key for key in range(6) if cache.get(key)] == [5]
    cache.clear()
    cache.put(6, bytes(600))
    assert cache.get(6) is not None


@pytest.mark.parametrize("logs", [(Log(ALICE, (), bytes(1_900)),), (Log(ALICE, (), b""),) * 15], ids=["long", "many"])
def test_recent_blocks_are_bounded_in_the_bytes_of_transactions_and_logs(logs: tuple[Log, ...]) -> None:
    genesis = FakeChain().head
    recent = RecentBlocks(max_bytes=10_400)
    receipt = Receipt(LEGACY, True, Gas(21_000), Gas(21_000), logs, Wei(1))
    for number in range(1, 11):
        block = replace(
            genesis,
            header=replace(genesis.header, number=BlockNumber(number)),
            hash=keccak256(b"block %d" % number),
            hashes=(keccak256(b"transaction %d" % number),),
            transactions=(bytes(500),),
            senders=(ALICE,),
            receipts=(receipt,),
        )
        recent.add(block)
    assert [number for number in range(1, 11) if recent.by_number(BlockNumber(number))] == [7, 8, 9, 10]
    assert recent.by_hash(keccak256(b"block 6")) is None
