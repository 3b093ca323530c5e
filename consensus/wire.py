"""What validators say to each other."""

from dataclasses import dataclass

from chain.codec import message
from chain.proposals import Certificate, Proposal, SignedTimeout, TimeoutCertificate
from chain.types import Hash32, Round, ValidatorIndex


@message(10)
@dataclass(frozen=True, slots=True)
class ProposalMessage:
    """A leader's proposal, signed by it."""

    proposal: Proposal
    signature: bytes


@message(11)
@dataclass(frozen=True, slots=True)
class Vote:
    """To the leaders of this round and the next: I voted for `proposal`."""

    round: Round
    proposal: Hash32
    validator: ValidatorIndex
    signature: bytes


@message(12)
@dataclass(frozen=True, slots=True)
class Timeout:
    """To everyone: I give up `round`.

    `certificate` is the highest one known, whose round the timeout signs. `timeout_certificate` is what brought its
    sender into the round, if a timeout did, so that whoever is behind can follow.
    """

    round: Round
    certificate: Certificate
    timeout_certificate: TimeoutCertificate | None
    timeout: SignedTimeout


@message(13)
@dataclass(frozen=True, slots=True)
class SyncInfo:
    """Where a validator stands: sent to a peer that connects or is seen to be behind, and to all before silence."""

    certificate: Certificate
    timeout_certificate: TimeoutCertificate | None


@message(14)
@dataclass(frozen=True, slots=True)
class FetchProposals:
    """Send me the chain after what I have. Answer: Proposals.

    A depth counts proposals from genesis (0). The asker has `known` at `known_depth`; if that is on another branch
    than the asked validator's, it starts after `committed_depth`, below which all branches are one.

    `missing` certifies what the asker has not. Its signers have it, but need not know that it is certified; until they
    do, no chain of theirs leads there.
    """

    known: Hash32
    known_depth: int
    committed_depth: int
    missing: Certificate


@message(15)
@dataclass(frozen=True, slots=True)
class Proposals:
    """Consecutive proposals, encoded, oldest first. Each carries its parent's certificate, `certificate` is the last's.

    Empty when there is nothing newer.
    """

    proposals: tuple[bytes, ...]
    certificate: Certificate | None
