"""The execution record: what was decided about each transaction of a block, and why.

Execution writes it, storage keeps it beside the block as bytes, rpc reads it. Times are in microseconds; offsets count
from the moment execution took up the block.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from chain.codec import decode_value, encode_value
from chain.types import Address, Gas, Hash32

BEFORE_TRANSACTIONS = -1
"""The writer of what the system calls at the start of a block changed, and of what an earlier block left."""


class AccessKind(IntEnum):
    """Which part of the state was read or waited for.

    EIP-7928's fields, the two predicates that credits and debits need, and the whole account that a lock covers.
    """

    NONCE = 1
    BALANCE = 2
    CODE = 3
    SLOT = 4
    BALANCE_AT_LEAST = 5
    EMPTINESS = 6
    ACCOUNT = 7


class Dependency(IntEnum):
    """What stood behind a conflict or a wait.

    REAL: the run that counted read the key too, and an earlier transaction of the same block had changed it, so serial
    execution has the same dependency. ARTEFACT: anything else, which is the strategy's doing: a value that a rejected
    run left, or a lock on an account where no key is shared.
    """

    REAL = 1
    ARTEFACT = 2


class AttemptResult(IntEnum):
    """What became of one run. ACCEPTED is the run that counted; ABORTED was thrown away before it was validated."""

    ACCEPTED = 1
    CONFLICT = 2
    ABORTED = 3
    NOT_INCLUDABLE = 4
    PARENT_HASH_PENDING = 5
    ENGINE_FAILED = 6
    WORKER_LOST = 7
    TIMED_OUT = 8


class Conflict(NamedTuple):
    """A read that an earlier transaction made stale.

    `seen` is the value read and `found` the one there was when its turn came (a code hash as a number, emptiness as 0
    or 1, for BALANCE_AT_LEAST the least that would do). `slot` is 0 unless `kind` is SLOT. `writer` is the position in
    the proposal of the transaction that wrote last. Of several stale reads this is the first real one, if one is real.
    """

    kind: AccessKind
    address: Address
    slot: int
    seen: int
    found: int
    writer: int
    dependency: Dependency


class AttemptRecord(NamedTuple):
    """One run of a transaction, on a worker or, with `worker` empty, in execution itself.

    `thread_us` is 0 where nobody could tell it: a worker that was lost or ran out of time.
    """

    result: AttemptResult
    worker: str
    start_us: int
    end_us: int
    thread_us: int
    conflict: Conflict | None


class WaitRecord(NamedTuple):
    """A strategy let a transaction wait until the one at position `writer` was done with a key or an account.

    `slot` is 0 unless `kind` is SLOT.
    """

    kind: AccessKind
    address: Address
    slot: int
    writer: int
    waited_us: int
    dependency: Dependency


class LeftOutRecord(NamedTuple):
    """Why a transaction is not in the block, and who wanted what, since the block does not say.

    With `retry` it waits for another block. `sender` is empty for one that could not be decoded, `to` also for a
    creation; `selector` is at most the first 4 bytes of its input.
    """

    reason: str
    retry: bool
    sender: bytes
    to: bytes
    selector: bytes


class TransactionRecord(NamedTuple):
    """How one transaction of a proposal came into its block: its runs in order, the one that counted last."""

    hash: Hash32
    gas_used: Gas
    attempts: tuple[AttemptRecord, ...]
    waits: tuple[WaitRecord, ...]
    left_out: LeftOutRecord | None


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """One block's record, its transactions in the order of the proposal.

    `serial_from` is the position from which a strategy gave up and ran the rest serially, -1 if it did not.
    `execution_us` is the time from the first system call to the last, and `serial_us` how long serial execution takes
    by the run that --check-serial makes, 0 without it. `senders` are the accounts whose state after the block its
    result tells: with them the result can be made again.
    """

    proposal: Hash32
    strategy: str
    workers: int
    serial_from: int
    execution_us: int
    serial_us: int
    transactions: tuple[TransactionRecord, ...]
    senders: tuple[Address, ...]

    @property
    def retries(self) -> int:
        """Attempts after the first."""
        return sum(len(record.attempts) - 1 for record in self.transactions if record.attempts)


def encode_record(record: BlockRecord) -> bytes:
    return encode_value(record)


def decode_record(data: bytes) -> BlockRecord:
    """The record in bytes made by `encode_record`. Raises MessageError."""
    return decode_value(BlockRecord, data)
