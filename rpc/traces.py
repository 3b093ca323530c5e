"""Traces of stored blocks: made by reader workers when somebody asks, and kept for a while.

One block is traced at a time, so that most of the readers' time stays with calls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol

from chain.block_case import CaseTransaction, ExpectedBlock
from chain.forks import Fork
from chain.genesis import Genesis
from chain.messages.storage import StoredBlock
from chain.messages.traces import BlockTrace, TraceBlock, TraceFailed
from chain.operations import BlockSettings
from chain.types import ZERO_HASH, Hash32, Version
from rpc.bounded_cache import BoundedCache
from rpc.environments import environment_in
from rpc.errors import LimitExceeded, ServerError
from rpc.turns import Turns

KEPT_TRACES = 16
KEPT_KEYS = 800_000
"""Reads, writes and looks of all traces kept together: a key takes some hundred bytes, a trace may have 200,000."""
MAX_WAITING = 32
TIME_LIMIT_MS = 10_000
"""A full block takes a few seconds."""


class NoTrace(ServerError):
    """A block that could not be run again; the message says why."""


class Tracers(Protocol):
    """Runs stored blocks again, in reader workers."""

    async def trace(self, request: TraceBlock) -> BlockTrace | TraceFailed:
        """Raises TimeoutError when no worker answers in time, and RpcError when none can take the block."""
        ...


class Learner(Protocol):
    """Is told what transactions hashed."""

    def learn(self, preimages: Mapping[Hash32, bytes]) -> None: ...


class Traces:
    """The newest traces by their blocks' hashes.

    `settings` are those of this moment, `version_before` tells the version that a block ran on.
    """

    def __init__(
        self,
        genesis: Genesis,
        settings: Callable[[], BlockSettings],
        version_before: Callable[[StoredBlock], Awaitable[Version]],
        tracers: Tracers,
        learner: Learner,
        turns: Turns,
    ) -> None:
        self._genesis = genesis
        self._settings = settings
        self._version_before = version_before
        self._tracers = tracers
        self._learner = learner
        self._kept: BoundedCache[Hash32, BlockTrace] = BoundedCache(KEPT_KEYS, _weight)
        self._running: dict[Hash32, asyncio.Future[BlockTrace]] = {}
        self._turns = turns

    async def of(self, block: StoredBlock) -> BlockTrace:
        """The trace of a block that is not genesis. Raises NoTrace and LimitExceeded."""
        known = self._kept.get(block.hash)
        if known is not None:
            return known
        running = self._running.get(block.hash)
        if running is None:
            if len(self._running) >= MAX_WAITING:
                raise LimitExceeded(f"server busy: {MAX_WAITING} blocks wait to be traced, try again")
            running = self._running[block.hash] = asyncio.ensure_future(self._trace(block))
            running.add_done_callback(partial(self._ended, block.hash))
        return await asyncio.shield(running)

    async def close(self) -> None:
        """Give up what runs."""
        running = tuple(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _trace(self, block: StoredBlock) -> BlockTrace:
        number = block.header.number
        if number == 0:
            raise NoTrace("block 0 is genesis: nothing was executed in it")
        async with self._turns.one():
            try:
                base = await self._version_before(block)
                trace = await self._tracers.trace(request_for(block, base, self._genesis, self._settings()))
            except TimeoutError:
                raise NoTrace(f"block {number} could not be run again within {TIME_LIMIT_MS // 1000} s") from None
        if isinstance(trace, TraceFailed):
            raise NoTrace(trace.reason)
        for transaction in trace.transactions:
            self._learner.learn(transaction.preimages)
        self._kept.put(block.hash, trace)
        return trace

    def _ended(self, block_hash: Hash32, task: "asyncio.Future[BlockTrace]") -> None:
        del self._running[block_hash]
        if not task.cancelled():
            task.exception()  # marks it as seen, should everybody who waited be gone


def _weight(trace: BlockTrace) -> int:
    """In keys; a small trace weighs so much that only so many are kept."""
    keys = sum(len(t.reads) + len(t.writes) + len(t.accounts) + len(t.slots) for t in trace.transactions)
    return max(KEPT_KEYS // KEPT_TRACES, keys)


def request_for(block: StoredBlock, base: Version, genesis: Genesis, settings: BlockSettings) -> TraceBlock:
    """What to ask a reader, of a block that ran on the state of version `base`.

    Before Byzantium receipts hold a state root each, which running the transactions alone does not tell.
    """
    header, environment = block.header, environment_in(block, genesis, settings)
    receipts_root = header.receipts_root if environment.fork >= Fork.BYZANTIUM else None
    return TraceBlock(
        trace_id=0,
        base=base,
        environment=environment,
        parent_hash=header.parent_hash,
        parent_beacon_root=header.parent_beacon_root or ZERO_HASH,
        transactions=tuple(map(CaseTransaction, block.transactions, block.senders)),
        expected=ExpectedBlock(header.gas_used, receipts_root, header.logs_bloom),
        time_limit_ms=TIME_LIMIT_MS,
    )
