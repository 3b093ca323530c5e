"""What consensus orders: proposals, and the certificates that bind them.

A proposal's id is the hash of its canonical encoding. It carries the certificate of its parent, so that the chain of
proposals proves itself.
"""

from dataclasses import dataclass, field

from chain.codec import decode_value, encode_value
from chain.keccak import keccak256
from chain.types import Address, Gas, Hash32, Height, Round, ValidatorIndex


@dataclass(frozen=True, slots=True)
class SignedVote:
    """One validator's 64-byte Ed25519 signature inside a certificate."""

    validator: ValidatorIndex
    signature: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """More than two thirds of the stake voted for `proposal` in `round`. Genesis has one of round 0 without votes."""

    proposal: Hash32
    round: Round
    votes: tuple[SignedVote, ...]


@dataclass(frozen=True, slots=True)
class SignedTimeout:
    """One validator's word that it gave up `round`, and the round of the highest certificate it knew."""

    validator: ValidatorIndex
    highest_certificate_round: Round
    signature: bytes


@dataclass(frozen=True, slots=True)
class TimeoutCertificate:
    """More than two thirds of the stake gave up `round`."""

    round: Round
    timeouts: tuple[SignedTimeout, ...]

    @property
    def highest_certificate_round(self) -> Round:
        """The maximum of the signed values: the next proposal must carry a certificate at least as new."""
        return max(timeout.highest_certificate_round for timeout in self.timeouts)


@dataclass(frozen=True, slots=True)
class BlockInputs:
    """What a proposal fixes of the block it makes. Time in milliseconds since 1970."""

    timestamp_ms: int
    beneficiary: Address
    prev_randao: Hash32
    gas_limit: Gas


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """The newest result the proposer had: of which height, and what that is.

    `header_hash` is that of the block it made, or stands for the state and the settings if an operation made none.
    """

    height: Height
    header_hash: Hash32


@dataclass(frozen=True, slots=True)
class Proposal:
    """A consensus block.

    `height` counts the proposals that make blocks or carry an operation up to this one. Without `inputs` it does
    neither (a round that only carries certificates), and has the height of its newest ancestor that does.
    `transactions` are raw signed envelopes. `operation` is an OrderedOperation, encoded; with one that makes no block
    there are no transactions.
    """

    parent: Hash32
    round: Round
    proposer: ValidatorIndex
    certificate: Certificate
    timeout_certificate: TimeoutCertificate | None
    height: Height
    inputs: BlockInputs | None
    executed: ExecutedBlock
    transactions: tuple[bytes, ...]
    operation: bytes | None = None
    encoded: bytes = field(init=False, compare=False, repr=False)
    """The canonical encoding: what is hashed, stored and proven."""
    id: Hash32 = field(init=False, compare=False)

    @property
    def takes_height(self) -> bool:
        return self.inputs is not None

    def __post_init__(self) -> None:
        encoded = encode_value(self)
        object.__setattr__(self, "encoded", encoded)
        object.__setattr__(self, "id", keccak256(encoded))


@dataclass(frozen=True, slots=True)
class CommitProof:
    """Why a proposal is final, for whoever knows the validators' keys: what follows it up to a certified proposal,
    each the child of the one before and encoded, and the certificate of the last.
    """

    following: tuple[bytes, ...]
    certificate: Certificate


def encode_proposal(proposal: Proposal) -> bytes:
    """The canonical encoding, whose keccak-256 is the id."""
    return proposal.encoded


def decode_proposal(data: bytes) -> Proposal:
    """The proposal in an encoding; its id is computed anew. Raises MessageError."""
    return decode_value(Proposal, data)
