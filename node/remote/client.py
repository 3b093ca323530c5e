"""JSON-RPC over HTTP with the patience that public nodes need.

Calls travel in batches. A remote that refuses a batch gets smaller ones, down to single calls. What may pass by itself
(no connection, no answer in time, "too many requests", a server's own failure) is tried again with growing pauses
until the budget of time is used up. After that the remote counts as down: further calls are tried once, until one
succeeds, so that nobody waits long for a remote that is gone. Who has just given the URL waits for no connection: an
address where nobody listens is more likely wrong than about to answer.
"""

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import aiohttp
import orjson

from node.remote.address import masked
from storage.remote import RemoteForbids, RemoteNonsense, RemoteUnavailable, RemoteUnreachable

log = logging.getLogger("tandem.remote")

FIRST_BATCH = 100
"""Calls in a batch; public nodes allow 100 to 1,000, or refuse."""
MAX_REQUESTS = 8
"""HTTP requests under way at once."""
ATTEMPT_S = 6.0
FIRST_PAUSE_S, MOST_PAUSE_S = 0.1, 2.0
MAX_ANSWER_BYTES = 48 * 1024 * 1024
"""Less than a message between processes may have."""
PASSING_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529))
FORBIDDEN_STATUSES = frozenset((401, 402, 403, 407))
TOO_OFTEN_CODES = frozenset((429, -32005, -32029, -32097))
TOO_OFTEN_WORDS = ("rate limit", "too many requests", "compute units", "capacity", "throughput", "request limit")


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class CallError:
    """The error object of an answer."""

    code: int
    message: str
    data: Any = None

    @property
    def asks_for_patience(self) -> bool:
        """Whether the same call may be answered a little later."""
        words = self.message.lower()
        return self.code in TOO_OFTEN_CODES or any(each in words for each in TOO_OFTEN_WORDS)


Answer = Any
"""The result of a call, or its CallError."""


class _Passing(Exception):
    """An attempt failed in a way that may pass; `pause_s` is what the remote asked for, if it did."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause_s = pause_s


class _Unconnected(_Passing):
    """Nobody listens there, or the way there is unknown."""


class _BatchRefused(Exception):
    """The remote does not take so many calls at once."""


class JsonRpcClient:
    """One remote. `close` ends its connections. `pause` waits so many seconds, `now` tells them.

    Without `awaits_connection` one that cannot be made is told at once, and why a call is tried again is logged.
    """

    def __init__(
        self,
        url: str,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
        *,
        awaits_connection: bool = True,
    ) -> None:
        self.shown = masked(url)
        self.requests = 0
        self.calls: Counter[str] = Counter()
        self._url = url
        self._pause = pause
        self._now = now
        self._ids = count(1)
        self._batch_size = FIRST_BATCH
        self._room = asyncio.Semaphore(MAX_REQUESTS)
        self._session: aiohttp.ClientSession | None = None
        self._down = False
        self._awaits_connection = awaits_connection

    async def call(self, calls: Sequence[Call], budget_s: float) -> list[Answer]:
        """The answers in order. Raises RemoteUnavailable, RemoteForbids, RemoteNonsense."""
        return await self._all(calls, self._now() + budget_s)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _all(self, calls: Sequence[Call], deadline: float) -> list[Answer]:
        size = self._batch_size
        parts = [calls[at : at + size] for at in range(0, len(calls), size)]
        if len(parts) == 1:
            return await self._part(parts[0], deadline)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._part(part, deadline)) for part in parts]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [answer for task in tasks for answer in task.result()]

    async def _part(self, calls: Sequence[Call], deadline: float) -> list[Answer]:
        answers: dict[int, Answer] = {}
        waiting = list(range(len(calls)))
        pause_s = FIRST_PAUSE_S
        while waiting:
            try:
                asked = [calls[index] for index in waiting]
                answers.update(zip(waiting, await self._attempt(asked, deadline), strict=True))
            except _BatchRefused:
                self._batch_size = max(1, min(self._batch_size, len(waiting) // 2))
                answers.update(zip(waiting, await self._all(asked, deadline), strict=True))
                break
            except _Unconnected as trouble:
                if not self._awaits_connection:
                    raise RemoteUnreachable(self.shown, trouble.reason) from None
                await self._wait(trouble.reason, pause_s, deadline)
            except _Passing as trouble:
                await self._wait(trouble.reason, trouble.pause_s or pause_s, deadline)
            else:
                waiting = [index for index in waiting if _asks_for_patience(answers[index])]
                if waiting:
                    await self._wait(f"answers: {answers[waiting[0]].message}", pause_s, deadline)
            pause_s = min(2 * pause_s, MOST_PAUSE_S)
        self._down = False
        return [answers[index] for index in range(len(calls))]

    async def _wait(self, reason: str, pause_s: float, deadline: float) -> None:
        if self._down or self._now() + pause_s >= deadline:
            self._down = True
            raise (RemoteUnavailable if self._awaits_connection else RemoteUnreachable)(self.shown, reason)
        if not self._awaits_connection:
            log.warning("the remote chain at %s %s: trying again", self.shown, reason)
        await self._pause(pause_s)

    async def _attempt(self, calls: Sequence[Call], deadline: float) -> list[Answer]:
        """One HTTP request. Raises _Passing and _BatchRefused besides what `call` raises."""
        first = next(self._ids)
        self._ids = count(first + len(calls))
        rows = [
            {"jsonrpc": "2.0", "id": first + index, "method": call.method, "params": call.params}
            for index, call in enumerate(calls)
        ]
        async with self._room:
            left_s = deadline - self._now()
            if left_s <= 0:
                raise _Passing("does not answer in time")
            self.requests += 1
            self.calls.update(call.method for call in calls)
            body = await self._exchange(
                orjson.dumps(rows[0] if len(rows) == 1 else rows), min(left_s, ATTEMPT_S), len(rows)
            )
        return self._answers(body, range(first, first + len(rows)))

    async def _exchange(self, body: bytes, timeout_s: float, size: int) -> Any:
        try:
            async with asyncio.timeout(timeout_s):
                async with self._opened().post(self._url, data=body, allow_redirects=False) as response:
                    content = await self._content(response)
        except TimeoutError:
            when = "in time" if timeout_s < ATTEMPT_S else f"within {timeout_s:.0f} s"
            raise _Passing(f"does not answer {when}") from None
        except aiohttp.ClientPayloadError as error:
            raise _Passing("breaks off its answer") from error
        except aiohttp.ClientConnectorError as error:
            raise _Unconnected(f"cannot be reached ({_cause(error)})") from error
        except aiohttp.ClientError as error:
            raise _Passing(f"cannot be reached ({_cause(error)})") from error
        self._check_status(response, size)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise RemoteNonsense(self.shown, f"what is not JSON: {_excerpt(content)}") from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        chunks, size = [], 0
        async for chunk in response.content.iter_chunked(1 << 16):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise RemoteNonsense(self.shown, f"more than {MAX_ANSWER_BYTES >> 20} MB at once")
            chunks.append(chunk)
        return b"".join(chunks)

    def _check_status(self, response: aiohttp.ClientResponse, size: int) -> None:
        status = response.status
        if status < 300:
            return
        said = f"answers with HTTP status {status}"
        if status in PASSING_STATUSES:
            raise _Passing(said, _retry_after_s(response))
        if status in FORBIDDEN_STATUSES:
            raise RemoteForbids(self.shown, said)
        if size > 1 and status >= 400:
            raise _BatchRefused
        raise RemoteNonsense(self.shown, f"with HTTP status {status}")

    def _answers(self, body: Any, ids: range) -> list[Answer]:
        if len(ids) == 1 and isinstance(body, dict):
            return [self._answer(body)]
        if not isinstance(body, list):
            error = body.get("error") if isinstance(body, dict) else None
            if len(ids) > 1 and error is not None and not _asks_for_patience(_call_error(error)):
                raise _BatchRefused
            if error is not None:
                raise _Passing(f"answers: {_call_error(error).message}")
            raise RemoteNonsense(self.shown, f"a batch with {_excerpt(orjson.dumps(body))}")
        by_id = {row["id"]: row for row in body if isinstance(row, dict) and isinstance(row.get("id"), int)}
        if not all(each in by_id for each in ids):
            if len(ids) > 1 and len(body) <= 1:
                raise _BatchRefused
            raise RemoteNonsense(self.shown, "a batch without some of its answers")
        return [self._answer(by_id[each]) for each in ids]

    def _answer(self, row: dict[str, Any]) -> Answer:
        if row.get("error") is not None:
            return _call_error(row["error"])
        if "result" not in row:
            raise RemoteNonsense(self.shown, f"without a result: {_excerpt(orjson.dumps(row))}")
        return row["result"]


def _call_error(error: Any) -> CallError:
    if not isinstance(error, dict):
        return CallError(-32603, str(error)[:300])
    code = error.get("code")
    return CallError(code if isinstance(code, int) else -32603, str(error.get("message", ""))[:1000], error.get("data"))


def _asks_for_patience(answer: Answer) -> bool:
    return isinstance(answer, CallError) and answer.asks_for_patience


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Seconds that the remote asks to wait for (RFC 9110); a date counts as nothing said."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), 60.0) if said.isdigit() else None


def _cause(error: aiohttp.ClientError) -> str:
    """The system's words, without the URL that aiohttp puts into its own."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        return os.strerror(number) if number > 0 else str(error.os_error.strerror)
    return type(error).__name__


def _excerpt(content: bytes) -> str:
    return repr(content[:80].decode(errors="replace"))
