"""The execution process between its links: validators, storage, rpc and workers."""

import asyncio
from dataclasses import replace

import pytest

from chain.links import RequestFailed
from chain.messages.execution import ExecutionStatus, FollowBlocks, ReadExecutionStatus
from chain.messages.link import Done
from chain.messages.mempool import CatchingUp, Committed, SenderHints
from chain.messages.tasks import FollowTasks
from chain.proposals import encode_proposal
from chain.types import Hash32, Height
from execution.history import KEPT_BLOCKS
from execution.intake import WINDOW, ProposalsForked
from tests.execution.process_world import OF, Rpc, transfer, world
from tests.execution.world import proposal, turns


async def test_a_block_committed_by_more_than_a_third_is_executed_once_and_told_to_everybody() -> None:
    async with world() as w:
        rpc = Rpc()
        assert await w.process.answer(FollowBlocks(Height(0)), rpc) == Done()
        w.commit(transfer(0), only=range(1))
        await turns()
        assert w.blocks == []
        w.validators[2].commit(w.validators[0].committed[0])
        await w.reach(1)
        await w.until(lambda: all(validator.results for validator in w.validators) and bool(rpc.news))
        (news,) = w.blocks
        assert rpc.news == [news]
        assert news.included == (transfer(0).hash,)
        assert (news.hash, news.committed) == (w.storage.head.hash, 1)
        for validator in w.validators:
            (result,) = validator.results
            assert (result.height, result.header_hash) == (1, news.hash)
            assert result.proposal == w.proposals[0].id
            assert result.next_base_fee == news.next_base_fee


async def test_a_restart_goes_on_at_the_cursor_in_storage_and_tells_followers_what_it_told_before() -> None:
    async with world() as w:
        for nonce in range(6):
            w.commit(transfer(nonce))
        await w.reach(6)
        before = list(w.blocks)
        storage, proposals = w.storage, w.proposals
    async with world(storage) as again:
        again.proposals = proposals
        rpc = Rpc()
        await again.process.answer(FollowBlocks(Height(1)), rpc)
        assert again.validators[0].follows == [proposals[-1].id]
        again.commit(transfer(6))
        await again.reach(7)
        await again.until(lambda: len(rpc.news) == 6)
        retold = [replace(news, committed=Height(0)) for news in rpc.news[:-1]]
        assert retold == [replace(news, committed=Height(0), block=None) for news in before[1:]]


async def test_each_validator_says_itself_which_results_it_lacks_after_execution_was_restarted() -> None:
    async with world() as w:
        for nonce in range(20):
            w.commit(transfer(nonce))
        await w.reach(20)
        await w.until(lambda: all(len(validator.results) == 20 for validator in w.validators))
        storage, told = w.storage, w.validators[0].results
    async with world(storage) as again:
        has = (20, 19, 7, 0)
        for validator, newest in zip(again.validators, has, strict=True):
            validator.results = told[:newest]
            validator.asked.clear()
        await again.until(lambda: all(len(validator.results) == 20 for validator in again.validators))
        assert all(validator.results == told for validator in again.validators)
        for validator, newest in zip(again.validators, has, strict=True):
            lacking = list(range(newest + 1, 21))
            assert [number for number in validator.asked if number < 20] == [n for n in lacking if n < 20]


async def test_a_validator_that_was_away_gets_every_result_it_missed() -> None:
    async with world() as w:
        away = w.validators[3]
        away.there.clear()
        for nonce in range(5):
            w.commit(transfer(nonce), only=range(3))
        await w.reach(5)
        assert away.results == []
        away.there.set()
        await w.until(lambda: len(away.results) == 5)
        assert away.asked[-5:] == [1, 2, 3, 4, 5]


async def test_a_validator_that_lost_its_newest_results_is_found_out_when_it_connects() -> None:
    async with world() as w:
        for nonce in range(5):
            w.commit(transfer(nonce))
        await w.until(lambda: all(len(validator.results) == 5 for validator in w.validators))
        lossy = w.validators[2]
        told, lossy.results = lossy.results, lossy.results[:2]
        lossy.reconnect()
        await w.until(lambda: lossy.results == told)


async def test_one_validator_with_everything_to_catch_up_with_holds_up_nobody() -> None:
    async with world() as w:
        new = w.validators[3]
        new.there.clear()
        for nonce in range(KEPT_BLOCKS + 20):
            w.commit(transfer(nonce), only=range(3))
        await w.reach(KEPT_BLOCKS + 20)
        await w.until(lambda: all(len(validator.results) == KEPT_BLOCKS + 20 for validator in w.validators[:3]))
        new.there.set()
        await w.until(lambda: len(new.results) > 0)
        w.commit(transfer(KEPT_BLOCKS + 20), only=range(3))
        await w.until(lambda: all(len(validator.results) == KEPT_BLOCKS + 21 for validator in w.validators[:3]))
        assert len(new.results) < KEPT_BLOCKS
        await w.until(lambda: new.results == w.validators[0].results)


async def test_a_result_that_cannot_be_made_again_is_said_once_and_the_others_go_on() -> None:
    async with world() as w:
        for nonce in range(3):
            w.commit(transfer(nonce))
        await w.until(lambda: all(len(validator.results) == 3 for validator in w.validators))
        storage, told, proposals = w.storage, w.validators[0].results, w.proposals
    del storage.blocks[2]
    async with world(storage) as again:
        again.proposals = proposals
        for validator in again.validators:
            validator.results = list(told)
        again.validators[1].results = told[:1]
        await again.until(lambda: bool(again.troubles))
        again.commit(transfer(3))
        await again.until(lambda: len(again.validators[3].results) == 4)
        (trouble,) = again.troubles
        assert "validator 1 lacks the result of height 2" in trouble
        assert "restored from a backup" in trouble
        again.validators[1].results = list(told)
        again.validators[1].reconnect()
        await again.until(lambda: len(again.validators[1].results) == 4)


async def test_a_refused_result_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.announcers.RETRY_AFTER_S", 0.001)
    async with world() as w:
        w.validators[1].refusals = 2
        w.commit(transfer(0))
        await w.until(lambda: len(w.validators[1].results) == 1)


async def test_blocks_are_executed_while_storage_still_applies_an_earlier_one_but_only_a_few() -> None:
    async with world() as w:
        w.storage.gate.clear()
        for nonce in range(10):
            w.commit(transfer(nonce))
        await turns()
        assert w.process._running.result().pipeline.newest == 5
        assert w.blocks == []
        w.storage.gate.set()
        await w.reach(10)


@pytest.mark.parametrize("error", ["DiskFull", "RemoteUnavailable", "RemoteLacksState"])
async def test_what_somebody_can_mend_pauses_the_chain_and_is_told_once(error: str) -> None:
    async with world() as w:
        w.process._storage._pause_s = 0.001
        w.storage.refusals = [RequestFailed(error, "no room")] * 3
        w.commit(transfer(0))
        await w.reach(1)
        assert w.troubles == ["no room"]


async def test_what_passes_by_itself_pauses_the_chain_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        w.process._storage._pause_s = 0.001
        w.storage.refusals = [RequestFailed("StorageClosed", "closed")] * 3
        w.commit(transfer(0))
        await w.reach(1)
        assert w.troubles == []
    assert caplog.text.count("storage is going down, the chain waits for it") == 3


async def test_another_refusal_of_storage_stops_the_process() -> None:
    async with world() as w:
        w.storage.refusals = [RequestFailed("OtherProposalApplied", "history differs")]
        w.commit(transfer(0))
        with pytest.raises(RequestFailed, match="history differs"):
            await asyncio.wait_for(w.running, 60)


async def test_validators_of_another_chain_stop_the_process() -> None:
    async with world() as w:
        strange = proposal(1, Hash32(b"\x66" * 32), [])
        for validator in w.validators[:2]:
            validator.commit(Committed(strange.height, strange.id, strange.parent, encode_proposal(strange)))
        with pytest.raises(ProposalsForked):
            await asyncio.wait_for(w.running, 60)


async def test_one_lying_validator_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    async with world() as w:
        made = w.commit(transfer(0), only=range(1, 4))
        lie = Committed(made.height, made.id, OF.id(), b"not the proposal")
        w.validators[0].commit(lie)
        await w.reach(1)
    assert "validator 0 sent height 1, which is not" in caplog.text


async def test_claims_far_ahead_wait_instead_of_piling_up() -> None:
    async with world() as w:
        w.storage.gate.clear()
        for nonce in range(WINDOW + 20):
            w.commit(transfer(nonce))
        await turns()
        status = await w.process.answer(ReadExecutionStatus(), Rpc())
        assert isinstance(status, ExecutionStatus)
        assert status.committed == w.process._running.result().pipeline.newest + WINDOW
        w.storage.gate.set()
        await w.reach(WINDOW + 20)


async def test_hinted_senders_are_not_recovered() -> None:
    async with world() as w:
        tx = transfer(0)
        w.process.hear(SenderHints(((tx.hash, tx.sender()),)), Rpc())
        w.commit(tx)
        await w.reach(1)
        w.commit(transfer(1))
        await w.reach(2)
        status = await w.process.answer(ReadExecutionStatus(), Rpc())
        assert isinstance(status, ExecutionStatus)
        assert status.counters["recovered_senders"] == 1
        assert status.executed == 2


async def test_a_follower_that_takes_no_more_follows_anew_from_its_cursor() -> None:
    async with world() as w:
        slow = Rpc(room=2)
        await w.process.answer(FollowBlocks(Height(0)), slow)
        for nonce in range(4):
            w.commit(transfer(nonce))
        await w.reach(4)
        assert [news.number for news in slow.news] == [1, 2]
        slow.room = 1000
        await w.process.answer(FollowBlocks(Height(2)), slow)
        await w.until(lambda: len(slow.news) == 4)


async def test_workers_are_counted_from_when_they_follow_until_they_leave() -> None:
    async with world() as w:
        worker = Rpc()

        async def workers() -> int:
            status = await w.process.answer(ReadExecutionStatus(), worker)
            assert isinstance(status, ExecutionStatus)
            return status.workers

        w.process.joined(worker)
        assert await workers() == 0
        await w.process.answer(FollowTasks(), worker)
        assert await workers() == 1
        w.process.left(worker)
        assert await workers() == 0


async def test_validators_that_lost_what_was_executed_are_named_on_the_terminal_and_in_the_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("execution.lost_blocks.LostBlocks.__init__.__defaults__", (0.0,))
    async with world() as w:
        w.commit(transfer(0))
        await w.reach(1)
        for validator in w.validators:
            assert validator._take is not None
            await validator._take(CatchingUp(Height(0), done=False))
        await w.until(lambda: bool(w.troubles))
        status = await w.process.answer(ReadExecutionStatus(), Rpc())
        assert isinstance(status, ExecutionStatus)
        assert [status.stalled] == w.troubles
        for validator in w.validators[:2]:
            validator.reconnect()
        status = await w.process.answer(ReadExecutionStatus(), Rpc())
        assert isinstance(status, ExecutionStatus)
        assert status.stalled == ""
