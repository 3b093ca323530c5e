"""What rpc is told while the chain runs, and who in rpc wants to know.

`process.py` receives the news, brings the chain view up to date first, and then tells each follower in turn, so that a
follower that asks the chain view sees the block it was told of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chain.messages.execution import BlockNews
from chain.messages.mempool import Evicted, PooledTransaction
from chain.messages.storage import StoredBlock
from chain.types import ValidatorIndex


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block came on top: execution's news of it, and the block with its receipts as storage has it."""

    news: BlockNews
    block: StoredBlock


@dataclass(frozen=True, slots=True)
class HeadChange:
    """What a height did to the chain: blocks taken back, newest first and as far as rpc remembers them, and new ones.

    `head` is the newest block after it. It is None, and there are no others, when storage is further on than the news
    and has taken that block back: the news of that comes next.
    """

    news: BlockNews
    removed: tuple[StoredBlock, ...]
    added: tuple[NewBlock, ...]
    head: StoredBlock | None


class Follower(Protocol):
    """Admission, subscriptions and filters. None of the methods may block for long: the head moves on meanwhile."""

    async def height_executed(self, change: HeadChange) -> None: ...

    async def transaction_evicted(self, validator: ValidatorIndex, evicted: Evicted) -> None:
        """`validator` gave the transaction up; others may still hold it."""
        ...


class PendingSource(Protocol):
    """Where transactions become pending: admission."""

    def on_pending(self, tell: Callable[[Sequence[PooledTransaction]], None]) -> None:
        """Have `tell` called, at once and for ever, with what becomes pending, in the order of the nonces."""
        ...
