"""What a replica wants done. Commands are carried out in order; each is complete before the next begins."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from chain.proposals import Certificate, Proposal, TimeoutCertificate
from chain.types import Hash32, Height, ValidatorIndex
from consensus.errors import ConsensusError
from consensus.events import PeerMessage, Timer
from consensus.wire import FetchProposals

SafetyRecord: TypeAlias = Any
"""What a replica must never forget: the rule set's own dataclass (`consensus.rules.RuleSet.safety`)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A committed proposal and its depth: how many proposals from genesis (0)."""

    depth: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Persist:
    """One atomic write. `synced` when a signature depends on it: nothing after it may happen before it is durable.

    `safety` is None when unchanged. `accepted` are proposals not stored yet, `committed` extends the committed chain,
    `abandoned` are proposals of other branches, which may be deleted.
    """

    safety: SafetyRecord | None
    accepted: tuple[Proposal, ...]
    committed: tuple[Placed, ...]
    abandoned: tuple[Hash32, ...]
    synced: bool


@dataclass(frozen=True, slots=True)
class Send:
    """To each of these peers, never to oneself. May be lost."""

    to: tuple[ValidatorIndex, ...]
    message: PeerMessage


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Replaces the timer of the same kind."""

    timer: Timer
    token: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class Commit:
    """Final, oldest first, in the order of the chain; includes proposals that make no block.

    `following` come after them up to the one whose `certificate`, completed here, commits them. Others know of it
    later. Nothing is said of how when it was heard from a peer.
    """

    proposals: tuple[Placed, ...]
    following: tuple[Proposal, ...] = ()
    certificate: Certificate | None = None

    @property
    def makes_block(self) -> bool:
        return any(placed.proposal.takes_height for placed in self.proposals)


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate newer than any before is known here. `height` is its proposal's, None while that is missing.

    For those who watch: nothing else depends on it.
    """

    certificate: Certificate
    height: Height | None


@dataclass(frozen=True, slots=True)
class RoundGivenUp:
    """A timeout certificate newer than any before is known here. For those who watch, as `Certified`."""

    certificate: TimeoutCertificate


@dataclass(frozen=True, slots=True)
class ServeProposals:
    """Answer `to` with `Proposals`: the committed chain after what it has, then `uncommitted`, within bounds.

    `certificate` is that of the last uncommitted proposal, or of the newest committed one if there is none. It stands
    at `depth`, and nothing above goes into the answer: more may be committed before this is carried out.
    """

    to: ValidatorIndex
    request: FetchProposals
    uncommitted: tuple[Placed, ...]
    depth: int
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Report:
    """Something an operator should see: a peer's message was refused, or results disagree."""

    peer: ValidatorIndex | None
    error: ConsensusError


Command: TypeAlias = (
    Persist | Send | SetTimer | CancelTimer | Commit | Certified | RoundGivenUp | ServeProposals | Report
)
