"""A connection in memory, which shows what a server does with the bytes that it is handed."""

import asyncio
from collections import deque
from typing import Any


class Wire(asyncio.Transport):
    """A connection in memory: what was written, and pieces that are handed over as the server takes them."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.protocol: Any = None
        self.pieces: deque[bytes] = deque()
        self._is_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """uvloop's raises once it is closed, and the process ends if nobody takes care."""
        if self.is_closed:
            raise RuntimeError("the handler is closed")
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def hand_over(self) -> None:
        if self.pieces and not self._is_paused and not self.is_closed:
            self.receive(self.pieces.popleft())

    def receive(self, data: bytes) -> None:
        """Hand it over as the event loop does: within no task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        asyncio.tasks._leave_task(loop, task)
        try:
            self.protocol.data_received(data)
        finally:
            asyncio.tasks._enter_task(loop, task)
