"""Monad's scheduling: everything is sent to the workers at once, and a transaction runs at most twice.

Only what belongs together is kept on one worker: a sender's transactions, and calls that will probably meet where calls
like them did. A loser runs a second time when its turn comes, on the final prefix. Where what must go one after the
other leaves too little to run side by side, execution runs the block itself.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from chain.records import AccessKind, AttemptResult
from execution.attempts import StaleRead, Waited
from execution.block_run import BlockRun, Turn
from execution.contention import WHOLE_ACCOUNT, Call, Contention, Key
from execution.outcome import Outcome
from execution.schedule import Candidate, PlannedTask, pays, plan
from execution.scheduler import Command, Send, WorkerRun


class Optimistic:
    """The SchedulingRule. It remembers for some blocks where calls met."""

    name = "optimistic"
    tells_unmerged = False

    def __init__(self) -> None:
        self._contention = Contention()
        self.cores = len(os.sched_getaffinity(0))

    def scheduler(self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]) -> "AllAtOnce":
        meets_at = {c.index: self._contention.keys(_call(block.turns[c.index])) for c in candidates}
        planned = plan(candidates, workers, meets_at)
        return AllAtOnce(planned if pays(candidates, planned, self.cores) else (), waits_of(meets_at))

    def learn(self, block: BlockRun) -> None:
        for turn in block.turns:
            for ran in turn.runs:
                if ran.worker and ran.result in (AttemptResult.ACCEPTED, AttemptResult.CONFLICT):
                    self._contention.ran(_call(turn))
                    if ran.stale:
                        self._lost(block, turn, ran.stale[0])
        self._contention.end_block()

    def _lost(self, block: BlockRun, loser: Turn, read: StaleRead) -> None:
        in_block = 0 <= read.writer < len(block.turns)
        writer = _call(block.turns[read.writer]) if in_block else None
        slot = read.slot if read.kind == AccessKind.SLOT else WHOLE_ACCOUNT
        self._contention.lost(_call(loser), writer, (read.address, slot))


class AllAtOnce:
    """The scheduler of a plan that is made before the first run: nothing that happens changes it."""

    def __init__(self, planned: Sequence[PlannedTask], waits: Mapping[int, Waited]) -> None:
        self._planned = planned
        self._waits = waits

    def start(self) -> Iterable[Command]:
        return [Send(task) for task in self._planned]

    def ran(self, task: PlannedTask, runs: Sequence[WorkerRun]) -> Iterable[Command]:
        return ()

    def took_turn(self, index: int, outcome: Outcome | None) -> Iterable[Command]:
        return ()

    def waits(self, index: int) -> Iterator[Waited]:
        if index in self._waits:
            yield self._waits[index]


def waits_of(meets_at: Mapping[int, Sequence[Key]]) -> dict[int, Waited]:
    """Whom each transaction waits for: the last one before it that meets it at a key, and goes first on its worker."""
    waits: dict[int, Waited] = {}
    last_at: dict[Key, int] = {}
    for index, keys in meets_at.items():
        met = max(((last_at[key], key) for key in keys if key in last_at), default=None)
        if met is not None:
            writer, (address, slot) = met
            kind = AccessKind.ACCOUNT if slot == WHOLE_ACCOUNT else AccessKind.SLOT
            waits[index] = Waited(kind, address, max(slot, 0), writer, 0)
        last_at.update(dict.fromkeys(keys, index))
    return waits


def _call(turn: Turn) -> Call:
    """The transaction of a turn that came to run."""
    transaction, sender = turn.signed.transaction, turn.signed.sender
    assert transaction is not None
    assert sender is not None
    return Call(transaction, sender)
