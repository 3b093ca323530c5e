"""What validators make of the executors, as rpc tells the supervisor."""

from dataclasses import dataclass

from chain.codec import message
from chain.messages.mempool import WrongExecutor
from chain.types import Height


@message(122)
@dataclass(frozen=True, slots=True)
class ExecutorsVerdict:
    """rpc → supervisor: stop the wrong executors, and let all others with numbers below `wanted` run. Answer: Done.

    `disputed` is the height on which the executors differ so that nobody can say which of them is wrong, else 0.
    """

    wanted: int
    disputed: Height
    wrong: tuple[WrongExecutor, ...]
