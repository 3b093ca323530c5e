"""The log index against looking at every log."""

import random

import pytest

from chain.messages.storage import FoundLog, ReadLogs
from chain.types import Address, BlockNumber, Hash32
from storage.errors import BlockOutOfRange, TooManyLogs
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
                    found.append(FoundLog(log, *place))
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
        assert logs == _by_looking_at_every_log(store, query), query
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


def test_a_search_for_a_rare_address_does_not_look_at_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    _, store = _chain(1)
    seeks = 0
    seek = MemoryKeyValue.first_from

    def counted(self: MemoryKeyValue, key: bytes) -> tuple[bytes, bytes] | None:
        nonlocal seeks
        seeks += 1
        return seek(self, key)

    monkeypatch.setattr(MemoryKeyValue, "first_from", counted)
    assert run(store.logs(_query(addresses=(NOBODY,)))) == []
    assert seeks == 1
