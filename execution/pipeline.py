"""The stages of a block: while storage applies one, the next is assembled, the one after that runs on top of it in
memory, and the transactions of still another are decoded. So what needs no worker is done while the workers are busy.
An operation goes through alone.
"""

import asyncio
from collections.abc import Callable, Sequence

from chain.proposals import Proposal, decode_proposal
from chain.types import Height
from execution.assembly import ExecutedBlock, RanBlock
from execution.operations import ExecutedOperation, Operations, RanOperation
from execution.processor import BlockProcessor
from execution.senders import SignedTransaction

MAX_WAITING_BLOCKS = 1
"""Blocks that wait between two stages."""


class Pipeline:
    """Encoded proposals in, executed blocks out. `newest` is the height that ran last, of which `on_ran` hears."""

    def __init__(
        self, processor: BlockProcessor, operations: Operations, newest: Height, on_ran: Callable[[], None]
    ) -> None:
        self._processor = processor
        self._operations = operations
        self._on_ran = on_ran
        processor.is_followed = lambda: not self.proposals.empty()
        self.newest = newest
        self._to_run = 0
        """Blocks that are decoded, or are being, and have not run."""
        self._ran: asyncio.Queue[RanBlock | RanOperation] = asyncio.Queue(MAX_WAITING_BLOCKS)
        self.proposals: asyncio.Queue[bytes] = asyncio.Queue()
        self.blocks: asyncio.Queue[ExecutedBlock | ExecutedOperation] = asyncio.Queue(MAX_WAITING_BLOCKS)

    async def run(self) -> None:
        """Until cancelled. Raises as BlockProcessor.run."""
        try:
            async with asyncio.TaskGroup() as stages:
                stages.create_task(self._run())
                stages.create_task(self._assemble())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _run(self) -> None:
        upcoming = asyncio.ensure_future(self._upcoming())
        try:
            while True:
                proposal, signed = await upcoming
                upcoming = asyncio.ensure_future(self._upcoming())
                await self._run_one(proposal, signed)
        finally:
            upcoming.cancel()

    async def _upcoming(self) -> tuple[Proposal, Sequence[SignedTransaction]]:
        """The next one, which is decoded, and what it will do guessed, while the one before it runs."""
        encoded = await self.proposals.get()
        self._to_run += 1
        proposal = decode_proposal(encoded)
        signed = self._processor.signed(proposal)
        self._processor.expect(signed)
        return proposal, signed

    async def _run_one(self, proposal: Proposal, signed: Sequence[SignedTransaction]) -> None:
        operates = proposal.operation is not None
        ran = await (self._operations.run(proposal, signed) if operates else self._processor.run(proposal, signed))
        self._to_run -= 1
        self.newest = proposal.height
        self._on_ran()
        await self._ran.put(ran)
        if operates:
            await self._processor.parent_applied()

    async def _assemble(self) -> None:
        while True:
            ran = await self._ran.get()
            if isinstance(ran, RanOperation):
                await self.blocks.put(await self._operations.assemble(ran))
            else:
                await self.blocks.put(await self._processor.assemble(ran, meanwhile=self._to_run > 0))
