"""What re-executing a block adds to its record: names for what its transactions touched, and the critical path."""

from dataclasses import dataclass
from typing import Protocol

from chain.messages.storage import StoredBlock
from chain.types import Address
from rpc.methods import Node


class Names(Protocol):
    """How a developer calls what is an address, a slot or a selector to the chain; None where nobody can tell."""

    def contract(self, address: Address) -> str | None:
        """`Token`."""
        ...

    def function(self, address: Address, selector: bytes) -> str | None:
        """`transfer(address,uint256)`."""
        ...

    def variable(self, address: Address, slot: int, before: int | None, after: int | None) -> str | None:
        """`Token.balanceOf[0x…]`; of several that share the slot, those that differ between the two values."""
        ...


class NoNames:
    """Nothing is known of any contract."""

    def contract(self, address: Address) -> str | None:
        return None

    def function(self, address: Address, selector: bytes) -> str | None:
        return None

    def variable(self, address: Address, slot: int, before: int | None, after: int | None) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Explanation:
    """`critical_path` are places in the block of the longest chain of real dependencies; None if it is not known."""

    names: Names
    critical_path: tuple[int, ...] | None
    critical_path_us: int | None


async def explanation_of(node: Node, block: StoredBlock) -> Explanation:
    return Explanation(NoNames(), None, None)
