"""What every tracer is: told of one run, it gives the JSON that geth's tracer of this name gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chain.messages.execution import BlockEnvironment
from chain.transactions import Transaction
from chain.types import Address, Hash32
from execution.errors import ExecutionError
from execution.evm.stepping import Listener
from execution.outcome import Outcome, StateView

Options = Mapping[str, Any]
MAX_TRACE_BYTES = 64 * 1024 * 1024
"""Of JSON: what a tracer holds in memory at most, and what all runs of a request come to."""


class TraceTooLarge(ExecutionError):
    """A trace of more than MAX_TRACE_BYTES."""

    def __init__(self) -> None:
        super().__init__(
            f"the trace is larger than {MAX_TRACE_BYTES // 1024 // 1024} MB: "
            "set disableStack or limit, or choose callTracer"
        )


class UnknownTracer(ExecutionError):
    """geth takes a name that it does not know for JavaScript, and says this of it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"ReferenceError: {name} is not defined at <eval>:1:2(0)")


class BadTracerOptions(ExecutionError):
    """Options that contradict each other, or are of another type."""


GO_KINDS: dict[type, str] = {str: "string", list: "array", dict: "object"}


def flag(options: Options, struct: str, name: str) -> bool:
    """An option that is true or false, false where it is absent or null. `struct` is Go's name of the options.

    Raises BadTracerOptions in geth's words.
    """
    value = options.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    found = GO_KINDS.get(type(value), "number")
    raise BadTracerOptions(f"json: cannot unmarshal {found} into Go struct field {struct}.{name} of type bool")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a transaction is."""

    block_hash: Hash32
    index: int


@dataclass(frozen=True, slots=True)
class Run:
    """A transaction, or a call in its shape, about to run on `view`. `first_log` counts the block's logs before it.

    `place` is None for a call.
    """

    transaction: Transaction
    sender: Address
    environment: BlockEnvironment
    view: StateView
    precompiles: frozenset[Address]
    first_log: int
    place: Place | None


class Tracer(Listener, ABC):
    """One run's trace. `began`, then what a Listener is told, then `ended` and `result`."""

    def __init__(self) -> None:
        self._bytes = 0

    def grow(self, size: int) -> None:
        """Counts what is kept. Raises TraceTooLarge."""
        self._bytes += size
        if self._bytes > MAX_TRACE_BYTES:
            raise TraceTooLarge

    def began(self, run: Run) -> None: ...

    def ended(self, outcome: Outcome, after: StateView) -> None:
        """`after` is the state that the run leaves."""

    @abstractmethod
    def result(self) -> bytes:
        """JSON."""
