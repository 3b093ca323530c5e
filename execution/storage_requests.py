"""Asking storage with patience: while its disk is full or it is restarting, the chain waits instead of failing."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from chain.links import Link, RequestFailed
from chain.messages import Message

log = logging.getLogger("tandem.execution")

HICCUPS = {
    "StorageClosed": "storage is going down, the chain waits for it",
    "TooManyWaiting": "storage is overloaded, the chain waits",
}
"""Refusals that pass by themselves, by their error class, and what is logged."""
PASSING = frozenset(
    ("DiskFull", "RemoteUnavailable", "RemoteForbids", "RemoteLacksState", "RemoteNonsense", "OtherRemote", *HICCUPS)
)
"""These, and what passes when somebody makes room, or mends the remote chain of a fork."""
PAUSE_S = 1.0


class BlockingReads(Protocol):
    """A worker's connection to storage."""

    def request(self, message: Message) -> Message:
        """The answer to a ReadState or ReadHashes. Waits while storage is away."""
        ...


class StorageRequests(Protocol):
    """Asks storage."""

    async def request(self, message: Message) -> Message: ...


class _Stalls:
    """Who waits for what is told once, however many requests wait for it."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        self._trouble = trouble
        self._reasons: dict[object, str] = {}

    @property
    def reason(self) -> str:
        """What is waited for; nothing if nothing is."""
        return next(iter(self._reasons.values()), "")

    def refused(self, request: object, error: RequestFailed) -> None:
        """Raises the error if it will not pass."""
        if error.error not in PASSING:
            raise error
        if error.error in HICCUPS:
            log.warning("%s: %s", HICCUPS[error.error], error)
            return
        if error.text not in self._reasons.values():
            self._trouble(error.text)
        self._reasons[request] = error.text

    def over(self, request: object) -> None:
        self._reasons.pop(request, None)


class PatientReads:
    """A worker's connection to storage whose passing refusals are waited out, holding the worker."""

    def __init__(self, storage: BlockingReads, trouble: Callable[[str], None], pause_s: float = PAUSE_S) -> None:
        self._storage = storage
        self._pause_s = pause_s
        self._stalls = _Stalls(trouble)

    def request(self, message: Message) -> Message:
        """The answer. Raises RequestFailed for a refusal that will not pass."""
        request = object()
        try:
            while True:
                try:
                    return self._storage.request(message)
                except RequestFailed as error:
                    self._stalls.refused(request, error)
                    time.sleep(self._pause_s)
        finally:
            self._stalls.over(request)


class PatientStorage:
    """A link to storage whose passing refusals are waited out. `trouble` hears of each reason once."""

    def __init__(self, storage: Link, trouble: Callable[[str], None], pause_s: float = PAUSE_S) -> None:
        self._storage = storage
        self._pause_s = pause_s
        self._stalls = _Stalls(trouble)

    @property
    def stalled(self) -> str:
        """What somebody has to mend before the chain goes on; nothing if it goes."""
        return self._stalls.reason

    async def request(self, message: Message) -> Message:
        """The answer. Raises RequestFailed for a refusal that will not pass."""
        request = object()
        try:
            while True:
                try:
                    return await self._storage.request(message)
                except RequestFailed as error:
                    self._stalls.refused(request, error)
                    await asyncio.sleep(self._pause_s)
        finally:
            self._stalls.over(request)
