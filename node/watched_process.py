"""One of the chain's processes, as the supervisor sees it: what it is meant to do, and what has become of it."""

import contextlib
import os
from dataclasses import dataclass
from enum import Enum, auto

from chain.messages.faults import NO_ROOM

RESTART_FIRST_S = 0.05


class Wanted(Enum):
    """What a process is meant to do."""

    RUN = auto()
    PAUSE = auto()
    STAY_DOWN = auto()
    RETIRE = auto()
    """Its executor is wrong: it never runs again."""


@dataclass(slots=True)
class WatchedProcess:
    """`starting`: the fork server was asked for it. `restarting`: it was killed in order to start again.
    `lacks_room`: it ended because it could not write, and has not run for a while since.
    """

    name: str
    server: str
    pid: int | None = None
    starting: bool = False
    restarting: bool = False
    lacks_room: bool = False
    wanted: Wanted = Wanted.RUN
    started_at: float = 0.0
    restarts: int = 0
    delay_s: float = RESTART_FIRST_S

    @property
    def stays_down(self) -> bool:
        return self.wanted in (Wanted.STAY_DOWN, Wanted.RETIRE)

    @property
    def living_pid(self) -> int | None:
        """None also for one that was killed and may not be gone yet."""
        return self.pid if self.state in ("running", "paused") else None

    @property
    def state(self) -> str:
        if self.stays_down:
            return "killed" if self.wanted is Wanted.STAY_DOWN else "wrong"
        if self.pid is None or self.restarting:
            return NO_ROOM if self.lacks_room else "starting"
        return "paused" if self.wanted is Wanted.PAUSE else "running"


def send_signal(pid: int, number: int) -> None:
    """To a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
