"""The operations that wait for their turn, by sequence number."""

from collections.abc import Iterable

from chain.codec import MessageError, decode_message
from chain.operations import Mine, Operation, OrderedOperation
from consensus.errors import WrongOperation

MAX_WAITING = 1_024
MAX_OPERATION_BYTES = 512 * 1024
"""As all transactions of a proposal."""


class OperationQueue:
    """Holds at most one operation of a number: of two that rpc gave the same one, the later is the one it waits for.

    `next` is the number of the one to execute.
    """

    def __init__(self, allowed: bool) -> None:
        self._allowed = allowed
        self._waiting: dict[int, OrderedOperation] = {}
        self.next = 0

    def restore(self, operations: Iterable[OrderedOperation], next_sequence: int) -> None:
        self.next = next_sequence
        self._waiting = {operation.sequence: operation for operation in operations}

    def refusal(self, operation: OrderedOperation) -> str:
        """Why it is not taken; empty if it is. One that is executed already is not needed, and no reason to refuse."""
        if not self._allowed:
            return "this chain was made with --no-dev-api: nothing but transactions changes it"
        if operation.sequence >= self.next + MAX_WAITING:
            return f"operation {operation.sequence} is too far ahead of {self.next}, which is next"
        if len(operation.operation) > MAX_OPERATION_BYTES:
            return f"an operation of {len(operation.operation)} bytes: at most {MAX_OPERATION_BYTES} are taken"
        return ""

    def add(self, operation: OrderedOperation) -> bool:
        """Whether there was need of it."""
        if operation.sequence < self.next or self._waiting.get(operation.sequence) == operation:
            return False
        self._waiting[operation.sequence] = operation
        return True

    def executed(self, next_sequence: int) -> list[int]:
        """Execution has come so far; the numbers of those that are done with."""
        self.next = max(self.next, next_sequence)
        gone = [sequence for sequence in self._waiting if sequence < self.next]
        for sequence in gone:
            del self._waiting[sequence]
        return gone

    @property
    def turn(self) -> OrderedOperation | None:
        """The one whose turn it is, if it is here."""
        return self._waiting.get(self.next)


def operation_in(encoded: bytes) -> Operation:
    """The operation that a proposal carries. Raises WrongOperation."""
    try:
        envelope = decode_message(encoded)
        if not isinstance(envelope, OrderedOperation):
            raise WrongOperation(f"a {type(envelope).__name__} where an operation belongs")
        return envelope.decoded()
    except MessageError as error:
        raise WrongOperation(str(error)) from error


def takes_transactions(operation: OrderedOperation) -> bool:
    """Whether it makes a block of what waits."""
    try:
        return isinstance(operation.decoded(), Mine)
    except MessageError:
        return False
