"""Runs that execution makes itself before their turns, while it would have nothing to do but wait for workers.

They are speculative like those of workers: made on what is merged by then and on each other, and validated by value
when their turns come.
"""

import time
from collections.abc import Mapping

from chain.accounts import Account
from chain.messages.tasks import AttemptStatus, Estimate
from chain.records import AttemptResult
from chain.transactions import Transaction
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.attempts import Ran, StaleRead
from execution.block_run import BlockRun
from execution.errors import CannotInclude
from execution.known import Missing
from execution.merged import MergedState
from execution.outcome import Outcome, ParentHashPending, Slot
from execution.schedule import Staying


class AheadRun:
    """A run of a transaction in this process whose turn has not come."""

    __slots__ = ("_ran", "index", "outcome")

    worker = ""

    def __init__(self, index: int, outcome: Outcome, ran: Ran) -> None:
        self.index = index
        self.outcome = outcome
        self._ran = ran

    @property
    def status(self) -> AttemptStatus:
        return AttemptStatus.RAN

    @property
    def estimate(self) -> Estimate | None:
        return None

    def ended(self, result: AttemptResult, stale: tuple[StaleRead, ...] = ()) -> Ran:
        """The run for the record."""
        return self._ran._replace(result=result, stale=stale)


class AheadRuns:
    """Runs the transactions that stay here, in order, as long as it is asked to."""

    def __init__(self, block: BlockRun, stays: Mapping[int, int]) -> None:
        self._block = block
        self._staying = Staying(stays)
        self._below = _Below(block.merged)
        self._view = _AheadView(self._below)
        self._shown = 0

    def run_next(self, after: int) -> AheadRun | None:
        """The next run, while this transaction is waited for. None if none is left, or if it must wait for its turn."""
        index = self._staying.next(after)
        if index is None:
            return None
        if self._shown <= after:  # all that were made are merged
            self._view = _AheadView(self._below)
        self._shown = max(self._shown, index)
        signed = self._block.turns[index].signed
        assert signed.transaction is not None
        assert signed.sender is not None
        start_us, thread_start = self._block.elapsed_us(), time.thread_time_ns()
        outcome = self._outcome(signed.transaction, signed.sender)
        if outcome is None:
            return None
        thread_us = (time.thread_time_ns() - thread_start) // 1000
        return AheadRun(index, outcome, Ran(AttemptResult.ABORTED, "", start_us, self._block.elapsed_us(), thread_us))

    def _outcome(self, transaction: Transaction, sender: Address) -> Outcome | None:
        """What the run gave; None for everything that is for the turn to deal with."""
        block, view = self._block, self._view
        view.speak_for(sender, transaction.nonce)
        try:
            outcome = block.engine.execute(transaction, sender, block.environment, view)
            view.merge(outcome)
        except (CannotInclude, Missing, ParentHashPending):
            return None
        except Exception:  # the turn fails alike, and says why
            return None
        return outcome


class _Below:
    """The merged state of the block as a StateBefore: it changes while turns are taken."""

    def __init__(self, merged: MergedState) -> None:
        self.account = merged.account
        self.code = merged.code
        self.block_hash = merged.block_hash
        self._slot = merged.slot

    def slot(self, key: Slot) -> int:
        return self._slot(*key)


class _AheadView:
    """The StateView of these runs. The sender's nonce is taken to be the transaction's, as in workers."""

    def __init__(self, below: _Below) -> None:
        self._merged = MergedState(below)
        self.slot = self._merged.slot
        self.code = self._merged.code
        self._sender = Address(b"")
        self._nonce = 0

    def speak_for(self, sender: Address, nonce: int) -> None:
        self._sender, self._nonce = sender, nonce

    def account(self, address: Address) -> Account:
        account = self._merged.account(address)
        if address == self._sender and account.nonce != self._nonce:
            return Account(self._nonce, account.balance, account.code_hash)
        return account

    def block_hash(self, number: BlockNumber) -> Hash32:
        return self._merged.block_hash(number)

    def merge(self, outcome: Outcome) -> None:
        """Fees are left out: who reads the beneficiary's balance finds at its turn what was paid until then."""
        self._merged.merge(0, outcome.writes, Address(b""), Wei(0))
