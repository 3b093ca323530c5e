"""Strategies that let a transaction wait for those it probably depends on, instead of finding out too late."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chain.records import AttemptResult
from chain.transactions import Transaction
from execution.accesses import Accesses, LearnedAccesses
from execution.attempts import Waited
from execution.block_run import BlockRun
from execution.dependency_scheduler import DependencyScheduler
from execution.schedule import Candidate, pays
from execution.senders import SignedTransaction


@dataclass(frozen=True, slots=True)
class Expected:
    """A candidate and what it will probably do. `is_known`: there is more to go by than its envelope."""

    index: int
    transaction: Transaction
    accesses: Accesses
    is_known: bool


Dependencies: TypeAlias = Callable[[Sequence[Expected]], Mapping[int, tuple[Waited, ...]]]
"""Whom each candidate waits for, on account of what. They come in the order of the block."""


class DependencyRule:
    """A SchedulingRule by dependencies that are known before a run: declared, or learnt from earlier blocks."""

    tells_unmerged = True
    runs_here_too = False

    def __init__(self, name: str, dependencies: Dependencies) -> None:
        self.name = name
        self._dependencies = dependencies
        self._learned = LearnedAccesses()

    def expect(self, transactions: Sequence[SignedTransaction]) -> None:
        """Nothing is planned ahead: the block before may show what these do."""

    def scheduler(
        self, block: BlockRun, candidates: Sequence[Candidate], workers: Sequence[str]
    ) -> DependencyScheduler:
        expected = []
        for candidate in candidates:
            transaction = block.turns[candidate.index].signed.transaction
            assert transaction is not None
            accesses = self._learned.expected(transaction, candidate.sender)
            expected.append(Expected(candidate.index, transaction, accesses, self._learned.knows(transaction)))
        dependencies = self._dependencies(expected)
        sent = candidates if pays(candidates, dependencies, len(workers)) else ()
        return DependencyScheduler(sent, dependencies, workers)

    def learn(self, block: BlockRun) -> None:
        for turn in block.turns:
            transaction, sender, outcome = turn.signed.transaction, turn.signed.sender, turn.outcome
            if transaction is None or sender is None or outcome is None or not transaction.data:
                continue
            lost = any(ran.result == AttemptResult.CONFLICT for ran in turn.runs)
            self._learned.remember(transaction, sender, outcome, surprised=lost)
