"""Monad's scheduling: everything is sent to the workers at once, and a transaction runs at most twice.

Only what surely belongs together is kept on one worker: a sender's transactions, and calls to contracts that conflicted
with each other lately. A loser runs a second time when its turn comes, on the final prefix.
"""

from collections.abc import Iterable, Iterator, Sequence

from chain.records import BEFORE_TRANSACTIONS, AttemptResult
from chain.types import Address
from execution.attempts import Waited
from execution.block_run import BlockRun, Turn
from execution.outcome import Outcome
from execution.schedule import Candidate, Contention, PlannedTask, plan
from execution.scheduler import Command, Send, WorkerRun


class Optimistic:
    """The SchedulingRule. It remembers for some blocks which contracts conflicted."""

    name = "optimistic"
    tells_unmerged = False

    def __init__(self) -> None:
        self._contention = Contention()

    def scheduler(self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]) -> "AllAtOnce":
        return AllAtOnce(plan(candidates, workers, self._contention))

    def learn(self, block: BlockRun) -> None:
        for turn in block.turns:
            for ran in turn.runs:
                if ran.worker and ran.result in (AttemptResult.ACCEPTED, AttemptResult.CONFLICT):
                    writer = ran.stale[0].writer if ran.stale else BEFORE_TRANSACTIONS
                    in_block = 0 <= writer < len(block.turns)
                    lost_to = _called(block.turns[writer]) if in_block else None
                    self._contention.ran(_called(turn), lost_to, bool(ran.stale))
        self._contention.end_block()


class AllAtOnce:
    """The scheduler of a plan that is made before the first run: nothing that happens changes it."""

    def __init__(self, planned: Sequence[PlannedTask]) -> None:
        self._planned = planned

    def start(self) -> Iterable[Command]:
        return [Send(task) for task in self._planned]

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        return ()

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        return ()

    def waits(self, index: int) -> Iterator[Waited]:
        return iter(())


def _called(turn: Turn) -> Address | None:
    return None if turn.signed.transaction is None else turn.signed.transaction.to
