"""What a worker of a Dask cluster does with a task: runs it, or says what it must be told first.

It reaches no storage: a run that misses something ends with the request for it, and starts again once the answer came
with the task. What a speculator learnt stays in its process, as in a worker of the pool.
"""

import functools
from collections import OrderedDict
from threading import Lock

from chain.codec import decode_message, encode_message
from chain.forks import Fork
from chain.messages import Message
from chain.messages.tasks import RunTransactions
from execution.engine import Engine
from execution.errors import ExecutionError
from execution.speculation import MissingAnswer, Speculator
from execution.worker import UnexpectedTask

MAX_LIVES = 8
"""Speculators in one process: one for each executor that the cluster works for; the rest are of executors gone."""


class ForgottenLife(ExecutionError):
    """The task goes on where another process of this worker ended: execution must begin anew with it."""


class ToldReads:
    """The answers that came with a task, in place of a connection to storage."""

    def __init__(self) -> None:
        self._answers: dict[bytes, bytes] = {}

    def tell(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers

    def request(self, message: Message) -> Message:
        """Raises MissingAnswer."""
        answer = self._answers.get(encode_message(message))
        if answer is None:
            raise MissingAnswer(message)
        return decode_message(answer)


_lives: OrderedDict[str, tuple[Speculator, ToldReads]] = OrderedDict()
_one_at_a_time = Lock()


def get_ready() -> None:
    """Nothing more: a worker that was asked for it has imported what tasks need, which may take longer than a task."""


def run_task(life: str, evm: str, task: bytes, answers: dict[bytes, bytes]) -> tuple[bool, bytes]:
    """An encoded TransactionsRun, or (False) the request that must be answered first. `life` names a picture of the
    state that tasks build on one after the other. Raises ForgottenLife.
    """
    message = decode_message(task)
    if not isinstance(message, RunTransactions):
        raise UnexpectedTask(message)
    with _one_at_a_time:
        speculator, reads = _living(life, evm, message.reset)
        reads.tell(answers)
        try:
            return True, encode_message(speculator.run(message))
        except MissingAnswer as missing:
            return False, encode_message(missing.request)


def _living(life: str, evm: str, begins: bool) -> tuple[Speculator, ToldReads]:
    if life not in _lives:
        if not begins:
            raise ForgottenLife(f"this process never heard of {life}")
        reads = ToldReads()
        _lives[life] = Speculator(functools.partial(_engine, evm), reads), reads
    _lives.move_to_end(life)
    while len(_lives) > MAX_LIVES:
        _lives.popitem(last=False)
    return _lives[life]


@functools.cache
def _engine(evm: str, fork: Fork) -> Engine:
    return Engine(fork, evm)
