"""Speculate on the workers, validate by value in order, run a loser once more on the final prefix.

A transaction is run at most twice (Monad's rule). Where most runs of a window lose, the rest of the block goes serially
(Sei's rule). Plain transfers never leave this process, and a block with next to nothing else is run here at once,
because sending it to a worker takes longer.
"""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chain.keccak import EMPTY_HASH
from chain.messages import Message
from chain.messages.tasks import Attempt, AttemptStatus, TransactionsRun
from chain.records import AttemptResult
from chain.types import Address
from execution.attempts import Ran, StaleRead
from execution.block_run import BlockRun
from execution.errors import ExecutionError
from execution.known import KnownState, Missing
from execution.pool import JobTimeout, NoWorkers, Pool, PoolBusy, PoolJob, WorkerLost
from execution.run_times import RunTimes
from execution.schedule import Candidate, Contention, PlannedTask, plan
from execution.task_messages import unpack_outcome
from execution.transfers import may_be_plain
from execution.worker_tasks import WorkerTasks

log = logging.getLogger("tandem.execution")

DISPATCH_WORTH_US = 1_000
"""What a block's runs must be expected to take together before sending them to workers pays."""
WINDOW = 16
TASK_LIMIT_S, TASK_LIMIT_GAS = 10.0, 30_000_000
"""A worker that takes longer is taken for stuck. A task may be a full block, which takes a few seconds for so much gas;
blocks of a higher limit have more time."""


FAILURES = {
    AttemptStatus.CANNOT_INCLUDE: AttemptResult.NOT_INCLUDABLE,
    AttemptStatus.PARENT_HASH_PENDING: AttemptResult.PARENT_HASH_PENDING,
    AttemptStatus.ENGINE_FAILED: AttemptResult.ENGINE_FAILED,
}


class WrongAnswer(ExecutionError):
    """A worker answered a task with something else than its outcomes."""


class Optimistic:
    """Parallel over the pool; serial in this process while no worker is there."""

    name = "optimistic"

    def __init__(self, pool: Pool, tasks: WorkerTasks, known: KnownState) -> None:
        self._pool = pool
        self._tasks = tasks
        self._known = known
        self._contention = Contention()
        self._run_times = RunTimes()
        self._warned = False
        pool.on_worker = tasks.forget_worker

    async def run(self, block: BlockRun) -> None:
        candidates = self._candidates(block)
        speculation = _Speculation(block, self._pool, self._tasks, self._known)
        if _are_worth_it(candidates) and self._has_workers():
            speculation.submit(plan(candidates, self._pool.workers, self._contention))
        try:
            await self._take_turns(block, speculation)
        finally:
            speculation.stop()
            self._contention.end_block()
            self._remember_times(block)

    async def _take_turns(self, block: BlockRun, speculation: "_Speculation") -> None:
        window: deque[bool] = deque(maxlen=WINDOW)
        for index in range(len(block.turns)):
            if speculation.covers(index) and block.has_room(index):
                lost = await self._take_turn(block, index, await speculation.attempt(index))
                if lost is not None:
                    window.append(lost)
                    if sum(window) * 2 > WINDOW:
                        block.serial_from = index + 1
                        speculation.stop()
            else:
                await block.run_here(index)
            speculation.merged = index + 1

    async def _take_turn(self, block: BlockRun, index: int, run: "_SpeculativeRun | None") -> bool | None:
        """Whether the speculative run lost; None if there was none to speak of."""
        runs = block.turns[index].runs
        if run is None:
            await block.run_here(index)
            return None
        if run.attempt.outcome is None:
            runs.append(run.ended(FAILURES[run.attempt.status]))
            await block.run_here(index)
            return None
        outcome = unpack_outcome(run.attempt.outcome)
        stale = await block.stale_reads(outcome)
        if stale:
            runs.append(run.ended(AttemptResult.CONFLICT, stale))
            await block.run_here(index)
        else:
            runs.append(run.ended(AttemptResult.ACCEPTED))
            await block.accept(index, outcome)
            await block.give_way()
        self._judge(block, index, stale)
        return bool(stale)

    def _judge(self, block: BlockRun, index: int, stale: Sequence[StaleRead]) -> None:
        writer = stale[0].writer if stale else -1
        in_block = 0 <= writer < len(block.turns)
        self._contention.ran(_called(block, index), _called(block, writer) if in_block else None, bool(stale))

    def _candidates(self, block: BlockRun) -> list[Candidate]:
        """The transactions that need the engine, as far as one can tell before the block."""
        candidates = []
        for index, turn in enumerate(block.turns):
            transaction, sender = turn.signed.transaction, turn.signed.sender
            if transaction is None or sender is None:
                continue
            if not may_be_plain(transaction) or _has_code(block, transaction.to):
                expected_us = self._run_times.expected_us(transaction)
                candidates.append(Candidate(index, sender, transaction.to, expected_us))
        return candidates

    def _remember_times(self, block: BlockRun) -> None:
        for turn in block.turns:
            if turn.outcome is not None and turn.signed.transaction is not None and turn.signed.transaction.data:
                self._run_times.took(turn.signed.transaction, turn.runs[-1].thread_us)

    def _has_workers(self) -> bool:
        if self._pool.workers:
            self._warned = False
            return True
        if not self._warned:
            self._warned = True
            log.warning("no worker is connected: execution runs all transactions itself")
        return False


class _SpeculativeRun(NamedTuple):
    """A worker's attempt and when it took up the task, in microseconds of the block."""

    attempt: Attempt
    worker: str
    started_us: int

    def ended(self, result: AttemptResult, stale: tuple[StaleRead, ...] = ()) -> Ran:
        attempt, started_us = self.attempt, self.started_us
        start_us, end_us = started_us + attempt.start_us, started_us + attempt.end_us
        return Ran(result, self.worker, start_us, end_us, attempt.thread_us, stale)


class _Speculation:
    """The tasks of a block that are under way, by the positions they cover."""

    def __init__(self, block: BlockRun, pool: Pool, tasks: WorkerTasks, known: KnownState) -> None:
        self._block = block
        self._pool = pool
        self._tasks = tasks
        self._known = known
        self._jobs: dict[int, PoolJob] = {}
        self._answered: dict[int, _SpeculativeRun] = {}
        self._limit_s = TASK_LIMIT_S * max(1.0, block.environment.gas_limit / TASK_LIMIT_GAS)
        self.merged = 0

    def submit(self, planned: list[PlannedTask]) -> None:
        for task in planned:
            try:
                job = self._submit(task)
            except (NoWorkers, PoolBusy) as reason:
                log.warning("a task was not sent, execution runs its transactions itself: %s", reason)
                return
            self._jobs.update(dict.fromkeys(task.indices, job))

    def covers(self, index: int) -> bool:
        return index in self._jobs

    async def attempt(self, index: int) -> _SpeculativeRun | None:
        """The speculative run of the transaction; None if its worker was lost."""
        job = self._jobs.pop(index)
        if index not in self._answered:
            try:
                answer = await self._pool.wait(job)
            except (NoWorkers, WorkerLost, JobTimeout) as reason:
                log.warning("execution runs transaction %d of the block itself: %s", index, reason)
                self._give_up(job, index, reason)
                return None
            self._take(job, answer)
        return self._answered.pop(index, None)

    def stop(self) -> None:
        """Wait for nothing more: the turns left are taken in this process."""
        for index, job in self._jobs.items():
            if index not in self._answered and job.has_answer:
                self._take(job, job.answer.result())
            if index in self._answered:
                self._block.turns[index].runs.append(self._answered[index].ended(AttemptResult.ABORTED))
        self._pool.withdraw(dict.fromkeys(self._jobs.values()))
        self._jobs.clear()
        self._answered.clear()

    def _give_up(self, job: PoolJob, index: int, reason: Exception) -> None:
        """The job's transactions, of which `index` is the next, have no speculative run."""
        lost = (index, *(other for other, its in self._jobs.items() if its is job))
        self._jobs = {other: its for other, its in self._jobs.items() if its is not job}
        if job.worker:
            result = AttemptResult.TIMED_OUT if isinstance(reason, JobTimeout) else AttemptResult.WORKER_LOST
            self._note_lost(lost, Ran(result, job.worker, job.started_us, self._block.elapsed_us(), 0))

    def _note_lost(self, indices: Iterable[int], ran: Ran) -> None:
        for index in indices:
            self._block.turns[index].runs.append(ran)

    def _submit(self, task: PlannedTask) -> PoolJob:
        sent_to: list[str] = []

        def message_for(worker: str, lease: int) -> Message:
            now_us = self._block.elapsed_us()
            if sent_to:
                self._note_lost(task.indices, Ran(AttemptResult.WORKER_LOST, sent_to[-1], job.started_us, now_us, 0))
            sent_to.append(worker)
            job.started_us = now_us
            return self._tasks.message(worker, lease, self._block, self.merged, task.indices)

        job = PoolJob(message_for, self._limit_s)
        self._pool.submit_job(job, task.worker)
        return job

    def _take(self, job: PoolJob, answer: Message) -> None:
        if not isinstance(answer, TransactionsRun):
            raise WrongAnswer(f"a worker answered {type(answer).__name__} to a task")
        self._known.learn_accounts(answer.read_accounts)
        self._known.learn_slots(((address, slot), value) for address, slot, value in answer.read_slots)
        for attempt in answer.attempts:
            self._answered[attempt.index] = _SpeculativeRun(attempt, job.worker, job.started_us)


def _are_worth_it(candidates: Sequence[Candidate]) -> bool:
    return len(candidates) > 1 and sum(candidate.expected_us for candidate in candidates) >= DISPATCH_WORTH_US


def _has_code(block: BlockRun, address: Address | None) -> bool:
    if address is None:
        return False
    try:
        return block.merged.account(address).code_hash != EMPTY_HASH
    except Missing:
        return False


def _called(block: BlockRun, index: int) -> Address | None:
    transaction = block.turns[index].signed.transaction
    return None if transaction is None else transaction.to
