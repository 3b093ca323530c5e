"""The asking end: a link to one serving process, which outlives that process's deaths."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from chain.codec import decode_message, encode_message
from chain.links import LinkClosed, RequestFailed
from chain.messages import Message
from chain.messages.link import Failed
from node.queues.dialing import Dialer
from node.queues.frames import MAX_PAYLOAD_BYTES, Connection, Kind

UNANSWERED_BYTES = 64 * 1024 * 1024
"""Requests sent and not answered; beyond it `request` waits before it sends."""
NOTIFY_QUEUE_BYTES = 8 * 1024 * 1024
"""One-way messages waiting for a full connection; beyond it the oldest goes and is counted."""
NOTIFY_QUEUE_MESSAGES = 32
"""So many wait whatever their size, but not between validators: a worker's few answers may have megabytes each."""
ACKNOWLEDGE_BYTES = 256 * 1024
"""News taken that the server is not told of yet: a frame for each piece of news would cost as much as the news. A
small part of what the server may send ahead (`serving.PUSH_WINDOW_BYTES`)."""

_Frame: TypeAlias = tuple[int, int, bytes]
"""Kind, number and payload."""
Prove: TypeAlias = Callable[[bytes], bytes]
"""Signs the bytes that name a link."""

log = logging.getLogger("tandem.queues")


@dataclass(slots=True)
class _Unanswered:
    payload: bytes
    answer: "asyncio.Future[Message]"


class AskingSocket:
    """A link to the process that serves at `endpoint` (implements chain.links.Link).

    `name` is this process's role and index; peers see it. `on_connection` hears of each connection made or lost.
    `prove` signs the name, for a server that believes only those.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        on_connection: Callable[[bool], None] | None = None,
        prove: Prove | None = None,
    ) -> None:
        self._identity = identity_of(name, prove)
        self._connection: Connection | None = None
        self._dialer = Dialer(endpoint, lambda: Connection(self))
        self._on_connection = on_connection
        self._connected = False
        self._closed = False
        self._last_number = 0
        self._follow_number = 0
        self._unanswered: dict[int, _Unanswered] = {}
        self._unanswered_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._unsent: deque[_Frame] = deque()
        """What waits for room in the connection; requests are counted as unanswered."""
        self._notices: deque[bytes] = deque()
        self._notice_bytes = 0
        self._notices_kept = NOTIFY_QUEUE_MESSAGES if prove is None else 0
        self.dropped_frames = 0
        self._follow_request: Callable[[], Message] | None = None
        self._pushed: deque[bytes | None] = deque()
        """News to take; None says that the follow must be sent again. The server's window bounds it."""
        self._taker: asyncio.Task[None] | None = None
        self._taker_sleeps: asyncio.Future[None] | None = None
        self._dialer.dial()

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def queued_bytes(self) -> int:
        return self._unanswered_bytes + self._notice_bytes

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        if timeout_s is None:
            return await self._request(message)
        async with asyncio.timeout(timeout_s):
            return await self._request(message)

    def notify(self, message: Message) -> bool:
        return self.notify_encoded(encode_message(message))

    def notify_encoded(self, payload: bytes) -> bool:
        """As `notify`; whoever tells several peers the same need not encode it for each."""
        if not self._connected or self._closed:
            return False
        if self._notices or not self._sent((Kind.NOTIFY, 0, payload)):
            self._notices.append(payload)
            self._notice_bytes += len(payload)
            while self._notice_bytes > NOTIFY_QUEUE_BYTES and len(self._notices) > self._notices_kept:
                self._notice_bytes -= len(self._notices.popleft())
                self.dropped_frames += 1
        return True

    def follow(self, request: Callable[[], Message], take: Callable[[Message], Awaitable[None]]) -> None:
        assert self._follow_request is None, "a link carries one followed stream"
        self._follow_request = request
        self._taker = asyncio.create_task(self._take_pushed(take))
        self._taker.add_done_callback(report_failure)
        if self._connected:
            self._follow_anew()

    async def close(self) -> None:
        self._closed = True
        self._connected = False
        self._dialer.close()
        if self._connection is not None:
            self._connection.abort()
        for unanswered in self._unanswered.values():
            if not unanswered.answer.done():
                unanswered.answer.set_exception(LinkClosed())
        self._unanswered.clear()
        if self._taker is not None:
            self._taker.cancel()
            await asyncio.gather(self._taker, return_exceptions=True)

    async def _request(self, message: Message) -> Message:
        payload = encode_message(message)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise RequestFailed("FrameTooLarge", f"a request of {len(payload)} bytes")
        while self._unanswered_bytes > UNANSWERED_BYTES:
            self._room.clear()
            await self._room.wait()
        if self._closed:
            raise LinkClosed()
        number = self._number()
        entry = self._unanswered[number] = _Unanswered(payload, asyncio.get_running_loop().create_future())
        self._unanswered_bytes += len(payload)
        frame = (Kind.REQUEST, number, payload)
        if self._connected:
            self._send(frame)
        try:
            answer = await entry.answer
        except asyncio.CancelledError:
            if frame in self._unsent:
                self._unsent.remove(frame)
            raise
        finally:
            self._unanswered.pop(number, None)
            self._unanswered_bytes -= len(payload)
            self._room.set()
        if isinstance(answer, Failed):
            raise RequestFailed(answer.error, answer.text)
        return answer

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    # What the connection tells (node.queues.frames.Owner)

    def opened(self, connection: Connection) -> None:
        former, self._connection = self._connection, connection
        if former is not None:  # of an attempt that was given up and came through
            former.abort()
        connection.send(Kind.HELLO, 0, self._identity)

    def took(self, connection: Connection, kind: int, number: int, payload: bytes) -> None:
        if kind == Kind.ANSWER:
            self._answered(number, decode_message(payload))
        elif kind == Kind.PUSH and number == self._follow_number:
            self._pushed.append(payload)
            self._wake_taker()
        elif kind == Kind.WELCOME:
            self._welcomed()
        elif kind == Kind.LAGGED:
            self._follow_anew()

    def got_room(self, connection: Connection) -> None:
        while self._unsent and self._sent(self._unsent[0]):
            self._unsent.popleft()
        while not self._unsent and self._notices and self._sent((Kind.NOTIFY, 0, self._notices[0])):
            self._notice_bytes -= len(self._notices.popleft())

    def lost(self, connection: Connection) -> None:
        if connection is not self._connection:  # of an attempt that was given up
            return
        was_connected, self._connected = self._connected, False
        self._connection = None
        self._unsent.clear()
        self._notices.clear()
        self._notice_bytes = 0
        self._dialer.dial()
        if was_connected and self._on_connection is not None:
            self._on_connection(False)

    def _answered(self, number: int, answer: Message) -> None:
        entry = self._unanswered.get(number)
        if entry is not None and not entry.answer.done():
            entry.answer.set_result(answer)
        elif number == self._follow_number and isinstance(answer, Failed):
            log.error("cannot follow: %s: %s", answer.error, answer.text)

    def _welcomed(self) -> None:
        self._connected = True
        self._dialer.settled()
        self._unsent.clear()
        for number, entry in self._unanswered.items():
            self._send((Kind.REQUEST, number, entry.payload))
        if self._follow_request is not None:
            self._follow_anew()
        if self._on_connection is not None:
            self._on_connection(True)

    def _send(self, frame: _Frame) -> None:
        """In its turn: what finds the connection full waits for room."""
        if self._unsent or not self._sent(frame):
            self._unsent.append(frame)

    def _sent(self, frame: _Frame) -> bool:
        connection = self._connection
        return connection is not None and connection.has_room and connection.send(*frame)

    def _follow_anew(self) -> None:
        """Drop what was pushed and not taken; the taker then asks again from its cursor, which has not seen it."""
        self._follow_number = 0
        self._pushed.clear()
        self._pushed.append(None)
        self._wake_taker()

    def _wake_taker(self) -> None:
        if self._taker_sleeps is not None and not self._taker_sleeps.done():
            self._taker_sleeps.set_result(None)

    async def _take_pushed(self, take: Callable[[Message], Awaitable[None]]) -> None:
        taken_bytes = told_bytes = 0
        while True:
            while not self._pushed:  # asyncio's queue does the same in three times the time
                self._taker_sleeps = asyncio.get_running_loop().create_future()
                await self._taker_sleeps
            payload = self._pushed.popleft()
            if payload is None:
                taken_bytes = told_bytes = 0
                self._send_follow()
                continue
            await take(decode_message(payload))
            taken_bytes += len(payload)
            if self._connected and taken_bytes - told_bytes >= ACKNOWLEDGE_BYTES:
                told_bytes = taken_bytes
                self._send((Kind.ACKNOWLEDGE, taken_bytes, b""))

    def _send_follow(self) -> None:
        assert self._follow_request is not None
        if self._connected:
            self._follow_number = self._number()
            self._send((Kind.FOLLOW, self._follow_number, encode_message(self._follow_request())))


def report_failure(task: "asyncio.Task[None]") -> None:
    """Give a background task's error to the loop's exception handler, by which the process ends and is restarted."""
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler({"message": "a follower failed", "exception": error, "task": task})


def identity_of(name: str, prove: Prove | None = None) -> bytes:
    """The name and a number that tells this link from all others, and, if asked for, the proof of both."""
    life = name.encode() + b":" + os.urandom(8).hex().encode()
    return life if prove is None else life + b":" + prove(life).hex().encode()
