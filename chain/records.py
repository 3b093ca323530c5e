"""The execution record: what was decided about each transaction of a block, and why.

Execution writes it, storage keeps it beside the block as bytes, rpc reads it. Times are in microseconds; offsets count
from the moment execution took up the block.
"""

from dataclasses import dataclass
from enum import IntEnum

from chain.codec import decode_value, encode_value
from chain.types import Address, Hash32

BEFORE_TRANSACTIONS = -1
"""The writer of what the system calls at the start of a block changed, and of what an earlier block left."""


class AccessKind(IntEnum):
    """Which part of the state was read: EIP-7928's fields, and the two predicates that credits and debits need."""

    NONCE = 1
    BALANCE = 2
    CODE = 3
    SLOT = 4
    BALANCE_AT_LEAST = 5
    EMPTINESS = 6


@dataclass(frozen=True, slots=True)
class Conflict:
    """A read that an earlier transaction made stale.

    `seen` is the value read and `found` the one there was when its turn came (a code hash as a number, emptiness as 0
    or 1, for BALANCE_AT_LEAST the least that would do). `slot` is 0 unless `kind` is SLOT. `writer` is the position in
    the proposal of the transaction that wrote last.
    """

    kind: AccessKind
    address: Address
    slot: int
    seen: int
    found: int
    writer: int


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """How one transaction of a proposal came into its block, or why it did not (`left_out`, else empty).

    `worker` ran the attempt that counted; it is empty when that was execution itself.
    """

    hash: Hash32
    attempts: int
    worker: str
    thread_us: int
    start_us: int
    end_us: int
    conflict: Conflict | None
    left_out: str
    retry: bool


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """One block's record, its transactions in the order of the proposal.

    `serial_from` is the position from which optimistic scheduling gave up and ran the rest serially, -1 if it did not.
    `senders` are the accounts whose state after the block its result tells: with them the result can be made again.
    """

    proposal: Hash32
    strategy: str
    workers: int
    serial_from: int
    execution_us: int
    transactions: tuple[TransactionRecord, ...]
    senders: tuple[Address, ...]

    @property
    def retries(self) -> int:
        """Second attempts."""
        return sum(record.attempts - 1 for record in self.transactions if record.attempts > 1)


def encode_record(record: BlockRecord) -> bytes:
    return encode_value(record)


def decode_record(data: bytes) -> BlockRecord:
    """The record in bytes made by `encode_record`. Raises MessageError."""
    return decode_value(BlockRecord, data)
