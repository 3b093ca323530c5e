"""What a reader makes of several calls in one message."""

import pytest

from chain.messages.calls import RunCalls
from chain.types import Gas, Version
from execution import call_worker
from execution.call_views import CallViews
from execution.call_worker import CallRunner
from tests.execution.memory_storage import BlockingStorage, MemoryStorage
from tests.execution.test_equivalence import world_genesis
from tests.execution.test_workers import balance_of
from tests.execution.world import ADDRESSES, ENGINE


async def test_a_reader_answers_a_bundle_as_it_answers_each_call_alone() -> None:
    runner = CallRunner(lambda _: ENGINE, CallViews(BlockingStorage(MemoryStorage(world_genesis()))))
    asked = [balance_of(1, who) for who in ADDRESSES]
    broken = asked[0].call._replace(gas=Gas(21_900))
    calls = (*(each.call for each in asked), broken)
    together = runner.run_all(RunCalls(9, Version(1), asked[0].environment, calls, 60_000))
    alone = [runner.run(asked[0]._replace(call=call)) for call in calls]
    assert together == alone
    assert together[-1].error


async def test_a_reader_gives_back_what_would_not_fit_into_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_worker, "MAX_OUTPUT_BYTES", 40)
    runner = CallRunner(lambda _: ENGINE, CallViews(BlockingStorage(MemoryStorage(world_genesis()))))
    asked = balance_of(1, ADDRESSES[0])
    answer = runner.run_all(RunCalls(9, Version(1), asked.environment, (asked.call,) * 4, 60_000))
    assert [len(outcome.output) for outcome in answer] == [32, 32]


async def test_a_reader_gives_back_what_does_not_end_in_time() -> None:
    runner = CallRunner(lambda _: ENGINE, CallViews(BlockingStorage(MemoryStorage(world_genesis()))))
    asked = balance_of(1, ADDRESSES[0])
    assert runner.run_all(RunCalls(9, Version(1), asked.environment, (asked.call,) * 2, 0)) == []
