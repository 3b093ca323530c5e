"""What an operator chooses for a validator; what all must agree on is in genesis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsensusSettings:
    """`block_interval_ms` makes a block at least that often, even an empty one; None makes blocks only for work."""

    block_interval_ms: int | None = None


DEFAULT_SETTINGS = ConsensusSettings()
