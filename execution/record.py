"""The execution record of a block, from its run. Its vocabulary is chain.records, because rpc shows it."""

from collections.abc import Sequence

from chain.messages.mempool import SenderState
from chain.records import BlockRecord, TransactionRecord
from chain.types import Hash32
from execution.block_run import BlockRun, Turn


def record_of(
    proposal: Hash32, strategy: str, workers: int, run: BlockRun, senders: Sequence[SenderState]
) -> BlockRecord:
    """Every decision of the run, in the order of the proposal."""
    return BlockRecord(
        proposal=proposal,
        strategy=strategy,
        workers=workers,
        serial_from=run.serial_from,
        execution_us=run.elapsed_us(),
        transactions=tuple([_transaction_record(turn) for turn in run.turns]),
        senders=tuple([state.address for state in senders]),
    )


def _transaction_record(turn: Turn) -> TransactionRecord:
    return TransactionRecord(
        hash=turn.signed.hash,
        attempts=turn.attempts,
        worker=turn.worker,
        thread_us=turn.thread_us,
        start_us=turn.start_us,
        end_us=turn.end_us,
        conflict=turn.conflict,
        left_out="" if turn.left_out is None else str(turn.left_out),
        retry=turn.left_out is not None and turn.left_out.retry,
    )
