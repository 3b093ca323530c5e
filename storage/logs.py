"""The index of logs by who emitted them and by each topic, so that a search looks only at blocks that have them.

For each block and each address or topic (by its position) in its logs there is one posting: the indices of the
transactions it occurs in. A search leapfrogs: each criterion says which block it reaches next, and the blocks at
which all agree are candidates. Everything is done by seeks, so what a search costs depends on what it finds, and not on
how many blocks it spans.
"""

import struct
from collections.abc import Iterator, Sequence

from chain.receipts import Log, Receipt
from chain.types import Address, BlockNumber, Hash32
from storage.keyvalue import KeyValue

LOGS = b"l"
_ADDRESS = LOGS + b"\x00"
_TOPICS = [LOGS + bytes((1 + position,)) for position in range(4)]
_ANY = LOGS + b"\x05"
NUMBER_BYTES = 8
END = 2**64
"""Beyond every block."""


def matches(log: Log, addresses: Sequence[Address], topics: Sequence[Sequence[Hash32]]) -> bool:
    """Whether a log is of any of the addresses (none given: of all) and has any of the topics at each position."""
    if (addresses and log.address not in addresses) or len(topics) > len(log.topics):
        return False
    return all(not wanted or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False))


class LogIndex:
    def __init__(self, store: KeyValue) -> None:
        self._store = store

    def put(self, number: BlockNumber, receipts: Sequence[Receipt], batch: dict[bytes, bytes | None]) -> None:
        """Add the postings of one block."""
        postings: dict[bytes, dict[int, None]] = {}
        for index, receipt in enumerate(receipts):
            for log in receipt.logs:
                names = [_ANY, _ADDRESS + log.address]
                names += [prefix + topic for prefix, topic in zip(_TOPICS, log.topics, strict=False)]
                for name in names:
                    postings.setdefault(name, {})[index] = None
        at = number.to_bytes(NUMBER_BYTES, "big")
        for name, indices in postings.items():
            batch[name + at] = struct.pack(f">{len(indices)}I", *indices)

    def candidates(
        self, first: int, last: int, addresses: Sequence[Address], topics: Sequence[Sequence[Hash32]]
    ) -> Iterator[tuple[int, Sequence[int]] | None]:
        """Blocks in order, each with the indices of its transactions that may have such logs. None: a pause."""
        if len(topics) > len(_TOPICS):
            return
        wanted = [[_ADDRESS + address for address in addresses]] if addresses else []
        wanted += [[prefix + topic for topic in some] for prefix, some in zip(_TOPICS, topics, strict=False) if some]
        criteria = [_AnyOf(self._store, names) for names in wanted or [[_ANY]]]
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


class _AnyOf:
    """Walks along the blocks in which any of some names has a posting."""

    def __init__(self, store: KeyValue, names: Sequence[bytes]) -> None:
        self._store = store
        self._next: dict[bytes, tuple[int, bytes]] = dict.fromkeys(names, (-1, b""))
        self._number = -1

    def reach(self, number: int) -> int:
        """The first block at or after `number`."""
        for name, (reached, _) in self._next.items():
            if reached < number:
                self._next[name] = self._seek(name, number)
        self._number = min(reached for reached, _ in self._next.values())
        return self._number

    def _seek(self, name: bytes, number: int) -> tuple[int, bytes]:
        found = self._store.first_from(name + number.to_bytes(NUMBER_BYTES, "big"))
        if found is None or found[0][:-NUMBER_BYTES] != name:
            return END, b""
        return int.from_bytes(found[0][-NUMBER_BYTES:], "big"), found[1]

    def indices(self) -> set[int]:
        """The transactions of the block reached last."""
        found: set[int] = set()
        for number, posting in self._next.values():
            if number == self._number:
                found.update(struct.unpack(f">{len(posting) // 4}I", posting))
        return found
