"""Applies one height at a time, and prunes in turns with that."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from chain.messages.storage import ApplyBlock, ApplyOperation, BlockApplied
from chain.system_contracts import HISTORY_STORAGE
from storage.awaited import Awaited
from storage.errors import StorageClosed, TooManyWaiting
from storage.handlers import Handlers
from storage.keyvalue import CorruptStore, DiskFull, StoreError
from storage.remote_below import RemoteBelow
from storage.reverts import slots_in
from storage.slices import in_slices
from storage.store import Store

MAX_WAITING_BLOCKS = 64

log = logging.getLogger("tandem.storage")


class Applying:
    """Works heights out on the event loop, in slices, and writes them on a thread of its own. `met` hears of damage."""

    def __init__(
        self, store: Store, remote: RemoteBelow | None, awaited: Awaited, met: Callable[[CorruptStore], None]
    ) -> None:
        self._store = store
        self._remote = remote
        self._awaited = awaited
        self._met = met
        self._writer = ThreadPoolExecutor(1, "storage-writer")
        self._turn = asyncio.Lock()
        self._applying: set[asyncio.Task[BlockApplied]] = set()
        self._pruner: asyncio.Task[None] | None = None
        self._closed = False
        self._lacks_room = False

    def handlers(self) -> Handlers:
        """By the class of what they answer."""
        return {ApplyBlock: self._apply, ApplyOperation: self._apply}

    def stop(self) -> None:
        """Begin nothing more."""
        self._closed = True

    async def close(self) -> None:
        """Finish the height being applied."""
        await asyncio.gather(*self._applying, *([self._pruner] if self._pruner else []), return_exceptions=True)
        self._writer.shutdown()

    async def _apply(self, block: ApplyBlock | ApplyOperation) -> BlockApplied:
        """Once begun, a height is finished even if its asker goes away: memory must follow the disk."""
        if len(self._applying) >= MAX_WAITING_BLOCKS:
            raise TooManyWaiting(MAX_WAITING_BLOCKS)
        task = asyncio.create_task(self._apply_in_turn(block))
        self._applying.add(task)
        task.add_done_callback(self._applied)
        return await asyncio.shield(task)

    async def _apply_in_turn(self, block: ApplyBlock | ApplyOperation) -> BlockApplied:
        async with self._turn:
            if self._closed:
                raise StorageClosed
            store = self._store
            before = store.applied(block)
            self._awaited.wake(store.head.version)  # a write that seemed to fail may turn out to have been made
            if before is not None:
                return before
            await self._ensure_below(block)
            prepared = await in_slices(store.prepare(block))
            if store.writes_at_once(prepared):
                store.write(prepared)
            else:
                await asyncio.get_running_loop().run_in_executor(self._writer, store.write, prepared)
            applied = store.adopt(prepared)
        self._awaited.wake(applied.version)
        self._start_pruning()
        return applied

    async def _ensure_below(self, message: ApplyBlock | ApplyOperation) -> None:
        """On a fork, have what is changed, and what slots had before that are to have it again."""
        remote = self._remote
        if remote is None:
            return
        blocks = (message,) if isinstance(message, ApplyBlock) else message.blocks
        changes = [change for block in blocks for change in block.changes]
        revert = None
        if isinstance(message, ApplyOperation):
            changes += message.changes
            revert = message.revert
        newest = self._store.head.version
        await remote.state.ensure((*[change.address for change in changes], HISTORY_STORAGE.address), (), newest)
        if revert is not None and self._store.ways.lead_to(revert.version):
            names = await in_slices(self._store.ways.names(revert.version))
            await remote.state.ensure((), tuple(slots_in(names)), revert.version)

    def _start_pruning(self) -> None:
        if self._store.pruning.is_due() and (self._pruner is None or self._pruner.done()):
            self._pruner = asyncio.create_task(self._prune())

    async def _prune(self) -> None:
        """Prune what there is to prune, in turns with the blocks, so that a block waits for one batch at most."""
        try:
            while not self._closed:
                async with self._turn:
                    if not await self._prune_batch():
                        return
        except CorruptStore as error:
            self._met(error)
        except StoreError as error:
            log.error("pruning stops until the next block: %s", error)

    async def _prune_batch(self) -> bool:
        """Whether there was something to prune."""
        batch = await in_slices(self._store.pruning.next_batch())
        if batch is None:
            return False
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.prune, batch)
        return True

    def _applied(self, task: asyncio.Task[BlockApplied]) -> None:
        self._applying.discard(task)
        if task.cancelled():
            return
        error, lacked_room = task.exception(), self._lacks_room
        self._lacks_room = isinstance(error, DiskFull)
        if isinstance(error, DiskFull):
            if not lacked_room:  # said once: it is tried again every second
                log.error("a block was not applied: %s (%s)", error, error.reason)
        elif error is not None:
            log.error("a block was not applied: %s", error)
