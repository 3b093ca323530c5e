"""What an operator chooses for a validator; what all must agree on is in genesis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsensusSettings:
    """`block_interval_ms` makes a block at least that often, even an empty one; None makes blocks only for work.

    `executors` is how many full executors there should be: more than half of them must agree on a block.
    """

    block_interval_ms: int | None = None
    executors: int = 1


DEFAULT_SETTINGS = ConsensusSettings()
