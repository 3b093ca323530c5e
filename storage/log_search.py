"""Finds the logs that match, on the index's bytes alone.

What one address emitted is one walk, where what does not match is passed over. Other searches, and this one where too
little of the walk matches, leap: each criterion says which position it reaches next, and where all agree is a match. So
what a search costs depends on what it finds, and not on how many blocks it spans. Ten thousand logs may be found at
once, so that each step of one counts.
"""

from collections.abc import Generator, Sequence
from itertools import islice
from typing import NamedTuple

from chain.messages.logs import FoundLogs, ReadLogs
from chain.receipts import Log
from chain.types import BlockNumber
from storage.blocks import TRANSACTIONS, transaction_row
from storage.errors import TooManyLogBytes, TooManyLogs
from storage.keyvalue import CorruptStore, Reads
from storage.log_walks import STEPS_BEFORE_SEEK, Copies, LogWalk, walk_along
from storage.logs import (
    ADDRESS_BYTES,
    KIND_BYTES,
    OF_ADDRESS,
    OF_BLOCK,
    OF_TOPICS,
    TOPICS_AT,
    TOPICS_COUNT_AT,
    has_all_data,
    place_in_block,
)
from storage.number_keys import NUMBER_BYTES, number_key, place_key

ROWS_A_STEP = 64
TOPIC_BYTES = 32
MAX_LARGE_DATA_BYTES = 32 << 20
"""Of the data that is not copied into the index, in one answer."""

Steps = Generator[None, None, None]


class _DecodedLogs(NamedTuple):
    """Of the receipt read last, which the next log found is often of, too: `first_log` is its first one's index in the
    block.
    """

    key: bytes
    first_log: int
    logs: Sequence[Log]


class LogSearch:
    """One search, of blocks that are there."""

    def __init__(self, store: Reads, query: ReadLogs, last: BlockNumber) -> None:
        """Of blocks up to `last`, in a snapshot of what is stored."""
        self._store = store
        self._query = query
        self._stop = place_key(last + 1, 0)
        self._copies = Copies(store, self._stop)
        self._least_topics = len(query.topics)
        offsets = range(TOPICS_AT, TOPICS_AT + TOPIC_BYTES * len(query.topics), TOPIC_BYTES)
        self._topics = [(at, frozenset(some)) for at, some in zip(offsets, query.topics, strict=True) if some]
        self._parts: list[bytes] = []
        self._count = 0
        self._large_bytes = 0
        self._receipt: _DecodedLogs | None = None

    def run(self) -> Generator[None, None, FoundLogs]:
        """What is found, in order. Pauses now and then. Raises TooManyLogs, TooManyLogBytes."""
        if self._least_topics > len(OF_TOPICS):
            return FoundLogs(0, b"")
        addresses, first = self._query.addresses, place_key(self._query.first, 0)
        topics = [(kind, some) for kind, some in zip(OF_TOPICS, self._query.topics, strict=False) if some]
        criteria = [[OF_ADDRESS + address for address in addresses]] if addresses else []
        criteria += [[kind + topic for topic in some] for kind, some in topics]
        if len(addresses) == 1:
            yield from self._of_address(criteria, first)
        elif len(criteria) == 1 and len(criteria[0]) == 1:
            yield from self._of_topic(criteria[0][0], first)
        elif criteria:
            yield from self._where_all_agree(criteria, first)
        else:
            yield from self._of_all()
        return FoundLogs(self._count, b"".join(self._parts))

    def _of_address(self, criteria: Sequence[Sequence[bytes]], first: bytes) -> Steps:
        """Where too few of its logs match, the other criteria lead on."""
        name, misses = criteria[0][0], 0
        pairs = self._store.pairs(name + first, name + self._stop)
        while rows := list(islice(pairs, ROWS_A_STEP)):
            for key, copied in rows:
                if self._matches(copied):
                    self._add(key[KIND_BYTES:], copied)
                    misses = 0
                    continue
                misses += 1
                if misses > STEPS_BEFORE_SEEK and len(criteria) > 1:
                    yield from self._where_all_agree(criteria, key[len(name) :])
                    return
            yield

    def _of_topic(self, name: bytes, first: bytes) -> Steps:
        pairs = self._store.pairs(name + first, name + self._stop)
        while rows := list(islice(pairs, ROWS_A_STEP)):
            for key, address in rows:
                self._add_if_it_matches(address + key[len(name) :])
            yield

    def _where_all_agree(self, criteria: Sequence[Sequence[bytes]], position: bytes) -> Steps:
        walks, steps = [walk_along(self._store, names, self._stop) for names in criteria], 0
        while True:
            for walk in walks:
                while not walk.reach(position):
                    yield
                position = walk.at
            if position >= self._stop:
                return
            if walks[0].at == position:
                self._agreed(walks[0])
                position += b"\x00"
            steps += 1
            if steps % ROWS_A_STEP == 0:
                yield

    def _agreed(self, walk: LogWalk) -> None:
        """All criteria agree where this one, the first, stands."""
        if not self._query.addresses:
            self._add_if_it_matches(walk.value + walk.at)
        elif self._matches(walk.value):
            self._add(walk.name[KIND_BYTES:] + walk.at, walk.value)

    def _of_all(self) -> Steps:
        read, first, stop = 0, OF_BLOCK + number_key(self._query.first), OF_BLOCK + self._stop[:NUMBER_BYTES]
        for key, addresses in self._store.pairs(first, stop):
            number = int.from_bytes(key[-NUMBER_BYTES:], "big")
            for index, at in enumerate(range(0, len(addresses), ADDRESS_BYTES)):
                self._add_if_it_matches(addresses[at : at + ADDRESS_BYTES] + place_key(number, index))
                read += 1
                if read % ROWS_A_STEP == 0:
                    yield

    def _add_if_it_matches(self, name: bytes) -> None:
        """The log that is under an address and a position."""
        copied = self._copies.get(name)
        if self._matches(copied):
            self._add(name, copied)

    def _matches(self, copied: bytes) -> bool:
        """Whether a log has any of the wanted topics at each position, where none wanted means any at all."""
        return copied[TOPICS_COUNT_AT] >= self._least_topics and (
            not self._topics or all(copied[at : at + TOPIC_BYTES] in some for at, some in self._topics)
        )

    def _add(self, name: bytes, copied: bytes) -> None:
        """One that matches, `name` being its address and position."""
        self._count += 1
        if self._count > self._query.limit:
            raise TooManyLogs(self._query.limit)
        self._parts.append(name)
        self._parts.append(copied)
        if not has_all_data(copied):
            self._parts.append(self._data_in_receipt(name, copied))

    def _data_in_receipt(self, name: bytes, copied: bytes) -> bytes:
        number, index_in_block, transaction = place_in_block(name, copied)
        receipt = self._decoded(number, transaction)
        data = receipt.logs[index_in_block - receipt.first_log].data
        self._large_bytes += len(data)
        if self._large_bytes > MAX_LARGE_DATA_BYTES:
            raise TooManyLogBytes(MAX_LARGE_DATA_BYTES)
        return data

    def _decoded(self, number: int, transaction: int) -> _DecodedLogs:
        key = TRANSACTIONS + place_key(number, transaction)
        if self._receipt is None or self._receipt.key != key:
            stored = self._store.get(key)
            if stored is None:
                raise CorruptStore(f"block {number}", f"its transaction {transaction} is missing")
            row = transaction_row(stored)
            self._receipt = _DecodedLogs(key, row.first_log, row.receipt().logs)
        return self._receipt
