"""Finds the logs that match: the index says which transactions may have some, their receipts tell.

Ten thousand may be found at once, so that each step of one counts.
"""

from collections.abc import Generator, Sequence

from chain.messages.logs import FoundLog, ReadLogs
from chain.types import BlockNumber, Hash32
from storage.blocks import Blocks
from storage.errors import TooManyLogs

TRANSACTIONS_A_STEP = 64


class LogSearch:
    """One search, of blocks that are there."""

    def __init__(self, blocks: Blocks, query: ReadLogs) -> None:
        self._blocks = blocks
        self._query = query
        self._addresses = frozenset(query.addresses)
        self._found: list[FoundLog] = []

    def run(self, last: BlockNumber) -> Generator[None, None, list[FoundLog]]:
        """What is found up to block `last`, in order. Pauses now and then. Raises TooManyLogs."""
        query, unpaused = self._query, 0
        for candidate in self._blocks.logs.candidates(query.first, last, query.addresses, query.topics):
            if candidate is None:
                yield
                continue
            self._add_matching(*candidate)
            unpaused += len(candidate[1])
            if unpaused >= TRANSACTIONS_A_STEP:
                unpaused = 0
                yield
        return self._found

    def _add_matching(self, number: int, indices: Sequence[int]) -> None:
        """The logs of some transactions of a block that match."""
        block = self._blocks.hash_and_timestamp(number)
        assert block is not None, f"the log index names block {number}, which is not there"
        block_hash, timestamp = block
        addresses, topics, found = self._addresses, self._query.topics, self._found
        for index in indices:
            transaction, first_log, logs = self._blocks.logs_of(number, index)
            for position, (address, its_topics, data) in enumerate(logs, first_log):
                if (not addresses or address in addresses) and (not topics or _has_topics(its_topics, topics)):
                    place = BlockNumber(number), block_hash, timestamp, transaction, index, position
                    found.append(FoundLog(address, its_topics, data, *place))
            if len(found) > self._query.limit:
                raise TooManyLogs(self._query.limit)


def _has_topics(its_topics: Sequence[Hash32], wanted: Sequence[Sequence[Hash32]]) -> bool:
    """Whether a log has any of the wanted topics at each position, where none wanted means any at all."""
    return len(wanted) <= len(its_topics) and all(
        not some or topic in some for some, topic in zip(wanted, its_topics, strict=False)
    )
