"""Whether the chain needs another proposal, and of what kind.

Every replica asks this of its own view: the leader of the round to propose, the others to know whether to wait for
it with a timer. When all of them answer NOTHING the chain is quiet and uses no CPU.
"""

from dataclasses import dataclass
from enum import Enum, auto

from chain.types import Height
from consensus.payload import Pending
from consensus.tree import Node

SEVERAL = 2
"""Transactions in a block that show that they come faster than blocks. Whoever sends one and waits for it sees none."""


class Work(Enum):
    NOTHING = auto()
    EMPTY = auto()
    """A proposal without a block: it carries certificates and results further."""
    UNHURRIED = auto()
    """An empty proposal that can wait a bit: one that only carries a result, which a block would carry as well, or one
    that only helps along whoever gave the round up, who may lie and have no reason to."""
    GATHERING = auto()
    """A block that can wait a moment for more transactions: the one before held several, so they keep coming, and each
    block costs as much as dozens of transactions in it."""
    BLOCK = auto()

    @property
    def makes_block(self) -> bool:
        return self in (Work.BLOCK, Work.GATHERING)


@dataclass(frozen=True, slots=True)
class View:
    """`tip` is the certified proposal to build on, `committed` the newest committed one, `result` the newest block
    that execution gave a result for. `due` says that the block interval has passed.
    """

    tip: Node
    committed: Node
    result: Height
    due: bool


def block_allowed(view: View, max_lag: int) -> bool:
    """Whether another block may be made: execution is near enough, and this replica knows what it did."""
    behind_peers = view.result < view.tip.executed.height or view.result > view.tip.height
    return not behind_peers and view.tip.height + 1 - view.result <= max_lag


def wanted(view: View, pending: Pending, max_lag: int) -> Work:
    """A block when an operation or transactions can go in and the block before is executed (else only if they fill it:
    bursts make few, full blocks), or when it is due; it may wait where transactions keep coming, unless those are there
    who sent the one before and waited for its receipts, as many as it and the one before that had: nobody is missing.
    Otherwise an empty
    proposal while a block is uncommitted, or the proposal that carries its newest result is; or one to carry that.
    Waiting for execution is not work.
    """
    executed = view.result >= view.tip.height
    ready = (pending.operation and executed) or (pending.packable and (executed or pending.full))
    if block_allowed(view, max_lag) and (view.due or ready):
        must = view.due or pending.operation or pending.full
        newest, before = view.tip.transactions, view.tip.transactions_before
        nobody_is_missing = pending.in_step and pending.transactions >= newest == before
        return Work.BLOCK if must or newest < SEVERAL or nobody_is_missing else Work.GATHERING
    if view.tip.height > view.committed.height:
        return Work.EMPTY
    verified = view.committed.executed.height
    if min(view.result, view.tip.height) > view.tip.executed.height:
        return Work.UNHURRIED
    return Work.EMPTY if view.tip.executed.height > verified else Work.NOTHING
