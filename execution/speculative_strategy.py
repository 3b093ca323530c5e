"""What all strategies share that use the workers: whom they send, how turns are taken, and when they give up.

Runs are validated by value in the order of the block; a loser runs once more here, on the final prefix. Where most
transactions of a window lose a run, the rest of the block goes serially (Sei's rule). Plain transfers never leave this
process, and a block with next to nothing else is run here at once, because sending it to a worker takes longer.
"""

import logging
from collections import deque
from collections.abc import Sequence

from chain.keccak import EMPTY_HASH
from chain.records import AttemptResult
from chain.types import Address
from execution.ahead_runs import AheadRun
from execution.block_run import BlockRun, Turn
from execution.known import KnownState, Missing
from execution.pool import Pool
from execution.run_times import RunTimes
from execution.schedule import Candidate
from execution.scheduler import SchedulingRule
from execution.senders import SignedTransaction
from execution.speculative_runs import FAILURES, SpeculativeRun, SpeculativeRuns
from execution.transfers import may_be_plain
from execution.worker_tasks import WorkerTasks

log = logging.getLogger("tandem.execution")

DISPATCH_WORTH_US = 1_000
"""What a block's runs must be expected to take together before sending them to workers pays."""
WINDOW = 16
TIMED_SHARE = 4


class SpeculativeStrategy:
    """Parallel over the pool, as the rule schedules it; serial in this process while no worker is there."""

    def __init__(self, rule: SchedulingRule, pool: Pool, tasks: WorkerTasks, known: KnownState) -> None:
        self.rule = rule
        self._pool = pool
        self._tasks = tasks
        self._known = known
        self._run_times = RunTimes()
        self._warned = False
        pool.on_worker = tasks.forget_worker

    @property
    def name(self) -> str:
        return self.rule.name

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        self.rule.expect(transactions)

    async def run(self, block: BlockRun) -> None:
        candidates = self._candidates(block)
        if self._plans(candidates) and self._has_workers():
            workers = self._pool.lanes if self.rule.runs_here_too else self._pool.workers
            scheduler = self.rule.scheduler(block, candidates, workers)
            tells = self.rule.tells_unmerged
            runs = SpeculativeRuns(block, self._pool, self._tasks, self._known, scheduler, tells=tells)
            if runs.start():
                try:
                    await self._take_turns(block, runs)
                finally:
                    runs.stop()
            else:
                await block.run_all_here()
        else:
            await block.run_all_here()
        block.turns_us = block.elapsed_us()
        self.rule.learn(block)
        self._remember_times(block)

    def _plans(self, candidates: Sequence[Candidate]) -> bool:
        """Whether there may be something to send. A rule that also runs here decides itself, and knows who waits."""
        return len(candidates) > 1 and (self.rule.runs_here_too or _are_worth_it(candidates))

    async def _take_turns(self, block: BlockRun, runs: SpeculativeRuns) -> None:
        """Tasks are sent while others have the loop: what is merged by then must be known as merged."""
        lost = deque([False] * WINDOW, maxlen=WINDOW)
        for index in range(len(block.turns)):
            if runs.covers(index) and block.has_room(index):
                has_lost = await self._take_turn(block, index, await runs.newest(index))
                if has_lost is not None:
                    lost.append(has_lost)
            else:
                await block.run_here(index)
            runs.took_turn(index)
            is_last = index + 1 == len(block.turns)
            if lost[-1] and lost.count(True) * 2 > WINDOW and block.serial_from < 0 and not is_last:
                block.serial_from = index + 1
                runs.stop()
            if block.holds_long:
                await block.give_way()

    async def _take_turn(self, block: BlockRun, index: int, run: SpeculativeRun | AheadRun | None) -> bool | None:
        """With the run that was made before, if one was. Whether any run of the transaction was validated and lost;
        None if none was validated.
        """
        turn = block.turns[index]
        outcome = None if run is None else run.outcome
        if run is None or outcome is None:
            if run is not None:
                turn.runs.append(run.ended(FAILURES[run.status]))
            await block.run_here(index)
            return True if _has_lost(turn) else None
        stale = await block.stale_reads(outcome)
        if stale:
            block.lost(index, run.ended(AttemptResult.CONFLICT, stale))
            await block.run_here(index)
            return True
        turn.runs.append(run.ended(AttemptResult.ACCEPTED))
        await block.accept(index, outcome, run.worker)
        return _has_lost(turn)

    def _candidates(self, block: BlockRun) -> list[Candidate]:
        """The transactions that need the engine, as far as one can tell before the block."""
        candidates = []
        for index, turn in enumerate(block.turns):
            transaction, sender = turn.signed.transaction, turn.signed.sender
            if transaction is None or sender is None:
                continue
            if not may_be_plain(transaction) or _has_code(block, transaction.to):
                expected_us = self._run_times.expected_us(transaction)
                candidates.append(Candidate(index, sender, expected_us))
        return candidates

    def _remember_times(self, block: BlockRun) -> None:
        """Of one in so many, beginning at another place in each block."""
        for turn in block.turns[block.environment.number % TIMED_SHARE :: TIMED_SHARE]:
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


def _has_lost(turn: Turn) -> bool:
    return len(turn.runs) > 1 and any(ran.result == AttemptResult.CONFLICT for ran in turn.runs)


def _are_worth_it(candidates: Sequence[Candidate]) -> bool:
    return sum(candidate.expected_us for candidate in candidates) >= DISPATCH_WORTH_US


def _has_code(block: BlockRun, address: Address | None) -> bool:
    if address is None:
        return False
    try:
        return block.merged.account(address).code_hash != EMPTY_HASH
    except Missing:
        return False
