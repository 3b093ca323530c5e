"""What can go wrong in consensus: messages that are refused, and facts that must never be."""

from chain.messages.mempool import WrongExecutor
from chain.types import Hash32, Height, Round, ValidatorIndex


class ConsensusError(Exception):
    """The base class of this room. `culprit` is who is to blame, if not whoever sent what raised it."""

    culprit: ValidatorIndex | None = None


class UnknownRuleSet(ConsensusError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"unknown consensus rule set {name!r}: this version knows {', '.join(known)}")


class UnknownLeaderSchedule(ConsensusError):
    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"unknown leader schedule {name!r}: this version knows {', '.join(known)}")


class StakesTooFine(ConsensusError):
    def __init__(self, turns: int, most: int) -> None:
        super().__init__(
            f"these stakes, without their common divisor, sum up to {turns:,} where {most:,} is the most: "
            "give rounder ones in about the same proportion"
        )


class NotAValidator(ConsensusError):
    """The index or the private key that this validator was started with is not the one genesis names."""


class ConflictingCommit(ConsensusError):
    """Certificates commit two branches: more than a third of the stake is faulty. Going on would hide it."""

    def __init__(self, committed: Hash32, conflicting: Hash32) -> None:
        super().__init__(f"{conflicting.hex()} would be committed beside {committed.hex()}, which is committed already")


class CannotEquivocate(ConsensusError):
    def __init__(self, validators: int, fewest: int) -> None:
        super().__init__(f"to tell others different things takes {fewest} validators, this chain has {validators}")


class StoreOfAnotherChain(ConsensusError):
    def __init__(self, found: bytes, expected: bytes) -> None:
        super().__init__(
            f"this validator's store belongs to the chain {found.hex()}, not to {expected.hex()}: "
            "start with the options it was made with, or choose another data folder"
        )


class NewerStore(ConsensusError):
    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"this validator's store has format {found}, this version knows up to {known}: "
            "use the newer version, or choose another data folder"
        )


class StoreIncomplete(ConsensusError):
    """A proposal that the store's own cursor names is not in it."""

    def __init__(self, proposal: bytes) -> None:
        super().__init__(
            f"proposal {proposal.hex()} is missing from this validator's store: "
            "run `tandem repair` on the data folder, or put a backup in its place"
        )


class Rejected(ConsensusError):
    """A peer's message that must not be acted on. Subclasses name the cause; peers are counted by them."""


class UnknownValidator(Rejected):
    def __init__(self, index: int) -> None:
        super().__init__(f"there is no validator {index}")


class WrongSignature(Rejected):
    def __init__(self, kind: str, validator: ValidatorIndex, round: Round) -> None:
        super().__init__(f"the signature on validator {validator}'s {kind} of round {round} does not verify")


class InvalidCertificate(Rejected):
    """Too little stake, a signer twice, or a round that does not fit."""


class WrongLeader(Rejected):
    def __init__(self, proposer: ValidatorIndex, leader: ValidatorIndex, round: Round) -> None:
        super().__init__(f"validator {proposer} proposed in round {round}, whose leader is {leader}")


class Equivocation(Rejected):
    """A validator signed two different things for one round. Both signatures are evidence."""

    def __init__(self, kind: str, validator: ValidatorIndex, round: Round) -> None:
        super().__init__(f"validator {validator} signed two different {kind}s in round {round}")
        self.culprit = validator


class WrongParent(Rejected):
    """The parent is not the certified proposal, or rounds do not grow."""


class WrongHeight(Rejected):
    def __init__(self, height: Height, expected: Height) -> None:
        super().__init__(f"height {height} where {expected} belongs")


class WrongInputs(Rejected):
    """Beneficiary, randomness, gas limit or transactions that this proposal may not have."""


class WrongTimestamp(Rejected):
    def __init__(self, timestamp_ms: int, earliest_ms: int, latest_ms: int) -> None:
        super().__init__(f"timestamp {timestamp_ms} ms is outside {earliest_ms}..{latest_ms}")


class ExecutedWentBack(Rejected):
    """The execution result a proposal carries is older than its parent's, or of a block that is not an ancestor."""


class LagTooLong(Rejected):
    def __init__(self, height: Height, executed: Height, max_lag: int) -> None:
        super().__init__(f"height {height} while only {executed} is executed: the chain allows a lag of {max_lag}")


class TransactionsTooLarge(Rejected):
    """More gas or bytes than a proposal may hold."""


class WrongOperation(Rejected):
    """A proposal's operation is none, comes with transactions that it does not take, or this chain allows none."""


class UndecodableTransaction(Rejected):
    """A proposal holds bytes that are no signed transaction."""


class ExecutionConflict(Rejected):
    """A proposal carries another hash for a block than this validator's execution got."""

    def __init__(self, height: Height, theirs: Hash32, ours: Hash32) -> None:
        super().__init__(
            f"the result of height {height} is 0x{theirs.hex()} for the proposer, 0x{ours.hex()} for our execution"
        )


class WrongResult(ConsensusError):
    """An executor contradicts the others, or itself."""

    def __init__(self, wrong: WrongExecutor) -> None:
        expected = "the majority of the executors has" if wrong.by_majority else "it said before"
        super().__init__(
            f"executor {wrong.executor} computed a wrong block at height {wrong.height}: 0x{wrong.said.hex()}, "
            f"where {expected} 0x{wrong.expected.hex()}"
        )


class OutOfWindow(Rejected):
    """Of a round too far ahead of ours to keep."""

    def __init__(self, round: Round, current: Round) -> None:
        super().__init__(f"round {round} is too far ahead of the current round {current}")


class SecondHand(Rejected):
    """Validators pass on nothing signed of each other: who says what another said replays it."""

    def __init__(self, kind: str, validator: ValidatorIndex, sender: ValidatorIndex) -> None:
        super().__init__(f"validator {sender} sent a {kind} of validator {validator}")


class Late(Rejected):
    """What honest peers too say late or twice. Only how often it comes can tell that somebody replays."""


class LateVote(Late):
    """The first time: after that it is `RepeatedVote`."""

    def __init__(self, validator: ValidatorIndex, round: Round, certified: Round) -> None:
        super().__init__(f"validator {validator}'s vote of round {round}, where round {certified} has a certificate")


class OldVote(Late):
    """Of a round long over, as whoever comes back says its last one."""

    def __init__(self, validator: ValidatorIndex, round: Round, current: Round) -> None:
        super().__init__(f"validator {validator}'s vote of round {round}, and the current one is {current}")


class RepeatedVote(Late):
    """Said again to a peer whose link comes back, since it may have been lost, and to the same proposal again."""

    def __init__(self, validator: ValidatorIndex, round: Round) -> None:
        super().__init__(f"validator {validator}'s vote of round {round} once more")


class LateTimeout(Late):
    def __init__(self, validator: ValidatorIndex, round: Round, current: Round) -> None:
        super().__init__(f"validator {validator} gives up round {round}, and the current one is {current}")


class RepeatedTimeout(Late):
    """Said again, as everyone does while a round leads nowhere."""

    def __init__(self, validator: ValidatorIndex, round: Round) -> None:
        super().__init__(f"validator {validator} gives up round {round} once more")


class LateProposal(Late):
    def __init__(self, round: Round, committed: Round) -> None:
        super().__init__(f"a proposal of round {round}, where round {committed} is committed")


class KnownProposal(Late):
    def __init__(self, round: Round) -> None:
        super().__init__(f"the proposal of round {round} once more")


class OldNews(Late):
    def __init__(self, round: Round, known: Round) -> None:
        super().__init__(f"a certificate of round {round}, where that of round {known} is known")


class RepeatedQuestion(Late):
    """A request for proposals that a newer one of the same peer came with."""


class UnexpectedProposals(Rejected):
    """Proposals that were not asked for, or that do not link to what is known."""


class UnprovenPeer(Rejected):
    """A connection that calls itself a validator and has not that validator's signature."""

    def __init__(self, name: str) -> None:
        super().__init__(f"it calls itself {name!r} and has not that validator's signature")


class MalformedFrame(Rejected):
    """A frame that is not one of those that validators send."""


class MalformedMessage(Rejected):
    """Bytes that are no message of this version, or one with a field of another type."""


class OversizedMessage(Rejected):
    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a message of {size} bytes where {limit} are allowed")


class NotAPeerMessage(Rejected):
    def __init__(self, name: str) -> None:
        super().__init__(f"a {name}, which is nothing validators say to each other")


class Flooded(Rejected):
    def __init__(self, dropped: int) -> None:
        super().__init__(f"more than its share of messages at once: the oldest went ({dropped})")


class UnknownRequest(ConsensusError):
    def __init__(self, name: str) -> None:
        super().__init__(f"validators do not answer {name}")
