"""What re-executing a block adds to its record: names for what its transactions touched, and the critical path."""

from dataclasses import dataclass

from chain.types import Address
from rpc.block_execution import BlockExecution
from rpc.methods import Node
from rpc.naming.names import Names


@dataclass(frozen=True, slots=True)
class Explanation:
    """`critical_path` are places in the block of the longest chain of real dependencies; None if it is not known."""

    names: Names
    critical_path: tuple[int, ...] | None
    critical_path_us: int | None


async def explanation_of(node: Node, execution: BlockExecution) -> Explanation:
    names = await node.naming.names(execution.block.version, addresses_in(execution))
    return Explanation(names, None, None)


def addresses_in(execution: BlockExecution) -> set[Address]:
    """The accounts that the record speaks of."""
    found = {each.to for each in execution.transactions if each.to is not None}
    for each in execution.transactions:
        found |= {wait.address for wait in each.record.waits}
        found |= {run.conflict.address for run in each.record.attempts if run.conflict is not None}
    return found
