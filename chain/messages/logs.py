"""What storage is asked for logs, and answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain.codec import message, pack, unpack
from chain.receipts import Log
from chain.types import Address, BlockNumber, Hash32


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
    """`packed` as `pack_found_logs` makes it: as fields of a message, many logs would take longer than the search."""

    packed: bytes

    @property
    def logs(self) -> tuple[FoundLog, ...]:
        return tuple(map(FoundLog._make, unpack(self.packed)))


def pack_found_logs(found: Sequence[FoundLog]) -> FoundLogs:
    return FoundLogs(pack(found))
