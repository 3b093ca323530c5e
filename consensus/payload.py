"""What the core needs of a mempool."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chain.proposals import Proposal
from chain.types import Gas


@dataclass(frozen=True, slots=True)
class Pending:
    """What a proposal on the branch followed could hold now.

    `packable`: at least one transaction. `full`: they fill it.
    """

    packable: bool
    full: bool


class Payload(Protocol):
    def follow(self, blocks: Sequence[Proposal]) -> None:
        """From now on the next proposal would come after these block-making, unexecuted ancestors, oldest first."""
        ...

    def pending(self) -> Pending: ...

    def pack(self) -> tuple[bytes, ...]:
        """Transactions for the next proposal, best first; they stay in the mempool until execution took them."""
        ...

    def check(self, proposal: Proposal, gas_limit: Gas) -> None:
        """Raises TransactionsTooLarge or UndecodableTransaction for what a proposal may not hold."""
        ...
