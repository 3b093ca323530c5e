"""Tasks that outlive the request that started them, and their owner."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from chain.links import LinkClosed

log = logging.getLogger("tandem.rpc")


class Tasks:
    """Runs tasks and waits for them at the end. What one raises is logged: nobody else is there to see it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel what runs and wait for its end."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, LinkClosed):
            log.error("a background task of rpc failed", exc_info=error)
