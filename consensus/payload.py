"""What the core needs of a mempool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chain.proposals import Proposal
from chain.types import Gas


@dataclass(frozen=True, slots=True)
class Pending:
    """What a proposal on the branch followed could hold now.

    `packable`: at least one transaction, if blocks are made at once. `full`: they fill it. `operation`: one waits, and
    no other is under way. `transactions`: how many have nothing to wait for but a block; `in_step` says that the newest
    executed block changed the accounts of all who sent them, and that none of these has sent two.
    """

    packable: bool
    full: bool
    operation: bool = False
    transactions: int = 0
    in_step: bool = False


@dataclass(frozen=True, slots=True)
class Packed:
    """What the next proposal holds: transactions, an operation, or one that makes a block of them."""

    transactions: tuple[bytes, ...]
    operation: bytes | None


class Payload(Protocol):
    def follow(self, blocks: Sequence[Proposal]) -> None:
        """From now on the next proposal would come after these block-making, unexecuted ancestors, oldest first."""
        ...

    def pending(self) -> Pending: ...

    def pack(self) -> Packed:
        """What goes into the next proposal, the best first; it stays in the mempool until execution took it."""
        ...

    def interval_ms(self, started_with: int | None) -> int | None:
        """How often at least a block is made, None for not at all; `started_with` unless operations have changed it."""
        ...

    def check(self, proposal: Proposal, gas_limit: Gas) -> None:
        """Raises TransactionsTooLarge, UndecodableTransaction or WrongOperation for what a proposal may not hold."""
        ...
