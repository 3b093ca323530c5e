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
LOGS_A_SLICE = 512
"""Rendered in a millisecond; others run after that."""

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
    """So many logs as a JSON array."""

    count: int
    json: bytes


NO_LOGS = RenderedLogs(0, b"[]")


def array_of(first: RenderedLogs, second: RenderedLogs = NO_LOGS) -> orjson.Fragment:
    """One JSON array of both."""
    if not second.count:
        return orjson.Fragment(first.json)
    if not first.count:
        return orjson.Fragment(second.json)
    return orjson.Fragment(first.json[:-1] + b"," + second.json[1:])


def logs_as_json(logs: Sequence[JsonObject]) -> RenderedLogs:
    return RenderedLogs(len(logs), orjson.dumps(logs))


async def render_logs(found: FoundLogs) -> RenderedLogs:
    """As `rpc.render.log_json` shows them."""
    at, slices = 0, []
    for first in range(0, found.count, LOGS_A_SLICE):
        logs, at = _render(found.packed, at, min(LOGS_A_SLICE, found.count - first))
        slices.append((b"," if first else b"[") + b",".join(logs))
        if len(logs) == LOGS_A_SLICE:
            await asyncio.sleep(0)
    return RenderedLogs(found.count, b"".join([*slices, b"]"])) if slices else NO_LOGS


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
