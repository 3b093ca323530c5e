"""Block-STM's incarnations and estimates."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chain.messages.tasks import AttemptStatus, Estimate
from chain.records import AccessKind, AttemptResult
from chain.types import Address, Gas, Wei
from execution.attempts import StaleRead
from execution.outcome import Outcome, Reads, Writes
from execution.schedule import Candidate, PlannedTask
from execution.scheduler import Command, Discard, Send
from execution.strategies.block_stm import MAX_INCARNATIONS, BlockStmScheduler
from tests.execution.test_equivalence import COUNTER, world_genesis
from tests.execution.test_optimistic import increments
from tests.execution.world import Chain

SENDER, X = Address(b"\x51" * 20), Address(b"\xaa" * 20)


@dataclass(frozen=True)
class Ran:
    """A run that came back."""

    index: int
    outcome: Outcome | None = None
    status: AttemptStatus = AttemptStatus.RAN
    estimate: Estimate | None = None


def ran(index: int, read: int, wrote: int) -> Ran:
    """Read and wrote the same slot."""
    slots = Reads(slots={(X, 0): read}), Writes(slots={(X, 0): wrote})
    return Ran(index, Outcome(True, Gas(1), Wei(1), Wei(0), (), b"", "", None, *slots))


def stopped(index: int, writer: int) -> Ran:
    return Ran(index, None, AttemptStatus.READ_ESTIMATE, Estimate(AccessKind.SLOT, X, 0, writer))


def scheduler(count: int, workers: int = 2) -> BlockStmScheduler:
    """Each transaction is a task of its own."""
    return BlockStmScheduler([Candidate(index, SENDER, 3_000) for index in range(count)], workers)


def sent(commands: Iterable[Command]) -> list[tuple[int, ...]]:
    return [command.task.indices for command in commands if isinstance(command, Send)]


def came(stm: BlockStmScheduler, run: Ran) -> list[Command]:
    return list(stm.ran(PlannedTask("", (run.index,)), [run]))


def again(*indices: int) -> list[Send]:
    return [Send(PlannedTask("", (index,))) for index in indices]


def test_everything_is_sent_in_order_as_far_as_workers_have_room() -> None:
    stm = scheduler(6)
    assert sent(stm.start()) == [(0,), (1,), (2,), (3,)]
    assert came(stm, ran(2, 0, 1)) == again(4)


def test_a_run_makes_stale_who_read_otherwise_after_it_and_that_runs_again_first() -> None:
    stm = scheduler(6)
    list(stm.start())
    assert came(stm, ran(2, 0, 1)) == again(4)
    assert came(stm, ran(1, 0, 1)) == [Discard(2, StaleRead(AccessKind.SLOT, X, 0, 0, 1, 1)), *again(2)]


def test_a_run_that_comes_too_late_is_stale_itself() -> None:
    stm = scheduler(2)
    list(stm.start())
    came(stm, ran(0, 0, 7))
    assert came(stm, ran(1, 0, 1)) == [Discard(1, StaleRead(AccessKind.SLOT, X, 0, 0, 7, 0)), *again(1)]
    assert came(stm, ran(1, 7, 8)) == []


def test_writing_the_same_again_makes_nobody_stale() -> None:
    stm = scheduler(3)
    list(stm.start())
    came(stm, ran(1, 0, 5))
    came(stm, ran(2, 5, 6))
    assert came(stm, ran(0, 9, 0)) == [], "1 had read the 0 that this writes"


def test_who_read_an_estimate_runs_again_when_its_writer_has() -> None:
    stm = scheduler(3)
    list(stm.start())
    came(stm, ran(1, 0, 1))
    assert came(stm, ran(0, 0, 3))[1:] == again(1)
    assert came(stm, stopped(2, 1)) == []
    assert came(stm, ran(1, 3, 4)) == again(2)
    assert [waited.writer for waited in stm.waits(2)] == [1]


def test_who_read_an_estimate_that_is_none_any_more_runs_again_at_once() -> None:
    stm = scheduler(2)
    list(stm.start())
    came(stm, ran(0, 0, 1))
    assert came(stm, stopped(1, 0)) == again(1)


def test_a_transaction_has_so_many_incarnations_and_is_then_left_to_its_turn() -> None:
    stm = scheduler(2)
    list(stm.start())
    for value in range(MAX_INCARNATIONS - 1):
        came(stm, ran(0, 0, value + 1))
        assert again(1)[0] in came(stm, ran(1, 99, 5))
    assert sent(came(stm, ran(1, 98, 5))) == []


def test_what_a_turn_made_of_a_transaction_makes_later_runs_stale() -> None:
    stm = scheduler(2)
    list(stm.start())
    came(stm, ran(1, 0, 1))
    final = ran(0, 0, 6).outcome
    assert list(stm.took_turn(0, final)) == [Discard(1, StaleRead(AccessKind.SLOT, X, 0, 0, 6, 0)), *again(1)]


async def test_losers_run_again_on_workers_before_their_turn(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "block-stm", 2, tmp_path)
    record = (await chain.run(increments(20))).record
    assert chain.storage.slots[(COUNTER, 0)] == 20
    lost = [each for each in record.transactions if len(each.attempts) > 1]
    assert lost
    for each in lost:
        *former, last = each.attempts
        assert last.result == AttemptResult.ACCEPTED
        assert {attempt.result for attempt in former} <= {AttemptResult.CONFLICT, AttemptResult.ABORTED}
        assert len(each.attempts) <= MAX_INCARNATIONS + 1
    assert any(each.attempts[-1].worker for each in lost), "not all of them in execution"
    await chain.stop()


async def test_where_most_transactions_run_again_the_rest_of_the_block_goes_serially(tmp_path: Path) -> None:
    chain = Chain(world_genesis(), "block-stm", 2, tmp_path)
    block = [tx for nonce in range(3) for tx in increments(20, nonce)]
    record = (await chain.run(block)).record
    assert 0 < record.serial_from < 40
    assert {each.attempts[-1].worker for each in record.transactions[record.serial_from :]} == {""}
    assert chain.storage.slots[(COUNTER, 0)] == 60
    await chain.stop()
