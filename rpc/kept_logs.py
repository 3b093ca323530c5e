"""Logs found before: those of blocks up to the head stay what they are until blocks are taken back."""

from chain.messages.logs import ReadLogs
from rpc.bounded_cache import BoundedCache
from rpc.rendered_logs import RenderedLogs

KEPT_BYTES = 16 << 20
SEARCH_BYTES = 512
"""About what a search takes besides the JSON of what it found."""
MAX_CRITERIA = 64


class KeptLogs:
    """The newest searches. Who takes blocks back forgets all of it, with what is still being searched for."""

    def __init__(self) -> None:
        self._found: BoundedCache[ReadLogs, RenderedLogs] = BoundedCache(KEPT_BYTES, _size)

    def get(self, query: ReadLogs) -> RenderedLogs | None:
        return self._found.get(query)

    def put(self, query: ReadLogs, found: RenderedLogs) -> None:
        if len(query.addresses) + sum(map(len, query.topics)) <= MAX_CRITERIA and _size(found) <= KEPT_BYTES // 8:
            self._found.put(query, found)


def _size(found: RenderedLogs) -> int:
    return SEARCH_BYTES + sum(map(len, found.parts))
