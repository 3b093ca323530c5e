"""Logs found before: those of blocks up to the head stay what they are until blocks are taken back."""

from chain.messages.logs import FoundLog, ReadLogs
from rpc.bounded_cache import BoundedCache

KEPT_BYTES = 8 << 20
LOG_BYTES = 512
"""About what a log takes besides its data, and a search."""
MAX_CRITERIA = 64

Found = tuple[FoundLog, ...]


class KeptLogs:
    """The newest searches. Who takes blocks back forgets all of it, with what is still being searched for."""

    def __init__(self) -> None:
        self._found: BoundedCache[ReadLogs, Found] = BoundedCache(KEPT_BYTES, _size)

    def get(self, query: ReadLogs) -> Found | None:
        return self._found.get(query)

    def put(self, query: ReadLogs, found: Found) -> None:
        if len(query.addresses) + sum(map(len, query.topics)) <= MAX_CRITERIA and _size(found) <= KEPT_BYTES // 8:
            self._found.put(query, found)


def _size(found: Found) -> int:
    return LOG_BYTES * (1 + len(found)) + sum(len(log.data) for log in found)
