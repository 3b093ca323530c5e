"""What re-executing a block adds to its record: names for what its transactions touched, and the critical path."""

import logging
from dataclasses import dataclass

from chain.types import Address
from rpc.block_execution import BlockExecution
from rpc.critical_path import CriticalPath, critical_path
from rpc.errors import ServerError
from rpc.methods import Node
from rpc.naming.names import Names

log = logging.getLogger("tandem.rpc")


@dataclass(frozen=True, slots=True)
class Explanation:
    """`critical_path` are places in the block of the longest chain of real dependencies; None if it is not known."""

    names: Names
    critical_path: tuple[int, ...] | None
    critical_path_us: int | None


async def explanation_of(node: Node, execution: BlockExecution) -> Explanation:
    """Names are better after the block was traced, since that tells what was hashed."""
    path = await _critical_path(node, execution)
    names = await node.naming.names(execution.block.version, addresses_in(execution))
    return Explanation(names, None, None) if path is None else Explanation(names, path.places, path.us)


async def _critical_path(node: Node, execution: BlockExecution) -> CriticalPath | None:
    """None if the block cannot be traced: its record is worth telling all the same."""
    thread_us = [each.record.attempts[-1].thread_us for each in execution.transactions if each.index is not None]
    try:
        trace = await node.traces.of(execution.block)
    except ServerError as reason:
        log.warning("block %d is told without its critical path: %s", execution.block.header.number, reason)
        return None
    return critical_path(trace.transactions, trace.case.accounts, thread_us)


def addresses_in(execution: BlockExecution) -> set[Address]:
    """The accounts that the record speaks of."""
    found = {each.to for each in execution.transactions if each.to is not None}
    for each in execution.transactions:
        found |= {wait.address for wait in each.record.waits}
        found |= {run.conflict.address for run in each.record.attempts if run.conflict is not None}
    return found
