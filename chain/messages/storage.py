"""What storage is asked, and answers. Reads name a version and wait until it is applied; None means the newest."""

from dataclasses import dataclass

from chain.accounts import Account, AccountChange
from chain.blocks import Block, Withdrawal
from chain.codec import message
from chain.headers import Header
from chain.operations import BlockSettings
from chain.receipts import Receipt
from chain.types import Address, BlockNumber, Hash32, Height, Version


@message(50)
@dataclass(frozen=True, slots=True)
class ReadState:
    """Answer: StateValues, in the same order. A slot is (address, number).

    `since` asks for what has changed since that version as well.
    """

    version: Version | None
    accounts: tuple[Address, ...]
    slots: tuple[tuple[Address, int], ...]
    codes: tuple[Hash32, ...]
    since: Version | None = None


@dataclass(frozen=True, slots=True)
class ChangedValues:
    """What may have changed between two versions, as it is at the later one. A slot is (address, number, value)."""

    accounts: tuple[tuple[Address, Account], ...]
    slots: tuple[tuple[Address, int, int], ...]


@message(51)
@dataclass(frozen=True, slots=True)
class StateValues:
    """The values at `version`; an account that does not exist is the empty one.

    `changes` is None where they were not asked for, or are too many or forgotten.
    """

    version: Version
    accounts: tuple[Account, ...]
    slots: tuple[int, ...]
    codes: tuple[bytes, ...]
    changes: ChangedValues | None = None


@message(52)
@dataclass(frozen=True, slots=True)
class ApplyBlock:
    """execution → storage: one executed block, a height of its own. Answer: BlockApplied; the same proposal again
    gets the same answer.

    `header` lacks the parent hash and the state root (zero), which storage fills in. `parent_hash_slot` is where the
    parent's hash goes before the root is computed (EIP-2935). `record` is the block's execution record, kept as it is;
    imported blocks have none. `settings` is given when the block used some up.
    """

    height: Height
    proposal: Hash32
    header: Header
    transactions: tuple[bytes, ...]
    senders: tuple[Address, ...]
    receipts: tuple[Receipt, ...]
    changes: tuple[AccountChange, ...]
    parent_hash_slot: tuple[Address, int] | None
    record: bytes
    ommers: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    settings: BlockSettings | None = None


@message(160)
@dataclass(frozen=True, slots=True)
class Revert:
    """Back to the state at `version`, in which block `number` is the newest.

    Snapshots of later versions go, and those from `first_gone` on if that is not 0.
    """

    number: BlockNumber
    version: Version
    first_gone: int


@dataclass(frozen=True, slots=True)
class TakenSnapshot:
    """A snapshot to remember what there is by. Its `settings` hold again after going back to it."""

    snapshot: int
    settings: BlockSettings


@message(161)
@dataclass(frozen=True, slots=True)
class ApplyOperation:
    """execution → storage: what an operation does, all of it or nothing. Answer: BlockApplied, as for ApplyBlock.

    `blocks` are those it makes, of which each follows the one before; else `changes` make a version of the state after
    the newest block, or `revert` does. `record` is kept for the height as it is.
    """

    height: Height
    proposal: Hash32
    blocks: tuple[ApplyBlock, ...]
    changes: tuple[AccountChange, ...]
    revert: Revert | None
    taken: TakenSnapshot | None
    settings: BlockSettings
    record: bytes


@message(162)
@dataclass(frozen=True, slots=True)
class ReadSnapshot:
    """Answer: StoredSnapshot, or NotThere."""

    snapshot: int


@message(163)
@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """What there was when it was taken."""

    number: BlockNumber
    version: Version
    settings: BlockSettings


@message(172)
@dataclass(frozen=True, slots=True)
class ReadSnapshots:
    """Answer: Snapshots, the newest MAX_SNAPSHOTS."""


@message(173)
@dataclass(frozen=True, slots=True)
class Snapshots:
    """Those that can be gone back to, oldest first: id, and number and hash of the newest block at that time."""

    taken: tuple[tuple[int, BlockNumber, Hash32], ...]


@message(164)
@dataclass(frozen=True, slots=True)
class ReadChangedAccounts:
    """Which accounts, or slots of theirs, have changed since `version`? Answer: ChangedAccounts."""

    version: Version


@message(165)
@dataclass(frozen=True, slots=True)
class ChangedAccounts:
    addresses: tuple[Address, ...]


@message(166)
@dataclass(frozen=True, slots=True)
class ReadOperation:
    """The record of the operation that made this height. Answer: StoredRecord, or NotThere if none did."""

    height: Height


@message(167)
@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Answer: StoredSettings, what operations have set up to the newest height."""


@message(168)
@dataclass(frozen=True, slots=True)
class StoredSettings:
    settings: BlockSettings


@message(53)
@dataclass(frozen=True, slots=True)
class BlockApplied:
    """What there is after a height, which is durable: its proposal, the newest block, and the version of the state.

    `result` is what all executors must agree on (`chain.operations.result_of`). `hashes` are those of the blocks that
    the height made.
    """

    height: Height
    proposal: Hash32
    version: Version
    hash: Hash32
    header: Header
    result: Hash32
    hashes: tuple[Hash32, ...]

    @property
    def number(self) -> BlockNumber:
        """The newest block's."""
        return self.header.number


@message(54)
@dataclass(frozen=True, slots=True)
class ReadHead:
    """Answer: BlockApplied for the newest height (0 at first, whose proposal is the genesis id)."""


@message(55)
@dataclass(frozen=True, slots=True)
class ReadBlock:
    """By number or by hash, whichever is not None. Answer: StoredBlock, or NotThere."""

    number: BlockNumber | None
    hash: Hash32 | None
    with_receipts: bool


@message(56)
@dataclass(frozen=True, slots=True)
class StoredBlock:
    """`receipts` is empty unless asked for. Transactions are raw envelopes; `senders` and `hashes` are theirs."""

    header: Header
    hash: Hash32
    version: Version
    hashes: tuple[Hash32, ...]
    transactions: tuple[bytes, ...]
    senders: tuple[Address, ...]
    receipts: tuple[Receipt, ...]
    ommers: tuple[Header, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()

    def whole(self) -> Block:
        """The block as it is exchanged."""
        withdrawals = None if self.header.withdrawals_root is None else self.withdrawals
        return Block(self.header, self.transactions, self.ommers, withdrawals)


@message(57)
@dataclass(frozen=True, slots=True)
class NotThere:
    """What was asked for does not exist (a block not executed yet, an unknown hash)."""


@message(58)
@dataclass(frozen=True, slots=True)
class ReadTransaction:
    """Answer: StoredTransaction, or NotThere."""

    hash: Hash32


@message(59)
@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """An executed transaction, its place, and its receipt. `first_log` is the index of its first log in the block."""

    raw: bytes
    sender: Address
    header: Header
    block_hash: Hash32
    index: int
    first_log: int
    receipt: Receipt


@message(62)
@dataclass(frozen=True, slots=True)
class ReadHashes:
    """Hashes of the blocks with these numbers that led to a version, whatever was taken back since; zero where there
    was none. Answer: BlockHashes. Waits for a version as reads do."""

    version: Version | None
    numbers: tuple[BlockNumber, ...]


@message(63)
@dataclass(frozen=True, slots=True)
class BlockHashes:
    hashes: tuple[Hash32, ...]


@message(64)
@dataclass(frozen=True, slots=True)
class ReadStorageStatus:
    """Answer: StorageStatus."""


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How often what was read was in a cache, since storage began, and how many entries the cache has."""

    name: str
    hits: int
    misses: int
    entries: int


@message(65)
@dataclass(frozen=True, slots=True)
class StorageStatus:
    """Newest block and version, the oldest block kept, the oldest whose state is kept too, bytes on disk, and counters
    by name (reads, cache hits, ...)."""

    number: BlockNumber
    version: Version
    oldest: BlockNumber
    oldest_state: BlockNumber
    disk_bytes: int
    counters: dict[str, int]
    caches: tuple[CacheUse, ...]


@message(66)
@dataclass(frozen=True, slots=True)
class ReadRecord:
    """The execution record of a block. Answer: StoredRecord, or NotThere."""

    number: BlockNumber


@message(67)
@dataclass(frozen=True, slots=True)
class StoredRecord:
    record: bytes


@message(68)
@dataclass(frozen=True, slots=True)
class ReadHeaders:
    """Headers of the blocks first..last that exist, for fee history. Answer: StoredHeaders."""

    first: BlockNumber
    last: BlockNumber


@message(76)
@dataclass(frozen=True, slots=True)
class ReadHeight:
    """Answer: StoredHeight, or NotThere if it is not applied yet."""

    height: Height


@message(77)
@dataclass(frozen=True, slots=True)
class StoredHeight:
    """What there was after a height: the newest block's number and hash, the version of the state, the proposal, the
    result, and how many blocks the height had made. `undone` says that its newest block is not there any more.
    """

    height: Height
    number: BlockNumber
    hash: Hash32
    version: Version
    proposal: Hash32
    result: Hash32
    blocks: int
    undone: bool


@message(69)
@dataclass(frozen=True, slots=True)
class StoredHeaders:
    headers: tuple[Header, ...]


@message(74)
@dataclass(frozen=True, slots=True)
class AskRemote:
    """A method for the remote chain of a fork, its parameters a JSON array, of what never changes there: blocks up to
    the one that was forked, their transactions and states. Answer: RemoteAnswer.
    """

    method: str
    params: bytes


@message(75)
@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """The result as JSON; if it is None, the error's code, message, and data as JSON if there were any."""

    result: bytes | None
    code: int
    message: str
    data: bytes | None
