"""What validators tell those who watch: every change of a block's state, and how consensus goes, when asked."""

from dataclasses import dataclass
from enum import IntEnum

from chain.codec import message
from chain.types import Hash32, Height, Round, ValidatorIndex


class BlockStage(IntEnum):
    """How far a proposal that makes a block has come, as its validators can say. Each implies those before it, except
    that an abandoned one was never committed: another took its place.
    """

    PROPOSED = 1
    CERTIFIED = 2
    COMMITTED = 3
    VERIFIED = 4
    ABANDONED = 5


@dataclass(frozen=True, slots=True)
class StageReached:
    """The block-making proposal of `height` reached a stage at this validator at `at_ms` (since 1970)."""

    height: Height
    proposal: Hash32
    round: Round
    proposer: ValidatorIndex
    stage: BlockStage
    at_ms: int


@message(49)
@dataclass(frozen=True, slots=True)
class WatchBlocks:
    """rpc → validator, beside FollowConsensus: push BlockStages for the blocks after this height, those reached so far
    first. None: no more. Answer: Done.
    """

    after: Height | None


@message(48)
@dataclass(frozen=True, slots=True)
class BlockStages:
    """validator → rpc, to those who watch: what has just changed, in order."""

    reached: tuple[StageReached, ...]


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """Whose signatures a certificate, or a timeout certificate (`timeout`), has: the first that made a quorum.

    `height` is that of its proposal; None of a timeout, and while that is missing.
    """

    round: Round
    timeout: bool
    height: Height | None
    signers: tuple[ValidatorIndex, ...]


@message(126)
@dataclass(frozen=True, slots=True)
class ReadConsensus:
    """rpc → validator. Answer: ConsensusView."""


@message(127)
@dataclass(frozen=True, slots=True)
class ConsensusView:
    """What a validator knows beyond its news: the newest certificates, oldest first, and which leaders it suspects of
    being gone, so that it waits less for them.
    """

    certificates: tuple[SeenCertificate, ...]
    suspected: tuple[ValidatorIndex, ...]
