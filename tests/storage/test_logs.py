"""The log index against looking at every log."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chain.messages.logs import FoundLog, ReadLogs, pack_found_logs
from chain.receipts import Log, Receipt
from chain.transactions import LEGACY
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from storage.errors import BlockOutOfRange, TooManyLogs
from storage.logs import LogIndex
from storage.memory import MemoryKeyValue
from storage.steps import run
from storage.store import Store
from tests.storage.world import NOBODY, UNKNOWN, RandomChain

BLOCKS = 30
ALL = 10_000


def _query(
    first: int = 0,
    last: int = BLOCKS,
    addresses: tuple[Address, ...] = (),
    topics: tuple[tuple[Hash32, ...], ...] = (),
    limit: int = ALL,
) -> ReadLogs:
    return ReadLogs(BlockNumber(first), BlockNumber(last), addresses, topics, limit)


def _chain(seed: int) -> tuple[RandomChain, Store]:
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(BLOCKS):
        store.apply(chain.next(store.head.hash))
    return chain, store


def _by_looking_at_every_log(store: Store, query: ReadLogs) -> list[FoundLog]:
    found = []
    for number in range(query.first, query.last + 1):
        block = store.blocks.block(number, with_receipts=True)
        assert block is not None
        index = 0
        for position, receipt in enumerate(block.receipts):
            for log in receipt.logs:
                wanted = not query.addresses or log.address in query.addresses
                for at, some in enumerate(query.topics):
                    wanted = wanted and at < len(log.topics) and (not some or log.topics[at] in some)
                if wanted:
                    header = block.header
                    place = (header.number, block.hash, header.timestamp, block.hashes[position], position, index)
                    found.append(FoundLog(log.address, log.topics, log.data, *place))
                index += 1
    return found


def test_random_searches_find_what_looking_at_every_log_finds(seed: int) -> None:
    chain, store = _chain(seed)
    chooser = random.Random(seed)
    found = 0
    for _ in range(200):
        first, last = sorted(chooser.choices(range(BLOCKS + 1), k=2))
        addresses = tuple(chooser.sample([*chain.addresses[:6], NOBODY], chooser.choice((0, 1, 3))))
        topics = tuple(
            tuple(chooser.sample([*chain.topics, UNKNOWN], chooser.choice((0, 0, 1, 2))))
            for _ in range(chooser.choice((0, 1, 2, 4)))
        )
        query = _query(first, last, addresses, topics)
        logs = run(store.logs(query))
        expected = pack_found_logs(_by_looking_at_every_log(store, query)).logs
        assert pack_found_logs(logs).logs == expected, query
        found += len(logs)
    assert found > 100


def test_more_topics_than_a_log_can_have_match_nothing() -> None:
    _, store = _chain(1)
    assert run(store.logs(_query(topics=((),) * 5))) == []


def test_one_log_more_than_the_limit_is_an_error() -> None:
    _, store = _chain(1)
    count = len(run(store.logs(_query())))
    assert len(run(store.logs(_query(limit=count)))) == count
    with pytest.raises(TooManyLogs, match=f"more than {count - 1} results"):
        run(store.logs(_query(limit=count - 1)))


def test_a_search_beyond_the_newest_block_finds_what_there_is() -> None:
    _, store = _chain(1)
    assert run(store.logs(_query(last=10**15))) == run(store.logs(_query()))


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 3), (BLOCKS + 1, BLOCKS + 5)])
def test_a_search_among_blocks_that_are_not_kept_is_refused(first: int, last: int) -> None:
    _, store = _chain(1)
    with pytest.raises(BlockOutOfRange, match=f"blocks 0 to {BLOCKS} are kept"):
        run(store.logs(_query(first, last)))


class CountedReads(MemoryKeyValue):
    """Counts seeks, which are walks begun and single reads, and the pairs walked along."""

    def __init__(self) -> None:
        super().__init__()
        self.seeks = 0
        self.walked = 0

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        self.seeks += 1
        return super().first_from(key)

    def get(self, key: bytes) -> bytes | None:
        self.seeks += 1
        return super().get(key)

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.seeks += 1
        return self._walk(super().pairs(start, stop))

    def _walk(self, pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for pair in pairs:
            self.walked += 1
            yield pair


def test_a_search_seeks_what_it_finds_and_nothing_for_the_blocks_in_between() -> None:
    keyvalue, chain = CountedReads(), RandomChain(1)
    store = Store.open(keyvalue, chain.genesis)
    rare = Log(NOBODY, (UNKNOWN,), b"")
    for number in range(1, 101):
        block = chain.next(store.head.hash)
        if number % 50 == 0:
            receipt = replace(block.receipts[0], logs=(rare,)) if block.receipts else None
            assert receipt is not None
            block = replace(block, receipts=(receipt, *block.receipts[1:]))
        store.apply(block)
    for addresses, topics, found, most in (
        ((NOBODY,), (), 2, 1 + 2 * 2),
        ((NOBODY,), ((UNKNOWN,),), 2, 2 + 2 * 2),
        ((), ((UNKNOWN,),), 2, 1 + 2 * 2),
        ((Address(bytes(20)),), (), 0, 1),
    ):
        keyvalue.seeks = 0
        assert len(run(store.logs(_query(1, 100, addresses, topics)))) == found
        assert keyvalue.seeks <= most


def test_where_one_criterion_is_rare_the_postings_of_a_frequent_one_are_leapt_over() -> None:
    keyvalue = CountedReads()
    index, batch = LogIndex(keyvalue), dict[bytes, bytes | None]()
    for number in range(1, 1001):
        topics = (UNKNOWN,) if number % 250 == 0 else ()
        receipt = Receipt(LEGACY, True, Gas(1), Gas(1), (Log(NOBODY, topics, b""),), Wei(1))
        index.put(BlockNumber(number), [receipt], batch)
    keyvalue.write(batch)
    candidates = [candidate for candidate in index.candidates(1, 1000, (NOBODY,), ((UNKNOWN,),)) if candidate]
    assert candidates == [(250, [0]), (500, [0]), (750, [0]), (1000, [0])]
    assert keyvalue.walked < 100
