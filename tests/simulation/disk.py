"""A validator's disk: it keeps what was synced, may lose the rest, and a process can die at any write to it."""

from collections.abc import Callable, Mapping

from consensus.store import SAFETY_KEY
from tests.consensus.builders import CrashableDatabase


class Crashed(Exception):
    """The process is dead; nothing that was still to be done is done."""


class Disk(CrashableDatabase):
    """`signed` is called when the write that signatures wait for is there."""

    def __init__(self, signed: Callable[[], None]) -> None:
        super().__init__()
        self.writes = 0
        self._signed = signed
        self._writes_left: int | None = None
        self._dies_after = False

    def crash_at(self, write: int, after: bool) -> None:
        """At the `write`-th write from now (0 is the next): before it, or `after` it is durable."""
        self._writes_left, self._dies_after = write, after

    def repair(self) -> None:
        self._writes_left = None

    def write(self, batch: Mapping[bytes, bytes | None], sync: bool = True) -> None:
        dies = self._writes_left == 0
        if self._writes_left is not None:
            self._writes_left -= 1
        if dies and not self._dies_after:
            raise Crashed
        self.writes += 1
        super().write(batch, sync)
        if SAFETY_KEY in batch:
            self._signed()
        if dies:
            raise Crashed
