"""Where a fork begins."""

from dataclasses import dataclass
from typing import Any

from chain.headers import Header
from chain.types import Address, BlockNumber, Hash32


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """The block of the remote after which a fork goes on. `by_hash`: the remote reads state by block hash (EIP-1898),
    so that it cannot answer with that of another block.
    """

    number: BlockNumber
    hash: Hash32
    by_hash: bool

    @property
    def parameter(self) -> Any:
        """The block as a parameter of the methods that read state."""
        return {"blockHash": "0x" + self.hash.hex()} if self.by_hash else hex(self.number)


@dataclass(frozen=True, slots=True)
class RemoteBase:
    """The remote's chain id, the block with its header, the nonces that development accounts have there, and the system
    contracts that have code there.
    """

    chain_id: int
    point: ForkPoint
    header: Header
    nonces: dict[Address, int]
    contracts: frozenset[Address]
