"""The worker processes around their links: tasks in, answers out; and calls on pinned versions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from chain.accounts import Account
from chain.codec import MessageError
from chain.forks import Fork
from chain.keccak import keccak256
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.calls import AccountOverride, CallMessage, CallOutcome, CallOutcomes, RunCall
from chain.messages.execution import BlockEnvironment
from chain.messages.tasks import (
    AttemptStatus,
    Estimate,
    FollowTasks,
    ProposedTransaction,
    RunTransactions,
    TransactionsRun,
    UnmergedRun,
)
from chain.records import AccessKind
from chain.transactions import Transaction
from chain.types import ZERO_HASH, Address, BlockNumber, Gas, Version, Wei
from execution.call_views import CallViews
from execution.call_worker import CallRunner, CallWorkerProcess
from execution.change_log import NewValues
from execution.errors import CallTimeout
from execution.evm.tracing import TracingEngine
from execution.outcome import Outcome, Reads, Slot, StateView, Writes
from execution.overrides import OverridableView
from execution.task_messages import pack_outcome, pack_values, unpack_outcome, unpack_values
from execution.worker import UnexpectedTask, WorkerProcess
from tests.execution.memory_storage import BlockingStorage, MemoryStorage
from tests.execution.test_equivalence import COUNTER, HASH_READER, TOKEN, balance_slot, call, world_genesis
from tests.execution.world import ADDRESSES, BENEFICIARY, CHAIN_ID, ENGINE, GWEI, KEYS, Chain, transaction, until

ENVIRONMENT = BlockEnvironment(
    CHAIN_ID, Fork.PRAGUE, BlockNumber(1), 1_700_000_001, BENEFICIARY, ZERO_HASH, Gas(30_000_000), Wei(GWEI), Gas(0)
)


class PoolLink:
    """The asking end of a worker, played by the test."""

    def __init__(self) -> None:
        self.answers: list[Message] = []
        self.followed: list[Message] = []
        self.take: Callable[[Message], Awaitable[None]] | None = None

    @property
    def connected(self) -> bool:
        return True

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        raise NotImplementedError

    def notify(self, message: Message) -> bool:
        self.answers.append(message)
        return True

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        self.followed.append(request())
        self.take = take


def task(task_id: int, *transactions: Transaction, **fields: object) -> RunTransactions:
    proposed = tuple(ProposedTransaction(i, tx.raw, tx.sender()) for i, tx in enumerate(transactions))
    values: dict[str, object] = {
        "environment": ENVIRONMENT,
        "base": Version(1),
        "applied": BlockNumber(0),
        "promises": (),
        "reset": True,
        "position": 0,
        "settled": 0,
        "values": pack_values(NewValues({}, {})),
        "merged": 0,
        "unmerged": (),
        "estimates": (),
        "transactions": proposed,
    }
    return RunTransactions(task_id=task_id, **(values | fields))  # type: ignore[arg-type]


def increment(who: int, nonce: int = 0) -> Transaction:
    return transaction(KEYS[who], nonce, to=COUNTER, data=call("increment()"), gas=Gas(100_000))


async def run_worker(*tasks: Message) -> list[TransactionsRun]:
    link = PoolLink()
    storage = MemoryStorage(world_genesis())
    running = asyncio.ensure_future(WorkerProcess(link, BlockingStorage(storage), lambda _: ENGINE).run())
    await asyncio.sleep(0)
    assert link.take is not None
    try:
        for given in tasks:
            await link.take(given)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert link.followed == [FollowTasks()]
    return link.answers


async def test_a_worker_answers_each_task_in_order_and_reads_what_it_misses() -> None:
    first, second = await run_worker(task(7, increment(0)), task(8, increment(1), position=0, reset=False))
    assert (first.task_id, second.task_id) == (7, 8)
    (attempt,) = first.attempts
    assert attempt.status == AttemptStatus.RAN
    assert attempt.outcome is not None
    outcome = unpack_outcome(attempt.outcome)
    assert outcome.writes.slots == {(COUNTER, 0): 1}
    assert ADDRESSES[0] in dict(first.read_accounts)
    assert (COUNTER, 0, 0) in first.read_slots
    assert second.read_slots == (), "what was read once is known"


async def test_transactions_of_a_task_see_what_those_before_them_left() -> None:
    (answer,) = await run_worker(task(1, increment(0), increment(1), increment(0, 1)))
    outcomes = [unpack_outcome(attempt.outcome) for attempt in answer.attempts if attempt.outcome]
    assert [outcome.reads.slots[(COUNTER, 0)] for outcome in outcomes] == [0, 1, 2]


async def test_the_next_task_sees_the_workers_own_runs_until_execution_has_merged_them() -> None:
    told = pack_values(NewValues({}, {(COUNTER, 0): 41}))
    first = task(1, increment(0), increment(1))
    unmerged = task(2, increment(2), reset=False)
    unmerged = replace(unmerged, transactions=(replace(unmerged.transactions[0], index=2),))
    merged = task(3, increment(3), reset=False, merged=3, values=told, position=3)
    merged = replace(merged, transactions=(replace(merged.transactions[0], index=3),))
    answers = await run_worker(first, unmerged, merged)
    seen = [unpack_outcome(answer.attempts[-1].outcome or b"").reads.slots[(COUNTER, 0)] for answer in answers]
    assert seen == [1, 2, 41]


async def test_what_a_workers_own_runs_wrote_stays_known_to_it_if_they_counted() -> None:
    def counted(*indices: int, slots: dict[Slot, int] | None = None) -> bytes:
        return pack_values(NewValues({}, slots or {}, counted=indices))

    next_block = replace(ENVIRONMENT, number=BlockNumber(ENVIRONMENT.number + 1))
    tasks = [
        task(1, increment(0), increment(1)),
        at(2, task(2, increment(2), reset=False, merged=2, position=2, values=counted(0, 1))),
        at(4, task(3, increment(3), reset=False, merged=4, position=4, values=counted())),
        at(6, task(4, increment(4), reset=False, merged=6, position=6, values=counted(4, slots={(COUNTER, 0): 41}))),
        task(5, increment(5), reset=False, position=7, values=counted(6), environment=next_block),
        at(1, task(6, increment(6), reset=False, merged=1, position=8, values=counted(), environment=next_block)),
    ]
    assert counts(await run_worker(*tasks)) == [1, 2, 2, 41, 42, 42], "the third and the fifth run after them did not"


def at(index: int, given: RunTransactions) -> RunTransactions:
    """The task with its first transaction standing at `index`."""
    return replace(given, transactions=(replace(given.transactions[0], index=index), *given.transactions[1:]))


def counts(answers: list[TransactionsRun]) -> list[int]:
    """What the last transaction of each task read in the counter."""
    return [unpack_outcome(answer.attempts[-1].outcome or b"").reads.slots[(COUNTER, 0)] for answer in answers]


def counter_set(index: int, value: int) -> UnmergedRun:
    """A run of another worker that left this in the counter."""
    writes = Writes(slots={(COUNTER, 0): value})
    outcome = Outcome(True, Gas(21_000), Wei(1), Wei(0), (), b"", "", None, Reads(), writes)
    return UnmergedRun(index, pack_outcome(outcome))


async def test_a_run_sees_the_runs_before_it_and_none_after_it() -> None:
    later = at(5, task(1, increment(0)))
    earlier = at(2, task(2, increment(1), reset=False))
    between = at(4, task(3, increment(2), reset=False))
    again = at(6, task(4, increment(3), reset=False))
    answers = await run_worker(later, earlier, between, again)
    assert counts(answers) == [0, 0, 1, 1]


async def test_a_worker_is_told_the_runs_of_others_and_keeps_them_in_their_place() -> None:
    first = at(3, task(1, increment(0), unmerged=(counter_set(1, 10), counter_set(5, 50))))
    second = at(6, task(2, increment(1), reset=False))
    replaced = at(6, task(3, increment(1), reset=False, unmerged=(counter_set(5, 70),)))
    assert counts(await run_worker(first, second, replaced)) == [10, 50, 70]


async def test_who_reads_an_estimate_stops_and_says_whose_it_is() -> None:
    given = at(3, task(1, increment(0), unmerged=(counter_set(1, 10), counter_set(2, 20)), estimates=(1, 2)))
    (answer,) = await run_worker(given)
    (attempt,) = answer.attempts
    assert (attempt.status, attempt.outcome) == (AttemptStatus.READ_ESTIMATE, None)
    assert attempt.estimate == Estimate(AccessKind.SLOT, COUNTER, 0, 2)


async def test_an_estimate_hides_behind_a_newer_run_that_counts() -> None:
    given = at(3, task(1, increment(0), unmerged=(counter_set(1, 10), counter_set(2, 20)), estimates=(1,)))
    assert counts(await run_worker(given)) == [20]


async def test_a_transaction_that_ran_again_is_no_estimate_any_more() -> None:
    given = at(1, task(1, increment(0), increment(2), unmerged=(counter_set(1, 10),), estimates=(1,)))
    given = replace(given, transactions=(given.transactions[0], replace(given.transactions[1], index=2)))
    assert counts(await run_worker(given)) == [1]


async def test_a_run_whose_money_is_gone_is_not_shown_to_those_after_it() -> None:
    spender = transaction(KEYS[0], 0, to=COUNTER, data=call("increment()"), gas=Gas(100_000))
    broke = pack_values(NewValues({ADDRESSES[0]: Account(balance=Wei(1))}, {}))
    after = at(1, task(2, increment(1), reset=False, values=broke, position=1))
    answers = await run_worker(task(1, spender), after)
    assert counts(answers) == [0, 0]


async def test_the_senders_nonce_is_taken_to_be_the_transactions() -> None:
    (answer,) = await run_worker(task(1, increment(0, nonce=5)))
    (attempt,) = answer.attempts
    assert attempt.outcome is not None
    assert unpack_outcome(attempt.outcome).reads.nonces[ADDRESSES[0]] == 5


async def test_a_run_that_needs_the_parents_hash_says_so() -> None:
    reader = transaction(KEYS[0], 0, to=HASH_READER, gas=Gas(100_000))
    environment = replace(ENVIRONMENT, number=BlockNumber(2))
    (answer,) = await run_worker(task(1, reader, environment=environment))
    assert [attempt.status for attempt in answer.attempts] == [AttemptStatus.PARENT_HASH_PENDING]


async def test_a_strange_task_stops_the_worker() -> None:
    with pytest.raises(UnexpectedTask):
        await run_worker(FollowTasks())


def test_an_outcome_travels_unchanged_but_for_its_output() -> None:
    outcome = Outcome(
        succeeded=False,
        gas_used=Gas(2**63),
        gas_price=Wei(2**70),
        fee=Wei(2**90),
        logs=(),
        output=b"",
        error="execution reverted",
        contract=ADDRESSES[1],
        reads=Reads(
            nonces={ADDRESSES[0]: 1},
            code_hashes={ADDRESSES[0]: keccak256(b"")},
            balances={ADDRESSES[1]: Wei(2**200)},
            minimums={ADDRESSES[2]: Wei(0)},
            empty={ADDRESSES[3]: True},
            slots={(ADDRESSES[0], 2**256 - 1): 2**255},
        ),
        writes=Writes(
            nonces={ADDRESSES[0]: 2},
            balances={ADDRESSES[0]: -(2**100), ADDRESSES[1]: 2**100, ADDRESSES[2]: 0},
            codes={ADDRESSES[1]: b"\x60"},
            slots={(ADDRESSES[0], 0): 0},
            cleared=(ADDRESSES[1],),
        ),
    )
    assert unpack_outcome(pack_outcome(outcome)) == outcome
    assert unpack_outcome(pack_outcome(replace(outcome, output=b"abc"))) == outcome


def balance_of(version: int, who: Address, **fields: Any) -> RunCall:
    message = CallMessage(
        ADDRESSES[0], TOKEN, Gas(100_000), Wei(0), Wei(0), Wei(0), call("balanceOf(address)", who), (), ()
    )
    given = RunCall(9, Version(version), ENVIRONMENT, message, estimate=False, time_limit_ms=1000)
    return given._replace(**fields)


async def test_a_call_sees_the_state_of_its_version() -> None:
    chain = Chain(world_genesis())
    data = call("transfer(address,uint256)", ADDRESSES[1], 10**18)
    await chain.run([transaction(KEYS[0], 0, to=TOKEN, data=data, gas=Gas(100_000))])
    reads = BlockingStorage(chain.storage)
    runner = CallRunner(lambda _: ENGINE, CallViews(reads))
    held = [int.from_bytes(runner.run(balance_of(version, ADDRESSES[1])).output, "big") for version in (1, 2, 1)]
    assert held == [10**24, 10**24 + 10**18, 10**24]
    before = reads.requests
    runner.run(balance_of(2, ADDRESSES[1]))
    assert reads.requests == before, "a version's values are kept between calls"


async def test_an_estimate_is_what_the_call_needs() -> None:
    runner = CallRunner(lambda _: ENGINE, CallViews(BlockingStorage(MemoryStorage(world_genesis()))))
    outcome = runner.run(balance_of(1, ADDRESSES[1], estimate=True))
    assert outcome.error == ""
    assert 21_000 < outcome.gas < 40_000


class SlowEngine:
    def overridden(self, overrides: Sequence[AccountOverride], view: OverridableView) -> "SlowEngine":
        return self

    def call(
        self, call: CallMessage, environment: BlockEnvironment, view: StateView, *, deadline: float | None
    ) -> CallOutcome:
        raise CallTimeout("too slow")

    estimate = call


class GoneStorage:
    def request(self, message: Message) -> Message:
        raise RequestFailed("VersionOutOfRange", "state version 1 is out of range")


async def test_a_call_past_its_time_limit_fails_in_geths_words() -> None:
    runner = CallRunner(lambda _: SlowEngine(), CallViews(BlockingStorage(MemoryStorage(world_genesis()))))
    assert runner.run(balance_of(1, ADDRESSES[1])).error == "execution aborted (timeout = 1s)"


async def test_a_call_at_a_version_that_is_gone_fails_with_storages_words() -> None:
    outcome = CallRunner(lambda _: ENGINE, CallViews(GoneStorage())).run(balance_of(1, ADDRESSES[1]))
    assert outcome.error == "state version 1 is out of range"


async def test_a_reader_process_answers_calls() -> None:
    link = PoolLink()
    storage = MemoryStorage(world_genesis())
    tracers = {fork: TracingEngine(fork) for fork in (Fork.PRAGUE,)}
    worker = CallWorkerProcess(link, BlockingStorage(storage), lambda _: ENGINE, tracers.__getitem__)
    running = asyncio.ensure_future(worker.run())
    await asyncio.sleep(0)
    assert link.take is not None
    await link.take(balance_of(1, ADDRESSES[0]))
    await until(lambda: bool(link.answers))
    (answer,) = link.answers
    assert isinstance(answer, CallOutcomes)
    assert answer.call_id == 9
    assert [int.from_bytes(outcome.output, "big") for outcome in answer.outcomes] == [10**24]
    assert answer.took_us > 0
    assert storage.slots[(TOKEN, balance_slot(ADDRESSES[0]))] == 10**24
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_values_of_the_state_come_through_messages_unchanged() -> None:
    values = NewValues(
        {ADDRESSES[0]: Account(3, Wei(2**200), keccak256(b"\x60")), ADDRESSES[1]: Account()},
        {(ADDRESSES[0], 2**255): 2**256 - 1, (ADDRESSES[1], 0): 0},
        (ADDRESSES[1],),
        (b"\x60", b""),
    )
    assert unpack_values(pack_values(values)) == values


@pytest.mark.parametrize("packed", [b"", b"\xc0", b"\x94\x01\x90\x90\x90", b"\x94\x80\x91\x01\x90\x90"])
def test_values_of_another_form_are_refused(packed: bytes) -> None:
    with pytest.raises(MessageError):
        unpack_values(packed)
