"""Operations: an operator's changes that are not transactions, ordered by consensus like them.

Each has a sequence number, as a sender's transactions have nonces: execution carries out the one whose turn it is,
once. What operations have set for the blocks to come are the chain's `BlockSettings`, which all executors derive.
"""

from dataclasses import dataclass
from typing import TypeAlias

from chain.codec import MessageError, decode_message, encode_message, encode_value, message
from chain.keccak import keccak256
from chain.types import Address, BlockNumber, Gas, Hash32, PretendedSignature, Wei

MAX_MINED_BLOCKS = 256
"""Blocks that one operation makes: they are executed and written as one."""
MAX_IMPERSONATED = 1_024
"""Accounts that may send without a signature at a time."""
MAX_SIGNATURES = 256
"""That are taken for an account's at a time."""


class UnknownOperation(MessageError):
    """A message that is no operation."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} is no operation")


@dataclass(frozen=True, slots=True)
class BlockSettings:
    """What operations have set for the blocks to come. Times in seconds.

    `time_offset` is added to the leader's clock. `next_...` are for the next block only. `interval_ms` makes blocks at
    that interval, 0 none, None as the validators were started. `impersonated` send without a signature; what those who
    are `released` sent before still counts. `operations` have been executed so far, `snapshots` taken. To blocks before
    `oldest` no way leads back: some executor may have pruned their states before a way back made the chain shorter.
    The chain began anew `resets` times.
    `chain_id` is what genesis has, if None. `logs`: the terminal is told of blocks and of what contracts log.
    ECRECOVER takes each of `signatures` for its account's, whatever was signed.
    """

    time_offset: int = 0
    next_timestamp: int | None = None
    timestamp_interval: int | None = None
    next_base_fee: Wei | None = None
    next_prev_randao: Hash32 | None = None
    beneficiary: Address | None = None
    gas_limit: Gas | None = None
    automine: bool = True
    interval_ms: int | None = None
    auto_impersonate: bool = False
    impersonated: tuple[Address, ...] = ()
    released: tuple[Address, ...] = ()
    operations: int = 0
    snapshots: int = 0
    oldest: BlockNumber = BlockNumber(0)
    resets: int = 0
    chain_id: int | None = None
    logs: bool = True
    signatures: tuple[PretendedSignature, ...] = ()

    def impersonates(self, sender: Address) -> bool:
        """Whether this account may send without a signature now."""
        return self.auto_impersonate or sender in self.impersonated

    def may_impersonate(self, sender: Address) -> bool:
        """Whether a transaction that nobody signed counts as this sender's in a block."""
        return self.impersonates(sender) or sender in self.released


INITIAL_SETTINGS = BlockSettings()

AS_STARTED = -1
"""The interval that validators were started with."""


@message(140)
@dataclass(frozen=True, slots=True)
class SetAccount:
    """Give an account these values; None leaves one as it is. `added_balance` comes on top of the balance."""

    address: Address
    balance: Wei | None = None
    added_balance: Wei = Wei(0)
    nonce: int | None = None
    code: bytes | None = None
    slots: tuple[tuple[int, int], ...] = ()


@message(159)
@dataclass(frozen=True, slots=True)
class LoadAccounts:
    """Give accounts these values, as anvil loads a state: the greater nonce stays, the one there is or the one given,
    and so do slots that are not named.
    """

    accounts: tuple[SetAccount, ...]


@message(141)
@dataclass(frozen=True, slots=True)
class Mine:
    """Make so many blocks, at most MAX_MINED_BLOCKS, the first with the transactions that wait.

    The others come `interval` seconds after the one before; None leaves that to the clock.
    """

    blocks: int
    interval: int | None = None


@message(142)
@dataclass(frozen=True, slots=True)
class ShiftTime:
    """Let the clock go on so many seconds later (or, below zero, earlier)."""

    seconds: int


@message(143)
@dataclass(frozen=True, slots=True)
class SetTime:
    """Let the clock go on from this time, in seconds since 1970."""

    timestamp: int


@message(144)
@dataclass(frozen=True, slots=True)
class SetNextTimestamp:
    """The next block has this time, and the clock goes on from it."""

    timestamp: int


@message(145)
@dataclass(frozen=True, slots=True)
class SetTimestampInterval:
    """Each block comes so many seconds after its parent; None leaves it to the clock again."""

    seconds: int | None


@message(146)
@dataclass(frozen=True, slots=True)
class SetNextBaseFee:
    base_fee: Wei


@message(147)
@dataclass(frozen=True, slots=True)
class SetNextPrevRandao:
    prev_randao: Hash32


@message(148)
@dataclass(frozen=True, slots=True)
class SetBeneficiary:
    beneficiary: Address


@message(149)
@dataclass(frozen=True, slots=True)
class SetGasLimit:
    gas_limit: Gas


@message(169)
@dataclass(frozen=True, slots=True)
class SetChainId:
    """The blocks to come take transactions of this chain, and their contracts see it."""

    chain_id: int


@message(170)
@dataclass(frozen=True, slots=True)
class SetLogs:
    """Whether the terminal is told of blocks and of what contracts log."""

    on: bool


@message(171)
@dataclass(frozen=True, slots=True)
class ImpersonateSignature:
    """ECRECOVER takes a signature of SIGNATURE_BYTES for this account's, whatever was signed."""

    signature: bytes
    address: Address


@message(150)
@dataclass(frozen=True, slots=True)
class SetProduction:
    """Make blocks at once when there are transactions (`automine`), at an interval (0: never; AS_STARTED: as validators
    were started). None: as before.
    """

    automine: bool | None = None
    interval_ms: int | None = None


@message(151)
@dataclass(frozen=True, slots=True)
class Impersonate:
    """Whether an account may send without a signature; every account if none is given."""

    address: Address | None
    allowed: bool


@message(152)
@dataclass(frozen=True, slots=True)
class DropTransactions:
    """These waiting transactions leave the mempools."""

    hashes: tuple[Hash32, ...]


@message(153)
@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Remember the state and the newest block. Value: the snapshot's id, counted from 1."""


@message(154)
@dataclass(frozen=True, slots=True)
class RevertToSnapshot:
    """Take the chain back to a snapshot, which is deleted with all taken after it. Value: 1, or 0 if there is none.

    Of `history` blocks before the newest the states are kept, None: of all.
    """

    snapshot: int
    history: int | None = None


@message(155)
@dataclass(frozen=True, slots=True)
class RevertToBlock:
    """Take the chain back to a block, to the first one if `fresh`: all that operations have set is forgotten then too.

    Of `history` blocks before the newest the states are kept, None: of all; `oldest` is the oldest block whose state
    every executor had when this was asked for, which an earlier start with less `history` may have made younger. Both
    are said here so that all executors go back or none: when they prune is theirs alone, and an executor that comes
    later may keep more or less.
    """

    number: BlockNumber
    fresh: bool = False
    history: int | None = None
    oldest: BlockNumber = BlockNumber(0)


StateOperation: TypeAlias = SetAccount | LoadAccounts
SettingsOperation: TypeAlias = (
    ShiftTime
    | SetTime
    | SetNextTimestamp
    | SetTimestampInterval
    | SetNextBaseFee
    | SetNextPrevRandao
    | SetBeneficiary
    | SetGasLimit
    | SetProduction
    | SetChainId
    | SetLogs
    | Impersonate
    | ImpersonateSignature
)
RevertOperation: TypeAlias = RevertToSnapshot | RevertToBlock
Operation: TypeAlias = StateOperation | SettingsOperation | RevertOperation | Mine | DropTransactions | TakeSnapshot
OPERATIONS = (
    SetAccount,
    LoadAccounts,
    Mine,
    ShiftTime,
    SetTime,
    SetNextTimestamp,
    SetTimestampInterval,
    SetNextBaseFee,
    SetNextPrevRandao,
    SetBeneficiary,
    SetGasLimit,
    SetProduction,
    SetChainId,
    SetLogs,
    Impersonate,
    ImpersonateSignature,
    DropTransactions,
    TakeSnapshot,
    RevertToSnapshot,
    RevertToBlock,
)


@message(156)
@dataclass(frozen=True, slots=True)
class OrderedOperation:
    """An operation in its place: `sequence` operations were executed before it. `operation` is a message, encoded."""

    sequence: int
    operation: bytes

    def hash(self) -> Hash32:
        return keccak256(encode_message(self))

    def decoded(self) -> Operation:
        """Raises MessageError."""
        found = decode_message(self.operation)
        if not isinstance(found, OPERATIONS):
            raise UnknownOperation(type(found).__name__)
        return found


def ordered(sequence: int, operation: Operation) -> OrderedOperation:
    return OrderedOperation(sequence, encode_message(operation))


@message(157)
@dataclass(frozen=True, slots=True)
class AdmitOperations:
    """rpc → validator: keep these until they are executed. Answer: OperationsAdmitted, once they are durable."""

    operations: tuple[OrderedOperation, ...]


@message(158)
@dataclass(frozen=True, slots=True)
class OperationsAdmitted:
    """validator → rpc: why operations are refused here; empty if all were taken."""

    refusal: str


@dataclass(frozen=True, slots=True)
class OperationDone:
    """What became of an operation: its value if `error` is empty. An operation that fails changes nothing."""

    hash: Hash32
    value: int
    error: str


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """What is kept of an operation: what became of it, whose nonce or balance it changed, which waiting transactions it
    dropped, and whether it took blocks back.
    """

    done: OperationDone
    senders: tuple[Address, ...]
    dropped: tuple[Hash32, ...]
    reverted: bool


def result_of(head_hash: Hash32, state_root: Hash32, settings: BlockSettings) -> Hash32:
    """What validators agree on after a height that made no block. After one that did it is its newest header's hash."""
    return keccak256(b"tandem operation" + head_hash + state_root + keccak256(encode_value(settings)))
