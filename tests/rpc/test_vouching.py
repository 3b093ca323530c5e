"""What is safe and final counts by hash: a wrong executor's blocks never are."""

import asyncio
from dataclasses import replace

import pytest

from chain.messages.executors import ExecutorsVerdict
from chain.messages.mempool import ConsensusNews, ExecutorsNews, WrongExecutor
from chain.messages.storage import ReadHeight
from chain.types import ExecutorIndex, Hash32, Height, ValidatorIndex
from rpc.chain_view import ChainView
from rpc.executor_watch import ExecutorWatch
from rpc.params import BlockTag
from rpc.vouching import MAX_WAITING, Vouching
from tests.rpc.client import Client
from tests.rpc.fake_chain import FakeChain
from tests.rpc.fake_neighbours import consensus_news

OTHER = Hash32(b"o" * 32)


async def view_of(chain: FakeChain, executors: int = 2) -> ChainView:
    view = ChainView(chain.storage, chain.genesis, executors)
    await view.open()
    return view


async def say(view: ChainView, chain: FakeChain, number: int, hash: Hash32 | None = None) -> None:
    """Two of the four validators tell of a block that is executed and verified."""
    vouched = chain.blocks[number].hash if hash is None else hash
    for validator in (0, 1):
        news = consensus_news(validator, number, vouched)
        await view.consensus_changed(replace(news, executed=Height(number), executed_hash=vouched))


def tags(view: ChainView) -> tuple[int, int, int]:
    return view.height, view.resolve(BlockTag.SAFE), view.resolve(BlockTag.FINALIZED)


async def test_with_several_executors_safe_is_what_they_agree_on(chain: FakeChain) -> None:
    chain.append()
    chain.append()
    view = await view_of(chain)
    assert tags(view) == (2, 0, 0)
    await say(view, chain, 1)
    assert tags(view) == (2, 1, 1)


async def test_with_one_executor_safe_is_the_latest_block(chain: FakeChain) -> None:
    chain.append()
    assert tags(await view_of(chain, executors=1)) == (1, 1, 0)


async def test_a_block_of_another_hash_than_the_agreed_one_is_never_safe_or_final(chain: FakeChain) -> None:
    chain.append()
    chain.append()
    view = await view_of(chain)
    await say(view, chain, 1)
    await say(view, chain, 2, OTHER)
    chain.append()
    await view.height_executed(chain.news())
    await say(view, chain, 3, OTHER)
    assert tags(view) == (3, 1, 1)


async def test_what_is_said_of_a_block_not_served_yet_counts_when_it_is(chain: FakeChain) -> None:
    view = await view_of(chain)
    chain.append()
    await say(view, chain, 1)
    assert tags(view) == (0, 0, 0)
    await view.height_executed(chain.news())
    assert tags(view) == (1, 1, 1)


async def test_a_block_that_is_not_in_memory_is_compared_from_storage(chain: FakeChain) -> None:
    for _ in range(3):
        chain.append()
    view = await view_of(chain)
    chain.storage.asked.clear()
    await say(view, chain, 1)
    assert tags(view) == (3, 1, 1)
    assert {type(asked) for asked in chain.storage.asked} == {ReadHeight}


async def test_what_waits_of_one_validator_is_bounded() -> None:
    asked: list[Height] = []

    async def hash_of(number: Height) -> Hash32:
        asked.append(number)
        return OTHER

    vouching = Vouching([1], hash_of)
    for number in range(1, MAX_WAITING + 11):
        await vouching.said(ValidatorIndex(0), Height(number), Hash32(bytes(32)), Height(0))
    assert asked == []
    await vouching.served(Height(10**6))
    assert asked == list(range(MAX_WAITING + 10, 10, -1))
    assert vouching.height == 0


def wrong(executor: int) -> WrongExecutor:
    return WrongExecutor(ExecutorIndex(executor), Height(7), OTHER, OTHER, by_majority=True)


def finding(validator: int, wanted: int, disputed: int, *found: WrongExecutor) -> ConsensusNews:
    executors = ExecutorsNews(wanted, Height(disputed), found)
    return replace(consensus_news(validator, verified=0), executors=executors)


async def watch_of(chain: FakeChain, *news: ConsensusNews) -> ExecutorWatch:
    view = await view_of(chain)
    watch = ExecutorWatch(chain.genesis, view, chain.processes, 2)
    for told in news:
        await view.consensus_changed(told)
        watch.consensus_changed()
        await turns()
    return watch


async def turns() -> None:
    """What was started does what it can do at once."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_validator_alone_cannot_have_an_executor_stopped(chain: FakeChain) -> None:
    watch = await watch_of(chain, finding(0, 4, 7, wrong(1)))
    assert watch.verdict == ExecutorsVerdict(2, Height(0), ())
    assert chain.processes.verdicts == []


async def test_what_more_than_a_third_of_the_stake_finds_is_told_once(chain: FakeChain) -> None:
    disputing = [finding(validator, 3, 7) for validator in range(4)]
    naming = [finding(validator, 3, 0, wrong(1)) for validator in range(4)]
    watch = await watch_of(chain, *disputing, *naming, *naming)
    assert watch.verdict == ExecutorsVerdict(3, Height(0), (wrong(1),))
    told = chain.processes.verdicts
    assert told[0] == ExecutorsVerdict(3, Height(7), ())
    assert told[-1] == watch.verdict
    assert len(told) == len(set(told))


async def test_a_finding_is_told_again_until_it_is_taken(chain: FakeChain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpc.executor_watch.TELL_AGAIN_AFTER_S", 0)
    chain.processes.failures = 2
    watch = await watch_of(chain, finding(0, 3, 7), finding(1, 3, 7))
    await turns()
    assert chain.processes.failures == 0
    assert chain.processes.verdicts == [watch.verdict]
    await watch.close()


async def test_the_status_names_a_wrong_executor(chain: FakeChain, client: Client) -> None:
    for validator in (0, 1):
        await chain.validator(validator).tell(finding(validator, 3, 0, wrong(1)))
    found = (await client.result("tandem_status"))["executors"]
    said = "0x" + OTHER.hex()
    assert found["wrong"] == [{"index": 1, "block": 7, "said": said, "expected": said}]
