"""Many logs as storage answers them, and back, by the meaning of the record alone."""

from collections.abc import Sequence

from chain.messages.logs import FoundLog, FoundLogs, pack_log
from chain.types import Address, BlockNumber, Hash32


def pack_found_logs(found: Sequence[FoundLog]) -> FoundLogs:
    return FoundLogs(len(found), b"".join(map(pack_log, found)))


def unpack_found_logs(found: FoundLogs) -> list[FoundLog]:
    rest, logs = found.packed, []
    for _ in range(found.count):
        address, number, rest = rest[:20], int.from_bytes(rest[20:28], "big"), rest[28:]
        log_index, block_hash, transaction, rest = int.from_bytes(rest[:4], "big"), rest[4:36], rest[36:68], rest[68:]
        timestamp, index, count = int.from_bytes(rest[:8], "big"), int.from_bytes(rest[8:12], "big"), rest[12]
        size, rest = int.from_bytes(rest[13:17], "big"), rest[17:]
        topics, rest = tuple([Hash32(rest[at : at + 32]) for at in range(0, 32 * count, 32)]), rest[32 * count :]
        data, rest = rest[:size], rest[size:]
        place = BlockNumber(number), Hash32(block_hash), timestamp, Hash32(transaction), index, log_index
        logs.append(FoundLog(Address(address), topics, data, *place))
    assert rest == b""
    return logs
