"""The execution record of a block, from its run. Its vocabulary is chain.records, because rpc shows it."""

from collections.abc import Sequence
from typing import NamedTuple

from chain.messages.mempool import SenderState
from chain.records import (
    AccessKind,
    AttemptRecord,
    BlockRecord,
    Conflict,
    Dependency,
    LeftOutRecord,
    TransactionRecord,
    WaitRecord,
)
from chain.types import Gas, Hash32
from execution.attempts import Ran, StaleRead, Waited
from execution.block_run import BlockRun, Turn
from execution.dependencies import Dependencies

SELECTOR_BYTES = 4


class Execution(NamedTuple):
    """How a block was executed, apart from its run. `serial_us` is 0 where no serial run was made."""

    proposal: Hash32
    strategy: str
    workers: int
    serial_us: int


def record_of(how: Execution, run: BlockRun, senders: Sequence[SenderState]) -> BlockRecord:
    """Every decision of the run, in the order of the proposal. Raises Missing."""
    dependencies = Dependencies(run.turns, run.environment.beneficiary, run.merged.before)
    return BlockRecord(
        proposal=how.proposal,
        strategy=how.strategy,
        workers=how.workers,
        serial_from=run.serial_from,
        execution_us=run.execution_us,
        serial_us=how.serial_us,
        transactions=tuple([_transaction_record(run, index, dependencies) for index in range(len(run.turns))]),
        senders=tuple([state.address for state in senders]),
    )


def _transaction_record(run: BlockRun, index: int, dependencies: Dependencies) -> TransactionRecord:
    turn = run.turns[index]
    gas_used = Gas(0) if turn.outcome is None else turn.outcome.gas_used
    attempts = tuple([_attempt_record(index, ran, dependencies) for ran in turn.runs])
    waits: tuple[WaitRecord, ...] = ()
    if run.waits is not None and turn.outcome is not None:
        waits = tuple([_wait_record(run, index, waited, dependencies) for waited in run.waits(index)])
    left_out = None if turn.left_out is None else _left_out_record(turn)
    return TransactionRecord(turn.signed.hash, gas_used, attempts, waits, left_out)


def _attempt_record(index: int, ran: Ran, dependencies: Dependencies) -> AttemptRecord:
    result, worker, start_us, end_us, thread_us, stale = ran
    conflict = None if not stale else _conflict(index, stale, dependencies)
    return AttemptRecord(result, worker, start_us, end_us, thread_us, conflict)


def _conflict(index: int, stale: Sequence[StaleRead], dependencies: Dependencies) -> Conflict:
    """The first stale read that is a real dependency, or else the first of all."""
    for read in stale:
        if dependencies.of(index, read.kind, read.address, read.slot) == Dependency.REAL:
            return Conflict(*read, dependency=Dependency.REAL)
    return Conflict(*stale[0], dependency=Dependency.ARTEFACT)


def _wait_record(run: BlockRun, index: int, waited: Waited, dependencies: Dependencies) -> WaitRecord:
    """Where a whole account was waited for, and a key of it was really shared, it is the key that is on record.

    Without the wait the two could have run side by side: it lasted as long as the run that was waited for.
    """
    kind, address, slot, writer = waited
    if kind == AccessKind.ACCOUNT:
        kind, slot = dependencies.shared_key(index, address) or (kind, slot)
    runs = run.turns[writer].runs
    waited_us = runs[-1].end_us - runs[-1].start_us if runs else 0
    return WaitRecord(kind, address, slot, writer, waited_us, dependencies.of(index, kind, address, slot))


def _left_out_record(turn: Turn) -> LeftOutRecord:
    assert turn.left_out is not None
    transaction, sender = turn.signed.transaction, turn.signed.sender
    return LeftOutRecord(
        reason=str(turn.left_out),
        retry=turn.left_out.retry,
        sender=sender or b"",
        to=b"" if transaction is None else transaction.to or b"",
        selector=b"" if transaction is None or transaction.to is None else transaction.data[:SELECTOR_BYTES],
    )
