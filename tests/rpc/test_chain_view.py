"""The head, what is kept of it in memory, and what moves it."""

import asyncio
from dataclasses import replace

import orjson
import pytest

import rpc.chain_view
from chain.messages import Message
from chain.messages.execution import FollowBlocks
from chain.messages.logs import ReadLogs
from chain.messages.mempool import Evicted, FollowConsensus
from chain.messages.storage import ReadBlock, ReadHeight, ReadTransaction, StoredBlock, StoredHeight
from chain.receipts import Log
from chain.types import ZERO_HASH, BlockNumber, Hash32, Height, Wei
from rpc.chain_view import ChainView
from rpc.errors import HeaderNotFound
from rpc.process import RpcProcess
from rpc.recent_blocks import RecentBlocks
from rpc.render import data_json
from rpc.rendered_logs import array_of
from rpc.vouching import highest_agreed
from tests.rpc.fake_chain import ALICE, BOB, ETHER, TOKEN, FakeChain, transfer
from tests.rpc.fake_neighbours import consensus_news


async def test_the_head_stays_until_storage_has_answered_with_the_block(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    block = chain.append(transfer(0))
    seen: list[BlockNumber] = []
    answer = chain.storage._answer

    def watch(message: Message) -> Message:
        seen.append(view.number)
        return answer(message)

    chain.storage._answer = watch
    assert await view.transaction(block.hashes[0]) is None  # storage has it, the head has not
    await view.height_executed(chain.news())
    assert seen == [0, 0]
    assert view.number == 1
    assert await view.transaction(block.hashes[0]) is not None


async def test_a_block_that_comes_with_its_news_is_the_head_without_another_read(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    block = chain.append(transfer(0))
    chain.storage.asked.clear()
    change = await view.height_executed(replace(chain.news(), block=block))
    assert chain.storage.asked == []
    assert (view.head, change.head) == (block, block)


@pytest.fixture
def logs_from_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the newest blocks, too."""
    monkeypatch.setattr(rpc.chain_view, "LOGS_LOOKED_THROUGH", -1)


@pytest.mark.usefixtures("logs_from_storage")
async def test_logs_are_searched_for_once_until_blocks_are_taken_back(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    query = ReadLogs(BlockNumber(0), BlockNumber(1), (TOKEN,), (), 100)

    def searches() -> int:
        return sum(isinstance(message, ReadLogs) for message in chain.storage.asked)

    async def data_of(query: ReadLogs) -> list[str]:
        return [log["data"] for log in orjson.loads(orjson.dumps(array_of(await view.logs(query))))]

    for data in (b"\x01", b"\x02"):
        chain.append(transfer(0), logs=[Log(TOKEN, (), data)])
        await view.height_executed(chain.news())
        for _ in range(2):
            assert await data_of(query) == [data_json(data)]
        chain.append()
        await view.height_executed(chain.news())
        assert await data_of(query) == [data_json(data)]
        chain.revert_to(0)
        await view.height_executed(replace(chain.news(), reverted=True))
    assert searches() == 2


@pytest.mark.usefixtures("logs_from_storage")
async def test_a_search_that_blocks_are_taken_back_under_is_not_kept(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    chain.append(transfer(0), logs=[Log(TOKEN, (), b"\x01")])
    await view.height_executed(chain.news())
    request, go_on = chain.storage.request, asyncio.Event()

    async def answer_late(message: Message, timeout_s: float | None = None) -> Message:
        answer = await request(message, timeout_s)
        if isinstance(message, ReadLogs):
            await go_on.wait()
        return answer

    monkeypatch.setattr(chain.storage, "request", answer_late)
    query = ReadLogs(BlockNumber(0), BlockNumber(1), (), (), 100)
    late = asyncio.ensure_future(view.logs(query))
    await asyncio.sleep(0)
    chain.revert_to(0)
    await view.height_executed(replace(chain.news(), reverted=True))
    go_on.set()
    assert (await late).count == 1
    assert (await view.logs(query)).count == 0


async def test_few_logs_of_the_newest_blocks_are_found_without_storage_and_are_the_same(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = ChainView(chain.storage, chain.genesis), ChainView(chain.storage, chain.genesis)
    topics = [Hash32(bytes([number]) * 32) for number in range(3)]
    logs = [Log(emitter, tuple(topics[:count]), b"") for emitter in (TOKEN, ALICE) for count in range(4)]
    for number in range(8):
        chain.append(transfer(number), logs=logs[number:])
    here._recent = RecentBlocks(max_blocks=6)
    for view in (here, there):
        await view.open()
        for block in chain.blocks[1:]:
            await view.height_executed(replace(chain.news(), number=block.header.number, hash=block.hash, block=block))
    for first, last, addresses, wanted, limit in (
        (3, 8, (), (), 100),
        (3, 8, (TOKEN,), (), 100),
        (4, 7, (TOKEN, ALICE), ((topics[0],), (), (topics[1], topics[2])), 100),
        (8, 8, (), ((),), 100),
        (3, 3, (BOB,), (), 100),
        (2, 8, (), (), 100),
        (3, 9, (), (), 100),
        (3, 8, (TOKEN,), (), 20),
    ):
        query = ReadLogs(BlockNumber(first), BlockNumber(last), addresses, wanted, limit)
        chain.storage.asked.clear()
        monkeypatch.setattr(rpc.chain_view, "LOGS_LOOKED_THROUGH", 512)
        found = await here.logs(query)
        assert (chain.storage.asked == []) == (first >= 3 and last <= 8 and limit == 100)
        monkeypatch.setattr(rpc.chain_view, "LOGS_LOOKED_THROUGH", -1)
        assert orjson.dumps(array_of(found)) == orjson.dumps(array_of(await there.logs(query)))


def stored_height(height: int, block: StoredBlock) -> StoredHeight:
    """Of an operation that made no block."""
    number, version = block.header.number, block.version
    return StoredHeight(Height(height), number, block.hash, version, ZERO_HASH, ZERO_HASH, 0, undone=False)


async def test_a_version_read_while_the_chain_goes_back_is_not_kept(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nonce in range(3):
        chain.append(transfer(nonce))
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    request, go_on = chain.storage.request, asyncio.Event()

    async def answer_late(message: Message, timeout_s: float | None = None) -> Message:
        answer = await request(message, timeout_s)
        if message == ReadBlock(BlockNumber(1), None, with_receipts=False):
            await go_on.wait()
        return answer

    monkeypatch.setattr(chain.storage, "request", answer_late)
    old = asyncio.ensure_future(view.version(BlockNumber(1)))
    await asyncio.sleep(0)
    chain.revert_to(0)
    await view.height_executed(replace(chain.news(), reverted=True))
    block = chain.append(transfer(0, value=5))
    await view.height_executed(chain.news())
    go_on.set()
    assert await old != block.version
    assert await view.version(BlockNumber(1)) == block.version


async def test_a_block_in_the_place_of_one_that_was_final_is_final_once_it_is_verified_itself(
    chain: FakeChain,
) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    for nonce in range(3):
        chain.append(transfer(nonce))
        await view.height_executed(chain.news())
    for validator in range(4):
        await view.consensus_changed(consensus_news(validator, verified=3, verified_hash=chain.head.hash))
    assert view.finalized == 3
    chain.revert_to(1)
    answer, back = chain.storage._answer, stored_height(4, chain.head)
    chain.storage._answer = lambda message: back if message == ReadHeight(Height(4)) else answer(message)
    await view.height_executed(replace(chain.news(), height=Height(4), blocks=0, reverted=True))
    for height in (5, 6):
        chain.append(transfer(height - 4, value=height))
        await view.height_executed(replace(chain.news(), height=Height(height)))
    assert (view.number, view.finalized) == (3, 1)
    for validator in range(4):
        await view.consensus_changed(consensus_news(validator, verified=6, verified_hash=chain.head.hash))
    assert view.finalized == 3


async def test_news_of_a_block_that_was_replaced_moves_nothing(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    chain.append(transfer(0))
    change = await view.height_executed(replace(chain.news(), hash=Hash32(bytes(32))))
    assert (change.head, change.added) == (None, ())
    assert view.number == 0


async def test_a_block_put_in_the_place_of_another_is_what_is_read_from_then_on(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    old = chain.append(transfer(0))
    await view.height_executed(chain.news())
    await view.account(BOB, BlockNumber(1))
    chain.append()
    await view.height_executed(chain.news())
    chain.revert_to(0)
    chain.append(transfer(0, value=5))
    await view.height_executed(chain.news())
    assert (await view.account(BOB, BlockNumber(1))).balance == 10_000 * ETHER + 5
    assert await view.block(old.hash) is None
    assert await view.transaction(old.hashes[0]) is None
    with pytest.raises(HeaderNotFound):
        await view.version(BlockNumber(2))


async def test_a_transaction_whose_block_comes_while_storage_says_no_is_found(
    chain: FakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    said_no, go_on = asyncio.Event(), asyncio.Event()
    request = chain.storage.request

    async def answer_late(message: Message, timeout_s: float | None = None) -> Message:
        answer = await request(message, timeout_s)
        if isinstance(message, ReadTransaction):
            said_no.set()
            await go_on.wait()
        return answer

    monkeypatch.setattr(chain.storage, "request", answer_late)
    asked = asyncio.ensure_future(view.transaction(transfer(0).hash))
    await said_no.wait()
    chain.append(transfer(0))
    await view.height_executed(chain.news())
    go_on.set()
    found = await asked
    assert found is not None
    assert found.header.number == 1


async def test_recent_blocks_and_cached_state_cost_storage_nothing(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    block = chain.append(transfer(0))
    await view.height_executed(chain.news())
    await view.account(ALICE, BlockNumber(1))
    chain.storage.asked.clear()
    await view.account(ALICE, BlockNumber(1))
    await view.transaction(block.hashes[0])
    await view.block(block.hash)
    await view.headers(BlockNumber(0), BlockNumber(1))
    assert chain.storage.asked == []


async def test_what_is_no_longer_in_memory_is_read_from_storage(chain: FakeChain) -> None:
    block = chain.append(transfer(0))
    chain.append()
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    chain.storage.asked.clear()
    assert (await view.existing_block(block.hash)).hash == block.hash
    assert await view.transaction(block.hashes[0]) is not None
    assert [header.number for header in await view.headers(BlockNumber(0), BlockNumber(2))] == [0, 1, 2]
    kinds = [type(message) for message in chain.storage.asked]
    assert kinds[:2] == [ReadBlock, ReadTransaction]


async def test_a_reader_that_is_cancelled_leaves_the_others_their_answer(chain: FakeChain) -> None:
    view = ChainView(chain.storage, chain.genesis)
    await view.open()
    first, second = (asyncio.create_task(view.account(ALICE, BlockNumber(0))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).balance == 10_000 * ETHER
    with pytest.raises(asyncio.CancelledError):
        await first


def test_recent_blocks_are_bounded_in_blocks_and_in_transactions() -> None:
    chain = FakeChain()
    recent = RecentBlocks(max_blocks=3, max_transactions=4)
    blocks = [chain.append(transfer(i)) for i in range(5)]
    for block in blocks:
        recent.add(block)
    assert [recent.by_number(BlockNumber(n)) is not None for n in range(1, 7)] == [
        False,
        False,
        True,
        True,
        True,
        False,
    ]
    assert recent.transaction(blocks[0].hashes[0]) is None
    assert recent.by_hash(blocks[0].hash) is None
    large = chain.append(*(transfer(i) for i in range(5, 9)))
    recent.add(large)
    assert recent.by_number(BlockNumber(5)) is None
    assert recent.by_number(BlockNumber(6)) is large
    recent.add(chain.append())
    assert recent.by_number(BlockNumber(6)) is large


def test_a_gap_in_the_news_forgets_what_came_before() -> None:
    chain = FakeChain()
    recent = RecentBlocks()
    first, _, third = chain.append(), chain.append(), chain.append()
    recent.add(first)
    recent.add(third)
    assert recent.by_number(BlockNumber(1)) is None
    assert recent.by_number(BlockNumber(2)) is None
    assert recent.by_number(BlockNumber(3)) is third


@pytest.mark.parametrize(
    ("said", "total_stake", "agreed"),
    [
        ([], 4, 0),
        ([(9, 1)], 4, 0),
        ([(9, 1)], 3, 0),
        ([(9, 1)], 2, 9),
        ([(9, 1), (5, 1)], 4, 5),
        ([(9, 1), (5, 1), (7, 1)], 4, 7),
        ([(3, 1), (3, 1), (3, 1), (9, 1)], 4, 3),
        ([(9, 2)], 4, 9),
    ],
)
def test_agreement_needs_more_than_a_third_of_the_stake(
    said: list[tuple[int, int]], total_stake: int, agreed: int
) -> None:
    assert highest_agreed([(BlockNumber(height), stake) for height, stake in said], total_stake) == agreed


async def test_the_process_follows_from_where_storage_stands(chain: FakeChain, process: RpcProcess) -> None:
    assert chain.execution.followed == FollowBlocks(Height(0))
    assert chain.validator(3).followed == FollowConsensus()


async def test_an_eviction_is_told_as_the_transactions_status(chain: FakeChain, process: RpcProcess) -> None:
    sent = transfer(0)
    await process.node.admission.submit(sent.raw)
    for validator in chain.validators.values():
        await validator.tell(Evicted(sent.hash, "nonce too low"))
    assert process.node.admission.pool.eviction(sent.hash) == "nonce too low"


async def test_an_included_transaction_has_left_the_pool(chain: FakeChain, process: RpcProcess) -> None:
    sent = transfer(0, value=Wei(3))
    await process.node.admission.submit(sent.raw)
    chain.append(sent)
    await chain.execution.tell(chain.news())
    assert sent.hash not in process.node.admission.pool
