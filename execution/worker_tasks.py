"""Makes the message of a task for the worker that gets it, telling it only what it does not know yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.messages.tasks import ProposedTransaction, RunTransactions, UnmergedRun
from chain.types import Address
from execution.block_run import BlockRun
from execution.change_log import ChangeLog, NewValues
from execution.known import KnownState, Missing
from execution.outcome import ParentHashPending, Slot
from execution.reader import StateReader
from execution.task_messages import pack_values
from execution.touched import Kind

MAX_TOLD = 100_000


@dataclass(slots=True)
class _Told:
    """Accounts and slots whose newest values a worker has, the functions whose common slots are among them, and the
    unmerged runs it was told by position.
    """

    accounts: set[Address] = field(default_factory=set)
    slots: set[Slot] = field(default_factory=set)
    kinds: dict[Kind, int] = field(default_factory=dict)
    runs: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Unmerged:
    """The newest runs of a block that are not merged, by position: packed outcome and worker.

    Those at `estimates` do not count and will be replaced.
    """

    runs: dict[int, tuple[bytes, str]]
    estimates: set[int]

    def add(self, index: int, packed: bytes, worker: str) -> None:
        self.runs[index] = packed, worker
        self.estimates.discard(index)

    def forget(self, index: int) -> None:
        """Something is merged in its place."""
        self.runs.pop(index, None)
        self.estimates.discard(index)


class WorkerTasks:
    """Remembers how much of the changes each worker was told."""

    def __init__(self, known: KnownState, changes: ChangeLog, reader: StateReader) -> None:
        self._known = known
        self._changes = changes
        self._reader = reader
        self._positions: dict[str, int] = {}
        self._told: dict[str, _Told] = {}

    def forget_worker(self, name: str) -> None:
        """The worker knows nothing (any more)."""
        self._positions.pop(name, None)
        self._told.pop(name, None)

    def forget_all(self) -> None:
        """Known values were given up here: what a worker was not told yet might be among them."""
        self._positions.clear()
        self._told.clear()

    def message(
        self,
        worker: str,
        lease: int,
        block: BlockRun,
        merged: int,
        indices: Sequence[int],
        unmerged: Unmerged | None = None,
    ) -> RunTransactions:
        """The task of running these positions of the block, of which the first `merged` are merged.

        With `unmerged` the worker is told of the runs before them as well.
        """
        position = self._positions.get(worker)
        reset = position is None or not self._changes.reaches(position)
        if position is None or reset:
            new = self._changes.since(self._changes.settled, block.merged)
        else:
            new = self._changes.since(position, block.merged, worker)
        self._positions[worker] = self._changes.position
        signed = [(index, block.turns[index].signed) for index in indices]
        transactions = tuple([ProposedTransaction(i, s.raw, s.sender) for i, s in signed if s.sender is not None])
        told = self._told_to(worker, reset)
        told.accounts.update(new.accounts)
        told.slots.update(new.slots)
        self._add_certain_reads(new, block, indices, told)
        self._add_probable_reads(new, block, indices, told)
        return RunTransactions(
            task_id=lease,
            environment=block.environment,
            base=self._reader.base,
            applied=self._known.applied,
            promises=self._known.promises(),
            reset=reset,
            position=self._changes.position,
            settled=self._changes.settled,
            values=pack_values(new),
            merged=merged,
            unmerged=() if unmerged is None else _untold(unmerged, indices[-1], worker, told, reset),
            estimates=() if unmerged is None else tuple(sorted(at for at in unmerged.estimates if at < indices[-1])),
            transactions=transactions,
        )

    def _told_to(self, worker: str, reset: bool) -> _Told:
        told = self._told.get(worker)
        if told is None or reset or len(told.accounts) + len(told.slots) + len(told.kinds) > MAX_TOLD:
            told = self._told[worker] = _Told()
        return told

    def _add_certain_reads(self, new: NewValues, block: BlockRun, indices: Sequence[int], told: _Told) -> None:
        """The accounts that the transactions read for certain, as far as they are known here and not there."""
        for index in indices:
            signed = block.turns[index].signed
            assert signed.transaction is not None
            for address in (signed.sender, signed.transaction.to, block.environment.beneficiary):
                if address is not None and address not in told.accounts:
                    try:
                        new.accounts[address] = block.merged.account(address)
                    except Missing:
                        continue  # the worker reads it itself
                    told.accounts.add(address)

    def _add_probable_reads(self, new: NewValues, block: BlockRun, indices: Sequence[int], told: _Told) -> None:
        """The slots that such transactions read, likewise."""
        for index in indices:
            signed = block.turns[index].signed
            if signed.transaction is None or signed.sender is None or not signed.transaction.data:
                continue
            for key in self._reader.guess(signed.transaction, signed.sender, told.kinds):
                if key not in told.slots:
                    try:
                        new.slots[key] = block.merged.slot(*key)
                    except (Missing, ParentHashPending):
                        continue
                    told.slots.add(key)


def _untold(unmerged: Unmerged, before: int, worker: str, told: _Told, reset: bool) -> tuple[UnmergedRun, ...]:
    """The runs that the worker neither made nor was told."""
    rows = []
    for index, (packed, made_by) in sorted(unmerged.runs.items()):
        if index < before and told.runs.get(index) is not packed and (made_by != worker or reset):
            told.runs[index] = packed
            rows.append(UnmergedRun(index, packed))
    return tuple(rows)
