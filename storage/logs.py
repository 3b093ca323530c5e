"""The index of logs by who emitted them and by each topic, so that a search looks only at blocks that have them.

For each block and each address or topic (by its position) in its logs there is one posting: the indices of the
transactions it occurs in. A search leapfrogs: each criterion says which block it reaches next, and the blocks at
which all agree are candidates. Blocks near by are stepped to, others sought, so what a search costs depends on what it
finds, and not on how many blocks it spans.
"""

import struct
from collections.abc import Iterator, Sequence

from chain.receipts import Receipt
from chain.types import Address, BlockNumber, Hash32
from storage.keyvalue import KeyValue

LOGS = b"l"
_ADDRESS = LOGS + b"\x00"
_TOPICS = [LOGS + bytes((1 + position,)) for position in range(4)]
_ANY = LOGS + b"\x05"
NUMBER_BYTES = 8
INDEX_BYTES = 4
END = 2**64
"""Beyond every block."""
STEPS_BEFORE_SEEK = 8
"""So many steps along a name's postings take as long as a seek."""


class LogIndex:
    def __init__(self, store: KeyValue) -> None:
        self._store = store

    def put(self, number: BlockNumber, receipts: Sequence[Receipt], batch: dict[bytes, bytes | None]) -> None:
        """Add the postings of one block."""
        at = _number_key(number)
        for name, indices in _postings(receipts).items():
            batch[name + at] = struct.pack(f">{len(indices)}I", *indices)

    def delete(self, number: BlockNumber, receipts: Sequence[Receipt], batch: dict[bytes, bytes | None]) -> None:
        """Add the removal of a block's postings."""
        at = _number_key(number)
        batch.update(dict.fromkeys((name + at for name in _postings(receipts)), None))

    def candidates(
        self, first: int, last: int, addresses: Sequence[Address], topics: Sequence[Sequence[Hash32]]
    ) -> Iterator[tuple[int, Sequence[int]] | None]:
        """Blocks in order, each with the indices of its transactions that may have such logs. None: a pause."""
        if len(topics) > len(_TOPICS):
            return
        wanted = [[_ADDRESS + address for address in addresses]] if addresses else []
        wanted += [[prefix + topic for topic in some] for prefix, some in zip(_TOPICS, topics, strict=False) if some]
        wanted = wanted or [[_ANY]]
        if len(wanted) == len(wanted[0]) == 1:
            yield from self._postings_of(wanted[0][0], first, last)
        else:
            yield from self._agreed(wanted, first, last)

    def _postings_of(self, name: bytes, first: int, last: int) -> Iterator[tuple[int, Sequence[int]]]:
        """As in `candidates`, where all that has one name is wanted: there is nothing to leap over."""
        number_of = int.from_bytes
        for key, posting in self._store.pairs(name + _number_key(first), name + _number_key(last + 1)):
            yield number_of(key[-NUMBER_BYTES:], "big"), _indices(posting)

    def _agreed(
        self, wanted: Sequence[Sequence[bytes]], first: int, last: int
    ) -> Iterator[tuple[int, Sequence[int]] | None]:
        """As in `candidates`: the blocks that have any name of each criterion."""
        criteria = [_AnyOf(self._store, names, last) for names in wanted]
        number = first
        while True:
            reached = [criterion.reach(number) for criterion in criteria]
            number = max(reached)
            if number > last:
                return
            if min(reached) < number:
                yield None
                continue
            indices = set.intersection(*[criterion.indices() for criterion in criteria])
            yield number, sorted(indices)
            number += 1


def _number_key(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "big")


def _indices(posting: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(posting) // INDEX_BYTES}I", posting)


def _postings(receipts: Sequence[Receipt]) -> dict[bytes, dict[int, None]]:
    """The names under which a block's logs are found, each with the indices of its transactions, in order."""
    postings: dict[bytes, dict[int, None]] = {}
    for index, receipt in enumerate(receipts):
        for log in receipt.logs:
            names = [_ANY, _ADDRESS + log.address]
            names += [prefix + topic for prefix, topic in zip(_TOPICS, log.topics, strict=False)]
            for name in names:
                postings.setdefault(name, {})[index] = None
    return postings


class _AnyOf:
    """Walks along the blocks in which any of some names has a posting."""

    def __init__(self, store: KeyValue, names: Sequence[bytes], last: int) -> None:
        self._postings = [_Postings(store, name, last) for name in names]
        self._number = -1

    def reach(self, number: int) -> int:
        """The first block at or after `number`."""
        self._number = min([postings.reach(number) for postings in self._postings])
        return self._number

    def indices(self) -> set[int]:
        """The transactions of the block reached last."""
        found: set[int] = set()
        for postings in self._postings:
            if postings.number == self._number:
                found.update(_indices(postings.posting))
        return found


class _Postings:
    """Walks along the postings of one name. A block that is not far is walked to, one further ahead is sought."""

    def __init__(self, store: KeyValue, name: bytes, last: int) -> None:
        self._store = store
        self._name = name
        self._stop = name + _number_key(last + 1)
        self._pairs: Iterator[tuple[bytes, bytes]] | None = None
        self.number = -1
        self.posting = b""

    def reach(self, number: int) -> int:
        """The block of the first posting at or after `number`; END if there is none."""
        steps = 0
        while self.number < number:
            if self._pairs is None or steps == STEPS_BEFORE_SEEK:
                self._pairs = self._store.pairs(self._name + _number_key(number), self._stop)
            found = next(self._pairs, None)
            if found is None:
                self.number, self.posting = END, b""
            else:
                self.number, self.posting = int.from_bytes(found[0][-NUMBER_BYTES:], "big"), found[1]
            steps += 1
        return self.number
