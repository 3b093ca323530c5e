"""The runs of a block that a worker knows of and execution may not have merged yet, each in its place.

A worker's own runs are not told it again once they are merged: it is told only which of them counted. So the view that
shows them stays from one task to the next, until something comes in between: a run that did not count, a value of
others' making where one of them wrote, another block.
"""

from collections import deque

from chain.messages.tasks import RunTransactions
from chain.types import Address, Version, Wei
from execution.change_log import NewValues
from execution.known import KnownState
from execution.outcome import Outcome
from execution.speculative_view import SpeculativeView
from execution.storage_requests import BlockingReads
from execution.task_messages import unpack_outcome

NOBODY, NO_FEE = Address(b""), Wei(0)
"""Fees are left out: who reads the beneficiary's balance finds at its turn what was paid until then."""


class UnmergedRuns:
    """The newest runs of one block, the worker's own and those it was told, by position. `view` shows them."""

    def __init__(self, known: KnownState, reads: BlockingReads) -> None:
        self.view = SpeculativeView(known, reads, Version(0), NOBODY)
        self._known = known
        self._block = 0
        self._position = 0
        self._runs: dict[int, Outcome] = {}
        self._estimates: set[int] = set()
        self._counted: dict[int, Outcome] = {}
        """Runs that are merged, and not among the known values."""
        self._shown: set[int] = set()
        self._shown_up_to = -1
        self._hidden: deque[int] = deque()

    def learn(self, task: RunTransactions, new: NewValues) -> None:
        """What has become of the runs, and what others did meanwhile."""
        counted = {index: self._runs.pop(index) for index in new.counted if index in self._runs}
        self._counted |= counted
        is_new_block = task.environment.number != self._block
        over = [index for index in self._runs if is_new_block or index < task.merged]
        from_others = bool(task.unmerged or task.estimates or self._estimates)
        if is_new_block or over or from_others or not counted.keys() <= self._shown or self.view.shows_any_of(new):
            self._settle()
        for index in over:
            del self._runs[index]
        self._block, self._position = task.environment.number, task.position
        self._runs.update((run.index, unpack_outcome(run.outcome)) for run in task.unmerged)
        self._estimates = set(task.estimates)
        if not self._shown:
            self._hidden = deque(sorted(self._runs))
        self._known.change(task.position, new.accounts, new.slots, new.cleared)
        if is_new_block:
            self._known.shrink()

    def before(self, position: int) -> SpeculativeView:
        """The view on which the transaction at `position` runs next: it shows the runs before it, in order."""
        if position <= self._shown_up_to:
            self._settle()
            self._hidden = deque(sorted(self._runs))
        while self._hidden and self._hidden[0] < position:
            index = self._hidden.popleft()
            outcome = self._runs[index]
            if index in self._estimates:
                self.view.estimate(index, outcome.writes)
            elif self.view.can_pay(outcome.writes):  # else it cannot count
                self._show(index, outcome)
        self._shown_up_to = max(self._shown_up_to, position - 1)
        return self.view

    def ran(self, position: int, outcome: Outcome) -> None:
        """A run of the transaction at the position last asked for, which later ones see."""
        self._runs[position] = outcome
        self._estimates.discard(position)
        if self._hidden and self._hidden[0] == position:
            self._hidden.popleft()
        self._show(position, outcome)

    def _show(self, index: int, outcome: Outcome) -> None:
        self.view.merge(index, outcome.writes, NO_FEE)
        self._shown.add(index)
        self._shown_up_to = index

    def _settle(self) -> None:
        """What counts becomes known, as of the newest changes that were told, and nothing is shown."""
        if self._counted:
            if self._shown != self._counted.keys():
                self.view.rewind()
                for index, outcome in self._counted.items():
                    self.view.merge(index, outcome.writes, NO_FEE)
            self.view.make_known(self._position)
            self._counted = {}
        self.view.rewind()
        self._shown = set()
        self._shown_up_to = -1
