"""The log index against looking at every log."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

import storage.log_search
from chain.messages.logs import FoundLog, FoundLogs, ReadLogs
from chain.messages.storage import ApplyBlock
from chain.receipts import Log, Receipt
from chain.transactions import LEGACY
from chain.types import Address, BlockNumber, Gas, Hash32, Wei
from storage.errors import BlockOutOfRange, TooManyLogBytes, TooManyLogs
from storage.log_search import ROWS_A_STEP, LogSearch
from storage.logs import COPIED_DATA_BYTES, LoggedBlock, index_rows
from storage.memory import MemoryKeyValue
from storage.steps import run
from storage.store import Store
from tests.found_logs import unpack_found_logs
from tests.storage.world import NOBODY, UNKNOWN, RandomChain

BLOCKS = 30
ALL = 10_000
BUSY = Address(b"busy" * 5)


def _query(
    first: int = 0,
    last: int = BLOCKS,
    addresses: tuple[Address, ...] = (),
    topics: tuple[tuple[Hash32, ...], ...] = (),
    limit: int = ALL,
) -> ReadLogs:
    return ReadLogs(BlockNumber(first), BlockNumber(last), addresses, topics, limit)


def _chain(seed: int) -> tuple[RandomChain, Store]:
    """In each other block two more logs of one address, the second sometimes with more data than is copied."""
    chain = RandomChain(seed)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for number in range(BLOCKS):
        block = chain.next(store.head.hash)
        data = bytes([number]) * chain.random.choice((0, COPIED_DATA_BYTES, COPIED_DATA_BYTES + 1, 5000))
        often = Log(BUSY, tuple(chain.topics[:2]), data)
        store.apply(_with_logs(block, Log(BUSY, (UNKNOWN,), b""), often) if number % 2 else block)
    return chain, store


def _with_logs(block: ApplyBlock, *logs: Log) -> ApplyBlock:
    """Its first transaction, if it has any, has these too."""
    if not block.receipts:
        return block
    first = block.receipts[0]
    return replace(block, receipts=(replace(first, logs=(*first.logs, *logs)), *block.receipts[1:]))


def _found(store: Store, query: ReadLogs) -> list[FoundLog]:
    return unpack_found_logs(run(store.logs(query)))


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


@pytest.mark.parametrize(("rows_a_step", "misses"), [(64, 8), (1, 0)])
def test_random_searches_find_what_looking_at_every_log_finds(
    seed: int, monkeypatch: pytest.MonkeyPatch, rows_a_step: int, misses: int
) -> None:
    monkeypatch.setattr(storage.log_search, "ROWS_A_STEP", rows_a_step)
    monkeypatch.setattr(storage.log_search, "STEPS_BEFORE_SEEK", misses)
    chain, store = _chain(seed)
    chooser = random.Random(seed)
    found = 0
    for _ in range(200):
        first, last = sorted(chooser.choices(range(BLOCKS + 1), k=2))
        addresses = tuple(chooser.sample([*chain.addresses[:6], BUSY, NOBODY], chooser.choice((0, 1, 3))))
        topics = tuple(
            tuple(chooser.sample([*chain.topics, UNKNOWN], chooser.choice((0, 0, 1, 2))))
            for _ in range(chooser.choice((0, 1, 2, 4)))
        )
        query = _query(first, last, addresses, topics)
        logs = _found(store, query)
        assert logs == _by_looking_at_every_log(store, query), query
        found += len(logs)
    assert found > 100


def test_more_topics_than_a_log_can_have_match_nothing() -> None:
    _, store = _chain(1)
    assert run(store.logs(_query(topics=((),) * 5))) == FoundLogs(0, b"")


def test_one_log_more_than_the_limit_is_an_error() -> None:
    _, store = _chain(1)
    count = run(store.logs(_query())).count
    assert run(store.logs(_query(limit=count))).count == count
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

    def snapshot(self) -> "CountedReads":
        """Nothing is written while a search is counted."""
        return self

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


@pytest.mark.parametrize("others", [True, False], ids=["often", "once in fifty blocks"])
def test_a_search_seeks_what_it_finds_and_nothing_for_the_blocks_in_between(others: bool) -> None:
    keyvalue, chain = CountedReads(), RandomChain(1)
    store, blocks = Store.open(keyvalue, chain.genesis), 0
    for number in range(1, 101):
        block = chain.next(store.head.hash)
        if number % 50 == 0 or others:
            blocks += len(block.receipts) > 0
            block = _with_logs(block, Log(NOBODY, (UNKNOWN,) if number % 50 == 0 else (), b""))
        store.apply(block)
    searches = [
        ((NOBODY,), ((UNKNOWN,),), 2, 1 if not others else 3 + 2 * 2),
        ((), ((UNKNOWN,),), 2, 1 + 2),
        ((NOBODY, BUSY), ((UNKNOWN,),), 2, 3 + 2 * 2),
        ((BUSY,), (), 0, 1),
        ((NOBODY,), (), blocks, 1),
    ]
    for addresses, topics, found, most in searches:
        keyvalue.seeks = keyvalue.walked = 0
        assert run(store.logs(_query(1, 100, addresses, topics))).count == found
        assert keyvalue.seeks <= most, (addresses, topics)
        assert keyvalue.walked <= 100


def test_where_one_criterion_is_rare_the_rows_of_a_frequent_one_are_leapt_over() -> None:
    keyvalue, batch = CountedReads(), dict[bytes, bytes | None]()
    for number in range(1, 1001):
        topics = (UNKNOWN,) if number % 250 == 0 else ()
        receipt = Receipt(LEGACY, True, Gas(1), Gas(1), (Log(NOBODY, topics, b""),), Wei(1))
        batch.update(index_rows(LoggedBlock(BlockNumber(number), UNKNOWN, 1, (UNKNOWN,), (receipt,))))
    keyvalue.write(batch)
    search = LogSearch(keyvalue, _query(1, 1000, (NOBODY,), ((UNKNOWN,),)), BlockNumber(1000))
    assert [log.number for log in unpack_found_logs(run(search.run()))] == [250, 500, 750, 1000]
    assert keyvalue.walked < ROWS_A_STEP + 100


def test_data_that_is_not_copied_is_bounded_in_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = RandomChain(1)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    for _ in range(2):
        store.apply(_with_logs(chain.next(store.head.hash), Log(BUSY, (), bytes(COPIED_DATA_BYTES + 1))))
    monkeypatch.setattr(storage.log_search, "MAX_LARGE_DATA_BYTES", 2 * (COPIED_DATA_BYTES + 1))
    assert run(store.logs(_query(addresses=(BUSY,), last=2))).count == 2
    monkeypatch.setattr(storage.log_search, "MAX_LARGE_DATA_BYTES", 2 * COPIED_DATA_BYTES)
    with pytest.raises(TooManyLogBytes, match="more than 2048 bytes of data"):
        run(store.logs(_query(addresses=(BUSY,), last=2)))


def test_of_many_logs_whose_data_is_not_copied_each_receipt_is_read_once() -> None:
    keyvalue, chain = CountedReads(), RandomChain(1)
    store, transactions = Store.open(keyvalue, chain.genesis), 0
    for number in range(1, 5):
        block = chain.next(store.head.hash)
        receipts = tuple(
            replace(receipt, logs=tuple(Log(BUSY, (), bytes((number, at, copy)) * 400) for copy in range(5)))
            for at, receipt in enumerate(block.receipts)
        )
        store.apply(replace(block, receipts=receipts))
        transactions += len(receipts)
    query = _query(1, 4, (BUSY,))
    keyvalue.seeks = 0
    found = _found(store, query)
    assert keyvalue.seeks == 1 + transactions
    assert transactions > 8
    assert found == _by_looking_at_every_log(store, query)
