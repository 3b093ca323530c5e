"""What a task may cost the worker that runs it: processor time, whose end ends the process, and memory.

Neither changes a result: whoever waits for the task gives it to another worker or runs it without these limits, and
only gas says how far a transaction comes. They keep a bad task, or a defect of ours, from holding a worker for ever.
"""

import contextlib
import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chain.types import Gas

TASK_LIMIT_S, TASK_LIMIT_GAS = 10.0, 30_000_000
"""A task may be a full block, which takes a few seconds for so much gas; blocks of a higher limit have more time."""
MEMORY_LIMIT_BYTES = 1024 * 1024 * 1024
"""On top of what the process has when it starts. A block's code, state and compiled programs take a tenth of that."""
STATUS = Path("/proc/self/status")
TIME_IS_UP = signal.SIGPROF
"""What ends a worker whose task took too long."""


def task_limit_s(gas_limit: Gas) -> float:
    """Seconds that a task of a block with this gas limit may take."""
    return TASK_LIMIT_S * max(1.0, gas_limit / TASK_LIMIT_GAS)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """The limits of one worker process. `share_of_time` is of `task_limit_s`."""

    memory_bytes: int = MEMORY_LIMIT_BYTES
    share_of_time: float = 1.0

    def limit_memory(self) -> None:
        """From now on this process gets MemoryError instead of more, which fails the run that asked for it.

        Where /proc is missing nothing is limited.
        """
        if not STATUS.exists():
            return
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = _data_bytes() + self.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if most < 0 else min(wanted, most), most))

    @contextlib.contextmanager
    def time_limit(self, gas_limit: Gas) -> Iterator[None]:
        """Ends the process when what is inside has used up its processor time, also within a native library.

        Waiting for storage, or for a turn on a busy machine, does not count.
        """
        signal.setitimer(signal.ITIMER_PROF, task_limit_s(gas_limit) * self.share_of_time)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


DEFAULT_LIMITS = WorkerLimits()


def _data_bytes() -> int:
    """What this process has of what RLIMIT_DATA limits."""
    (line,) = [row for row in STATUS.read_text().splitlines() if row.startswith("VmData")]
    return int(line.split()[1]) * 1024
