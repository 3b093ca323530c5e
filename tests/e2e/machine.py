"""Whether the machine had time for what a test measures: one that is busy with other things proves nothing slow."""

import os
import time
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
NEEDED = 0.25
"""Of one core. Less left over than that, and somebody may have had to wait for one."""


class MachineWatch:
    """Looks at how much of the machine nobody uses, from when it is made on."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._idle_s = _idle_s()

    def was_busy(self) -> bool:
        """Whether hardly anything of it was left over so far."""
        return _idle_s() - self._idle_s < NEEDED * (time.monotonic() - self._since)


def _idle_s() -> float:
    """Seconds that its cores had nothing to do, and waited for no disk either, all together."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return int(fields[4]) / CLOCK_TICKS
