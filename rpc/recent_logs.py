"""Logs of the newest blocks as JSON, each rendered once: many ask for the same blocks with other criteria."""

from collections.abc import Sequence
from typing import TypeAlias

import orjson

from chain.messages.logs import FoundLog
from chain.messages.storage import StoredBlock
from chain.types import Hash32
from rpc.block_logs import logs_in
from rpc.bounded_cache import BoundedCache
from rpc.log_filter import ALL_LOGS, LogCriteria, matches
from rpc.render import log_json
from rpc.rendered_logs import NO_LOGS, RenderedLogs

RENDERED_BYTES = 16 << 20

_BlockLogs: TypeAlias = tuple[tuple[FoundLog, bytes], ...]


class RecentLogs:
    def __init__(self) -> None:
        self._rendered: BoundedCache[Hash32, _BlockLogs] = BoundedCache(RENDERED_BYTES, _size)

    def matching(self, blocks: Sequence[StoredBlock], wanted: LogCriteria) -> RenderedLogs:
        """Of blocks that were read with their receipts."""
        found = [json for block in blocks for log, json in self._logs_of(block) if matches(log, wanted)]
        return RenderedLogs(len(found), (b",".join(found),)) if found else NO_LOGS

    def _logs_of(self, block: StoredBlock) -> _BlockLogs:
        known = self._rendered.get(block.hash)
        if known is None:
            known = tuple([(log, orjson.dumps(log_json(log))) for log in logs_in(block, ALL_LOGS)])
            self._rendered.put(block.hash, known)
        return known


def _size(logs: _BlockLogs) -> int:
    """With about what objects take besides."""
    return 512 + sum(512 + len(json) + len(log.data) for log, json in logs)
