"""Monad's scheduling: everything runs on the workers at once, and a transaction runs at most twice.

Only what belongs together is kept on one worker: a sender's transactions, and calls that will probably meet where calls
like them did. A loser runs a second time when its turn comes, on the final prefix. Where what must go one after the
other leaves too little to run side by side, execution runs the block itself.
"""

import os
from collections.abc import Mapping, Sequence

from chain.records import AccessKind, AttemptResult
from execution.attempts import StaleRead, Waited
from execution.block_run import BlockRun, Turn
from execution.chain_scheduler import ChainScheduler
from execution.contention import WHOLE_ACCOUNT, Call, Contention, Key
from execution.schedule import Candidate, chains_of, is_one_chain, pays

LOOK_EVERY = 4
"""Of the blocks that do not pay, one in so many is sent all the same: conflicts show only so."""


class Optimistic:
    """The SchedulingRule. It remembers for some blocks where calls met."""

    name = "optimistic"
    tells_unmerged = False

    def __init__(self) -> None:
        self._contention = Contention()
        self._unpaid = 0
        self.cores = len(os.sched_getaffinity(0))

    def scheduler(self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]) -> ChainScheduler:
        meets_at = {c.index: self._contention.keys(_call(block.turns[c.index])) for c in candidates}
        chains = chains_of(candidates, meets_at)
        return ChainScheduler(chains if self.sends(chains, len(workers)) else (), workers, waits_of(meets_at))

    def sends(self, chains: Sequence[Sequence[Candidate]], workers: int) -> bool:
        """Whether these go to the workers: where that pays, and now and then otherwise, to find out what conflicts."""
        if pays(chains, workers, self.cores):
            return True
        if is_one_chain(chains):
            return False
        self._unpaid += 1
        return self._unpaid % LOOK_EVERY == 1

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
