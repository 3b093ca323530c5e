"""The index of logs: a copy of each under the address that emitted it, and under each of its topics where that copy is.

| key, after `l` | value |
| --- | --- |
| 0, address, block number, index in the block | the rest of the log's record (chain.messages.logs) |
| 1 to 4, topic at that position, block number, index in the block | the address |
| 5, block number | the addresses of all logs of the block, in their order |

So what one address emitted is found by one walk, which reads nothing else. Data of more than COPIED_DATA_BYTES is not
copied: it is read from the transaction's receipt.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chain.messages.logs import LOG_HEAD, FoundLog, pack_log
from chain.receipts import Receipt
from chain.types import Address, BlockNumber, Hash32
from storage.number_keys import INDEX_BYTES, NUMBER_BYTES, number_key

LOGS = b"l"
OF_ADDRESS = LOGS + b"\x00"
OF_TOPICS = [LOGS + bytes((1 + position,)) for position in range(4)]
OF_BLOCK = LOGS + b"\x05"
KIND_BYTES = 2
ADDRESS_BYTES = 20
NAMED_BYTES = ADDRESS_BYTES + NUMBER_BYTES + INDEX_BYTES
"""So much of a record is in the key of its copy."""
TOPICS_AT = LOG_HEAD.size - NAMED_BYTES
TOPICS_COUNT_AT = TOPICS_AT - 5
COPIED_DATA_BYTES = 1024

_DATA_BYTES = slice(TOPICS_AT - 4, TOPICS_AT)
_ALL_COPIED = COPIED_DATA_BYTES.to_bytes(4, "big")
_TRANSACTION = slice(TOPICS_COUNT_AT - 4, TOPICS_COUNT_AT)


class LoggedBlock(NamedTuple):
    """A block with what its logs are indexed with."""

    number: BlockNumber
    hash: Hash32
    timestamp: int
    transactions: Sequence[Hash32]
    receipts: Sequence[Receipt]


def index_rows(block: LoggedBlock) -> Iterator[tuple[bytes, bytes]]:
    """The rows of the index for one block."""
    addresses: list[Address] = []
    for index, receipt in enumerate(block.receipts):
        for log in receipt.logs:
            place = block.number, block.hash, block.timestamp, block.transactions[index], index, len(addresses)
            record = pack_log(FoundLog(log.address, log.topics, log.data, *place))
            name, copied = record[:NAMED_BYTES], record[NAMED_BYTES:]
            yield OF_ADDRESS + name, copied if len(log.data) <= COPIED_DATA_BYTES else copied[: -len(log.data)]
            position = name[ADDRESS_BYTES:]
            for kind, topic in zip(OF_TOPICS, log.topics, strict=False):
                yield kind + topic + position, log.address
            addresses.append(log.address)
    if addresses:
        yield OF_BLOCK + number_key(block.number), b"".join(addresses)


def has_all_data(copied: bytes) -> bool:
    """Whether the log's data is in its copy."""
    return copied[_DATA_BYTES] <= _ALL_COPIED


def place_in_block(name: bytes, copied: bytes) -> tuple[int, int, int]:
    """Of a copy, with the address and position that it stands under: block, index there, index of the transaction."""
    position = name[ADDRESS_BYTES:]
    number, index = position[:NUMBER_BYTES], position[NUMBER_BYTES:]
    return int.from_bytes(number, "big"), int.from_bytes(index, "big"), int.from_bytes(copied[_TRANSACTION], "big")
