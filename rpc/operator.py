"""Has operations carried out: sends each to every validator, and waits until execution says what became of it.

One after the other, because each has the number of those before it. Of another rpc's life, one with the same number may
wait in a mempool; then that one comes first, and ours is sent again under the next number.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from chain.links import Link, LinkClosed, RequestFailed
from chain.messages.execution import BlockNews
from chain.operations import AdmitOperations, Operation, OperationDone, OperationsAdmitted, OrderedOperation, ordered
from chain.types import ValidatorIndex
from rpc.chain_view import ChainView
from rpc.errors import ServerError
from rpc.tasks import Tasks

EXECUTE_TIMEOUT_S = 30.0
MAX_ATTEMPTS = 8

log = logging.getLogger("tandem.rpc")


class OperationRefused(ServerError):
    """An operation failed, or no validator takes it."""


class OperationNotExecuted(ServerError):
    def __init__(self) -> None:
        super().__init__(
            f"not executed within {EXECUTE_TIMEOUT_S:g} s, and may still be: validators with more than two thirds of "
            "the stake must run"
        )


class Operator:
    """`send_waiting` sends validators what they are to have before an operation, which may make a block of it."""

    def __init__(
        self,
        chain: ChainView,
        validators: Mapping[ValidatorIndex, Link],
        tasks: Tasks,
        send_waiting: Callable[[], None],
    ) -> None:
        self._chain = chain
        self._validators = validators
        self._tasks = tasks
        self._send_waiting = send_waiting
        self._turn = asyncio.Lock()
        self._sent: OrderedOperation | None = None
        self._done: asyncio.Future[OperationDone] | None = None
        self._refused_by = 0

    async def execute(self, operation: Operation) -> int:
        """The operation's value, once it is executed and the chain can be read as it left it.

        Raises OperationRefused, OperationNotExecuted.
        """
        async with self._turn:
            for _ in range(MAX_ATTEMPTS):
                done = await self._attempt(ordered(self._chain.settings.operations, operation))
                if done is not None:
                    if done.error:
                        raise OperationRefused(done.error)
                    return done.value
        raise OperationRefused("others take every turn: try again")

    def height_executed(self, news: BlockNews) -> None:
        """The news of a height, which everything else in rpc has heard."""
        if self._sent is None or self._done is None or self._done.done():
            return
        if news.operation is not None and news.operation.hash == self._sent.hash():
            self._done.set_result(news.operation)
        elif news.settings.operations > self._sent.sequence:
            self._done.cancel()

    def validator_joined(self, validator: ValidatorIndex) -> None:
        """It may not have what is to be executed."""
        if self._sent is not None:
            self._tasks.start(self._send(validator, self._sent))

    async def _attempt(self, sent: OrderedOperation) -> OperationDone | None:
        """What became of it; None if another took its place."""
        self._sent, self._refused_by = sent, 0
        self._done = done = asyncio.get_running_loop().create_future()
        self._send_waiting()
        for validator, link in self._validators.items():
            if link.connected:
                self._tasks.start(self._send(validator, sent))
        try:
            async with asyncio.timeout(EXECUTE_TIMEOUT_S):
                await asyncio.wait((done,))
        except TimeoutError:
            raise OperationNotExecuted from None
        finally:
            self._sent = None
        return None if done.cancelled() else done.result()

    async def _send(self, validator: ValidatorIndex, sent: OrderedOperation) -> None:
        try:
            answer: OperationsAdmitted = await self._validators[validator].request(AdmitOperations((sent,)))
        except RequestFailed as failure:
            if failure.error != LinkClosed.__name__:
                self._refused(validator, sent, failure.text)
        else:
            if answer.refusal:
                self._refused(validator, sent, answer.refusal)

    def _refused(self, validator: ValidatorIndex, sent: OrderedOperation, reason: str) -> None:
        """Fails the operation when nobody who is there may take it."""
        log.warning("validator %d refused an operation: %s", validator, reason)
        if self._sent != sent or self._done is None or self._done.done():
            return
        self._refused_by |= 1 << validator
        others = [i for i, link in self._validators.items() if link.connected and not self._refused_by >> i & 1]
        if not others:
            self._done.set_result(OperationDone(sent.hash(), 0, reason))
