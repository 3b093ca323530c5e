"""A block case traced in this process, on the state that it carries."""

from collections.abc import Sequence

from chain.block_case import BlockCase
from chain.messages import Message
from chain.messages.traces import BlockTrace, TraceBlock, TraceFailed
from chain.messages.workbench import HoldState
from chain.types import ZERO_HASH, BlockNumber, Version
from execution.block_trace import trace_block
from execution.evm.tracing import TracingEngine
from execution.held_state import HeldState

VERSION = Version(1)
TIME_LIMIT_MS = 60_000


class _HeldReads:
    """Reads without a connection (implements execution.reader.BlockingReads)."""

    def __init__(self, case: BlockCase) -> None:
        self._state = HeldState()
        self._state.hold(HoldState(VERSION, case.environment.fork, case.accounts, case.block_hashes))

    def request(self, message: Message) -> Message:
        return self._state.read(message)


async def trace_case(case: BlockCase, included: Sequence[int], engine: TracingEngine) -> BlockTrace | TraceFailed:
    """The trace of the transactions at the positions `included`, which are those that the block does not leave out."""
    task = TraceBlock(
        trace_id=0,
        base=VERSION,
        environment=case.environment,
        parent_hash=case.block_hashes.get(BlockNumber(case.environment.number - 1), ZERO_HASH),
        parent_beacon_root=case.parent_beacon_root,
        transactions=tuple([case.transactions[position] for position in included]),
        expected=None,
        time_limit_ms=TIME_LIMIT_MS,
    )
    return await trace_block(task, engine, _HeldReads(case))
