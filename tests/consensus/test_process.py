"""The validator process over links that the test holds, on the real event loop, with real signatures."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chain.keccak import keccak256
from chain.links import LinkClosed
from chain.messages.faults import Equivocate
from chain.messages.link import Done
from chain.messages.mempool import (
    Admitted,
    BlockResult,
    ConsensusNews,
    Evicted,
    FollowCommits,
    FollowConsensus,
    MempoolPage,
    ReadMempool,
    ResultsTaken,
)
from chain.messages.watching import BlockStage, BlockStages, ConsensusView, ReadConsensus, WatchBlocks
from chain.proposals import decode_proposal
from chain.types import ZERO_HASH, ExecutorIndex, Gas, Height, ValidatorIndex, Wei
from consensus.errors import NotAValidator, UnknownRequest
from consensus.executors import WINDOW
from consensus.process import ValidatorProcess
from consensus.settings import ConsensusSettings
from tests.consensus.builders import GWEI, CrashableDatabase, transfer
from tests.consensus.processes import KEYS, Follower, LoopbackPeers, admit, genesis_of, result_of


async def test_four_validators_commit_execute_and_verify_a_transaction(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    processes = chain(4)
    transaction = transfer(0, 0)
    commits, news = Follower(), Follower()
    await processes[3].answer(FollowCommits(genesis_of(4).id()), commits)
    await processes[3].answer(FollowConsensus(), news)
    answers = [await process.answer(admit(transaction), commits) for process in processes]
    assert answers == [Admitted(())] * 4
    committed = await commits.next()
    assert decode_proposal(committed.proposal).transactions == (transaction.raw,)
    assert (committed.height, committed.after) == (1, genesis_of(4).id())
    for process in processes:
        assert await process.answer(result_of(committed, transaction), commits) == ResultsTaken(Height(1))
    seen: ConsensusNews = await news.next()
    while seen.verified < 1:
        seen = await news.next()
    assert (seen.validator, seen.committed, seen.executed, seen.mempool_transactions) == (3, 1, 1, 0)
    assert all(process.rejections() == {} for process in processes)


async def test_a_chain_goes_on_while_a_validator_lies_on_request_and_all_have_one_ledger(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    processes = chain(4)
    commits = [Follower() for _ in processes]
    for process, follower in zip(processes, commits, strict=True):
        await process.answer(FollowCommits(genesis_of(4).id()), follower)
    assert processes[1].status().equivocating_turns == 0
    await processes[1].answer(Equivocate(3), commits[1])
    assert processes[1].status().equivocating_turns == 3
    for nonce in range(3):
        transaction = transfer(0, nonce)
        for process in processes:
            await process.answer(admit(transaction), commits[0])
        heard = [await follower.next() for follower in commits]
        assert len({committed.id for committed in heard}) == 1
        included = transaction if transaction.raw in decode_proposal(heard[0].proposal).transactions else None
        for process in processes:
            await process.answer(result_of(heard[0], *([included] if included else [])), commits[0])
    assert processes[1].status().equivocating_turns < 3
    assert (1, "Equivocation") in processes[2].rejections()


async def test_an_idle_validator_has_nothing_scheduled(chain: Callable[[int], list[ValidatorProcess]]) -> None:
    processes = chain(4)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(process._turn is None and not process._timers for process in processes)


async def test_a_follower_gets_what_was_committed_before_it_came_and_from_its_cursor(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    (process,) = chain(1)
    first, ids = Follower(), [genesis_of(1).id()]
    await process.answer(FollowCommits(ids[0]), first)
    for nonce in range(3):
        await process.answer(admit(transfer(0, nonce)), first)
        committed = await first.next()
        ids.append(committed.id)
        await process.answer(result_of(committed, transfer(0, nonce)), first)
    late = Follower()
    await process.answer(FollowCommits(ids[1]), late)
    assert [(await late.next()).id for _ in range(2)] == ids[2:]


async def test_a_result_that_leaves_a_gap_is_not_taken_and_the_answer_says_where_to_go_on() -> None:
    database, genesis = CrashableDatabase(), genesis_of(1)
    transaction = transfer(0, 0)
    process = ValidatorProcess(ValidatorIndex(0), genesis, KEYS[0], database, LoopbackPeers(0, []))
    process.start()
    commits = Follower()
    await process.answer(FollowCommits(genesis.id()), commits)
    await process.answer(admit(transaction), commits)
    first = result_of(await commits.next(), transaction)
    third = replace(first, height=Height(3), included=(), senders=())
    assert await process.answer(third, commits) == ResultsTaken(Height(0))
    assert process.status().executed == 0
    for _ in range(2):
        assert await process.answer(first, commits) == ResultsTaken(Height(1))
    await process.close()
    again = ValidatorProcess(ValidatorIndex(0), genesis, KEYS[0], database, LoopbackPeers(0, []))
    again.start()
    assert await again.answer(third, commits) == ResultsTaken(Height(1))
    assert again.status().mempool_transactions == 0
    await again.close()


async def test_why_a_transaction_was_given_up_is_told_after_a_restart() -> None:
    database, genesis = CrashableDatabase(), genesis_of(1)
    cheap = transfer(0, 1)  # the gap keeps it waiting
    dear = transfer(0, 1, tip=2 * GWEI, max_fee=40 * GWEI)
    process = ValidatorProcess(ValidatorIndex(0), genesis, KEYS[0], database, LoopbackPeers(0, []))
    process.start()
    for transaction in (cheap, dear):
        await process.answer(admit(transaction), Follower())
    await process.close()
    again, follower = ValidatorProcess(ValidatorIndex(0), genesis, KEYS[0], database, LoopbackPeers(0, [])), Follower()
    again.start()
    await again.answer(FollowConsensus(), follower)
    assert isinstance(await follower.next(), ConsensusNews)
    assert await follower.next() == Evicted(cheap.hash, f"replaced by 0x{dear.hash.hex()}")
    await again.close()


async def test_a_mempool_is_read_in_pages_and_survives_a_restart() -> None:
    database, genesis = CrashableDatabase(), genesis_of(1)
    transactions = [transfer(0, nonce) for nonce in range(1, 4)]  # the gap keeps them waiting
    for life in range(2):
        process = ValidatorProcess(ValidatorIndex(0), genesis, KEYS[0], database, LoopbackPeers(0, []))
        process.start()
        if life == 0:
            await process.answer(admit(*transactions), Follower())
        page = await process.answer(ReadMempool(b""), Follower())
        assert page == MempoolPage(tuple(sorted(transactions, key=lambda tx: tx.hash)), more=False)
        await process.close()


async def test_a_closed_validator_fails_what_is_asked_of_it(chain: Callable[[int], list[ValidatorProcess]]) -> None:
    (process,) = chain(1)
    waiting = asyncio.ensure_future(process.answer(admit(transfer(0, 0)), Follower()))
    await asyncio.sleep(0)
    await process.close()
    with pytest.raises(LinkClosed):
        await waiting
    with pytest.raises(LinkClosed):
        await process.answer(admit(transfer(0, 0)), Follower())


async def test_an_unknown_request_is_refused(chain: Callable[[int], list[ValidatorProcess]]) -> None:
    (process,) = chain(1)
    with pytest.raises(UnknownRequest, match="Done"):
        await process.answer(Done(), Follower())


async def test_a_key_that_genesis_does_not_name_is_refused() -> None:
    with pytest.raises(NotAValidator, match=r"validator 1 .* put back the key"):
        ValidatorProcess(ValidatorIndex(1), genesis_of(4), KEYS[0], CrashableDatabase(), LoopbackPeers(1, []))


async def test_a_disk_that_fails_stops_the_validator_before_anything_leaves() -> None:
    class FailingDatabase(CrashableDatabase):
        broken = False

        def write(self, batch: Any, sync: bool = True) -> None:
            if self.broken and sync:
                raise OSError("no space left")
            super().write(batch, sync)

    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    database, sent = FailingDatabase(), []
    peers = LoopbackPeers(1, [])
    peers.send = lambda to, message: sent.append(message)  # type: ignore[method-assign]
    process = ValidatorProcess(ValidatorIndex(1), genesis_of(4), KEYS[1], database, peers)
    process.start()
    await asyncio.sleep(0.01)
    database.broken = True
    with pytest.raises(LinkClosed):
        await process.answer(admit(transfer(0, 0)), Follower())
    assert [type(context["exception"]) for context in failures] == [OSError]
    assert sent == []
    await process.close()


class Executor(Follower):
    def __init__(self, index: int) -> None:
        super().__init__()
        self.name = f"execution-{index}"


async def test_an_executor_far_ahead_of_the_other_waits_for_its_answer() -> None:
    settings = ConsensusSettings(executors=2)
    process = ValidatorProcess(
        ValidatorIndex(0),
        genesis_of(1),
        KEYS[0],
        CrashableDatabase(),
        LoopbackPeers(0, []),
        settings,
        executor_of=lambda name: ExecutorIndex(int(name.removeprefix("execution-"))),
    )
    process.start()
    results = [
        BlockResult(Height(n), ZERO_HASH, keccak256(b"%d" % n), Gas(1), Wei(GWEI), (), (), ())
        for n in range(1, WINDOW + 2)
    ]
    fast, slow = Executor(0), Executor(1)
    for result in results[:-1]:
        assert await process.answer(result, fast) == ResultsTaken(result.height)
    waiting = asyncio.ensure_future(process.answer(results[-1], fast))
    again = asyncio.ensure_future(process.answer(results[-1], fast))
    await asyncio.wait([waiting], timeout=60)
    assert waiting.result() == ResultsTaken(results[-1].height), "the newer request answers the older one"
    assert not again.done()
    assert await process.answer(results[0], slow) == ResultsTaken(results[0].height)
    assert await asyncio.wait_for(again, 60) == ResultsTaken(results[-1].height)
    assert process.status().executed == 1
    await process.close()


async def test_a_watcher_is_told_of_every_stage_as_it_is_reached_and_nobody_else_is(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    (process,) = chain(1)
    watcher, other, commits = Follower(), Follower(), Follower()
    for follower in (watcher, other):
        await process.answer(FollowConsensus(), follower)
    await process.answer(WatchBlocks(Height(0)), watcher)
    await process.answer(FollowCommits(genesis_of(1).id()), commits)
    await process.answer(admit(transfer(0, 0)), commits)
    await process.answer(result_of(await commits.next(), transfer(0, 0)), commits)
    reached: list[BlockStage] = []
    while BlockStage.VERIFIED not in reached:
        news = await watcher.next()
        if isinstance(news, BlockStages):
            reached += [one.stage for one in news.reached]
    assert reached == list(BlockStage)[:4]
    await process.answer(WatchBlocks(None), watcher)
    await process.answer(admit(transfer(0, 1)), commits)
    await commits.next()
    seen = [watcher.pushed.get_nowait() for _ in range(watcher.pushed.qsize())]
    seen += [other.pushed.get_nowait() for _ in range(other.pushed.qsize())]
    assert not any(isinstance(news, BlockStages) for news in seen)


async def test_certificates_and_their_signers_are_told_when_asked(
    chain: Callable[[int], list[ValidatorProcess]],
) -> None:
    processes = chain(4)
    commits = Follower()
    await processes[0].answer(FollowCommits(genesis_of(4).id()), commits)
    for process in processes:
        await process.answer(admit(transfer(0, 0)), commits)
    await commits.next()
    view = await processes[0].answer(ReadConsensus(), commits)
    assert isinstance(view, ConsensusView)
    assert view.suspected == ()
    assert [(c.round, c.timeout, c.height) for c in view.certificates[:2]] == [(1, False, 1), (2, False, 1)]
    assert all(len(certificate.signers) == 3 for certificate in view.certificates)
