"""Whether the machine had time for what a test measures: one that is busy with other things proves nothing slow."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
NEEDED_IDLE = 0.25
"""Of one core. Less left over than that, and somebody may have had to wait for one."""
NAP_S = 0.1
MOST_LATE = 0.2
"""Of the time: somebody who sleeps for NAP_S again and again and is woken so late gets no core when it wants one,
whatever the machine has left, since a container may use but a part of it."""


class MachineWatch:
    """Looks how busy the machine is from the beginning of a block to its end."""

    def __enter__(self) -> "MachineWatch":
        self.was_busy = False
        self._late_s = 0.0
        self._over = threading.Event()
        self._napping = threading.Thread(target=self._nap, daemon=True)
        self._since, self._idle_s = time.monotonic(), _idle_s()
        self._napping.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._napping.join()
        passed_s = time.monotonic() - self._since
        left_over = _idle_s() - self._idle_s > NEEDED_IDLE * passed_s
        self.was_busy = not left_over or self._late_s > MOST_LATE * passed_s

    def _nap(self) -> None:
        began = time.monotonic()
        while not self._over.wait(NAP_S):
            self._late_s += time.monotonic() - began - NAP_S
            began = time.monotonic()


def _idle_s() -> float:
    """Seconds that its cores had nothing to do, and waited for no disk either, all together."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return int(fields[4]) / CLOCK_TICKS
