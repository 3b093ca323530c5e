"""What storage is asked for logs, and answers: each log with its place is one record of bytes, from the index on the
disk to the JSON that a client gets.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain.codec import message
from chain.receipts import Log
from chain.types import Address, BlockNumber, Hash32

LOG_HEAD = struct.Struct(">20sQI 32s32sQIBI")
"""What a record begins with: address, block number, index in the block; the block's hash, the transaction's, the
block's timestamp in seconds, the transaction's index, how many topics and how many bytes of data follow."""


@message(60)
@dataclass(frozen=True, slots=True)
class ReadLogs:
    """Logs of blocks first..last that match: any of `addresses` (empty: all), and at each position any of the topics
    given (an empty tuple: all). Answer: FoundLogs. `limit` bounds how many; one more is an error of class TooManyLogs.
    """

    first: BlockNumber
    last: BlockNumber
    addresses: tuple[Address, ...]
    topics: tuple[tuple[Hash32, ...], ...]
    limit: int


class FoundLog(NamedTuple):
    """A log and its place; `log_index` counts within the block, `timestamp` is the block's in seconds."""

    address: Address
    topics: Sequence[Hash32]
    data: bytes
    number: BlockNumber
    block_hash: Hash32
    timestamp: int
    transaction: Hash32
    transaction_index: int
    log_index: int

    @property
    def log(self) -> Log:
        return Log(self.address, tuple(self.topics), self.data)


@message(61)
@dataclass(frozen=True, slots=True)
class FoundLogs:
    """So many logs in the order of the chain, as `pack_log` makes them: ten thousand as fields of a message would take
    longer than the search.
    """

    count: int
    packed: bytes


def pack_log(found: FoundLog) -> bytes:
    """The log as one record: LOG_HEAD, its topics, its data."""
    address, topics, data, number, block_hash, timestamp, transaction, transaction_index, log_index = found
    counts = timestamp, transaction_index, len(topics), len(data)
    return LOG_HEAD.pack(address, number, log_index, block_hash, transaction, *counts) + b"".join(topics) + data
