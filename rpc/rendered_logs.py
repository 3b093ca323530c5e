"""Logs from storage's records to JSON, bytes to bytes: ten thousand as objects would take three times as long."""

import asyncio
import struct
from binascii import hexlify
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from chain.messages.logs import LOG_HEAD, FoundLogs
from rpc.render import JsonObject

MAX_TOPICS = 4
TOPIC_BYTES = 32
LOGS_A_SLICE = 256
"""Rendered in half a millisecond; others run after that."""

_NUMBERS = struct.Struct(">20xQI64xQIBI")
"""Of a record's head (LOG_HEAD): block, log index, timestamp, transaction index, topics, bytes of data."""
_HEXADECIMAL = [struct.Struct("40s24x64s64s34x" + "64s" * topics) for topics in range(MAX_TOPICS + 1)]
"""Of a record's hexadecimal digits: address, block hash, transaction hash, topics."""
_TEMPLATES = [
    b'{"address":"0x%b","topics":['
    + b",".join([b'"0x%b"'] * topics)
    + b'],"data":"0x%b","blockNumber":"0x%x","transactionHash":"0x%b","transactionIndex":"0x%x","blockHash":"0x%b",'
    b'"blockTimestamp":"0x%x","logIndex":"0x%x","removed":false}'
    for topics in range(MAX_TOPICS + 1)
]


@dataclass(frozen=True, slots=True)
class RenderedLogs:
    """So many logs as JSON objects with commas between them, in parts that the answer is put together from."""

    count: int
    parts: tuple[bytes, ...]


NO_LOGS = RenderedLogs(0, ())


def array_of(*found: RenderedLogs) -> list[orjson.Fragment]:
    """All of them as one JSON array: each part stands for several of its elements."""
    return [orjson.Fragment(part) for logs in found for part in logs.parts]


def logs_as_json(logs: Sequence[JsonObject]) -> RenderedLogs:
    return RenderedLogs(len(logs), tuple([orjson.dumps(log) for log in logs]))


async def render_logs(found: FoundLogs) -> RenderedLogs:
    """As `rpc.render.log_json` shows them."""
    at, parts = 0, []
    for first in range(0, found.count, LOGS_A_SLICE):
        logs, at = _render(found.packed, at, min(LOGS_A_SLICE, found.count - first))
        parts.append(b",".join(logs))
        if len(logs) == LOGS_A_SLICE:
            await asyncio.sleep(0)
    return RenderedLogs(found.count, tuple(parts))


def _render(packed: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """So many of the records that begin at `at`, and where they end."""
    logs: list[bytes] = []
    for _ in range(count):
        number, log_index, timestamp, transaction_index, topics_count, data_bytes = _NUMBERS.unpack_from(packed, at)
        data_at = LOG_HEAD.size + TOPIC_BYTES * topics_count
        end = at + data_at + data_bytes
        digits = hexlify(packed[at:end])
        address, block_hash, transaction, *topics = _HEXADECIMAL[topics_count].unpack_from(digits)
        places = number, transaction, transaction_index, block_hash, timestamp, log_index
        logs.append(_TEMPLATES[topics_count] % (address, *topics, digits[2 * data_at :], *places))
        at = end
    return logs, at
