"""Asking storage with patience: while its disk is full or it is restarting, the chain waits instead of failing."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from chain.links import Link, RequestFailed
from chain.messages import Message
from chain.messages.storage import ApplyBlock

log = logging.getLogger("tandem.execution")

DISK_FULL = "DiskFull"
PASSING = {
    DISK_FULL: "the disk is full, the chain waits for room",
    "StorageClosed": "storage is going down, the chain waits for it",
    "TooManyWaiting": "storage is overloaded, the chain waits",
    "RemoteUnavailable": "the remote chain does not answer, the chain waits for it",
    "RemoteForbids": "the remote chain lets nobody in, the chain waits for it",
    "RemoteLacksState": "the remote chain lacks the state, the chain waits for it",
    "RemoteNonsense": "the remote chain makes no sense, the chain waits for it",
    "OtherRemote": "the remote chain is another one, the chain waits for the right one",
}
"""Refusals that time heals, by their error class, and what people are told."""
PAUSE_S = 1.0


class BlockingReads(Protocol):
    """A worker's connection to storage."""

    def request(self, message: Message) -> Message:
        """The answer to a ReadState or ReadHashes. Waits while storage is away."""
        ...


class StorageRequests(Protocol):
    """Asks storage."""

    async def request(self, message: Message) -> Message: ...


class PatientReads:
    """A worker's connection to storage whose passing refusals are waited out, holding the worker."""

    def __init__(self, storage: BlockingReads, pause_s: float = PAUSE_S) -> None:
        self._storage = storage
        self._pause_s = pause_s

    def request(self, message: Message) -> Message:
        """The answer. Raises RequestFailed for a refusal that will not pass."""
        while True:
            try:
                return self._storage.request(message)
            except RequestFailed as error:
                if error.error not in PASSING:
                    raise
                time.sleep(self._pause_s)


class PatientStorage:
    """A link to storage whose passing refusals are waited out.

    `stalled` says that its disk is full for as long as that lasts, else nothing. `trouble` hears of it once.
    """

    def __init__(self, storage: Link, trouble: Callable[[str], None], pause_s: float = PAUSE_S) -> None:
        self._storage = storage
        self._trouble = trouble
        self._pause_s = pause_s
        self.stalled = ""

    async def request(self, message: Message) -> Message:
        """The answer. Raises RequestFailed for a refusal that will not pass."""
        while True:
            try:
                answer = await self._storage.request(message)
                if isinstance(message, ApplyBlock):
                    self.stalled = ""
                return answer
            except RequestFailed as error:
                if error.error not in PASSING:
                    raise
                log.warning("%s: %s", PASSING[error.error], error)
                if error.error == DISK_FULL and not self.stalled:
                    self.stalled = error.text
                    self._trouble(error.text)
                await asyncio.sleep(self._pause_s)
