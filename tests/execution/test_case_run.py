"""Block cases one after the other: what one of them leaves behind must not reach the next."""

import pytest

from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.storage import ReadState
from chain.types import Hash32, Version
from execution import known
from execution.case_run import CaseRunner
from execution.held_state import HeldState
from execution.known import KnownState, Missing
from execution.pool import Pool
from tests.execution.memory_storage import MemoryStorage
from tests.execution.world import ENGINE, WorkerPeer, genesis
from tests.node.test_workbench import case, hashing, workers_of


class Held(MemoryStorage):
    """A held state, which refuses execution's reads when it is told to."""

    def __init__(self) -> None:
        super().__init__(genesis([]))
        self.state = HeldState()
        self.reads_left = 1_000

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        if isinstance(message, ReadState):
            self.reads_left -= 1
            if self.reads_left < 0:
                raise RequestFailed("NoSuchState", "gone")
        return await self.state.request(message)

    def answer(self, message: Message) -> Message:
        return self.state.read(message)


async def test_a_case_that_failed_half_way_leaves_nothing_to_the_next() -> None:
    storage, pool = Held(), Pool()
    runner = CaseRunner("block-stm", pool, lambda _: ENGINE, storage)
    storage.reads_left = 3
    with pytest.raises(RequestFailed):
        await runner.run(case(hashing(32)), Version(1))
    storage.reads_left = 1_000
    worker = WorkerPeer("worker", storage, pool)
    run = await runner.run(case(hashing(32), number=200), Version(2))
    assert "worker" in workers_of(run)
    await worker.stop()


def test_codes_are_kept_from_state_to_state_until_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MAX_CODE_BYTES", 10)
    state = KnownState()
    first, second = Hash32(b"1" * 32), Hash32(b"2" * 32)
    state.learn_code(first, bytes(6))
    state.forget()
    assert state.code(first) == bytes(6)
    state.learn_code(second, bytes(6))
    state.forget()
    with pytest.raises(Missing):
        state.code(first)
