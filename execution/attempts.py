"""What a block's run notes of each transaction while it goes on: runs, stale reads, waits. Tuples, since they are many.

Whether a conflict was a real dependency is known only when the block is done: see execution.dependencies.
"""

from typing import NamedTuple

from chain.records import AccessKind, AttemptResult
from chain.types import Address


class StaleRead(NamedTuple):
    """A read whose value was another one when its transaction's turn came. Fields as in chain.records.Conflict."""

    kind: AccessKind
    address: Address
    slot: int
    seen: int
    found: int
    writer: int


class Ran(NamedTuple):
    """One run of a transaction. Fields as in chain.records.AttemptRecord; `stale` is empty unless it lost."""

    result: AttemptResult
    worker: str
    start_us: int
    end_us: int
    thread_us: int
    stale: tuple[StaleRead, ...] = ()


class Waited(NamedTuple):
    """A strategy let a transaction wait for the one at `writer`. Fields as in chain.records.WaitRecord."""

    kind: AccessKind
    address: Address
    slot: int
    writer: int
