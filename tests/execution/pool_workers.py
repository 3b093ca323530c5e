"""Workers of a pool that only keep what they are sent, and a call for them."""

from typing import Any

from chain.messages import Message
from chain.messages.calls import CallMessage, CallOutcome, CallOutcomes, RunCall
from chain.types import ZERO_ADDRESS, Gas, Version, Wei
from tests.execution.test_transfers import ENVIRONMENT


class Worker:
    """A worker that keeps what is pushed."""

    def __init__(self, name: str, room: int = 100) -> None:
        self._name = name
        self.room = room
        self.open = True
        self.pushed: list[Any] = []

    @property
    def name(self) -> str:
        return self._name

    def push(self, message: Message) -> bool:
        if len(self.pushed) >= self.room:
            return False
        self.pushed.append(message)
        return True

    async def drained(self) -> None:
        return


CALL = RunCall(
    0,
    Version(1),
    ENVIRONMENT,
    CallMessage(ZERO_ADDRESS, ZERO_ADDRESS, Gas(100_000), Wei(0), Wei(0), Wei(0), b"", (), ()),
    estimate=False,
    time_limit_ms=0,
)


def answered(task: RunCall, output: bytes = b"ok") -> CallOutcomes:
    return CallOutcomes(task.call_id, (CallOutcome(output, "", Gas(1)),), 30)
