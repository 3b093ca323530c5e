"""Block-STM's multi-version memory: what the runs of a block wrote, by key and by position of the writer.

A transaction reads the newest version before it. The memory knows who read what, so that a new version finds those for
whom it came too late. It keeps slots and codes; balances and nonces are for the turn to validate, because they are
written as differences or taken for granted.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from chain.keccak import keccak256
from chain.records import AccessKind
from execution.accesses import Key
from execution.attempts import StaleRead
from execution.outcome import Outcome

Values: TypeAlias = dict[Key, int]


@dataclass(slots=True)
class _History:
    """One key's versions by writer and the values that readers saw; the positions of both in order."""

    written: dict[int, int] = field(default_factory=dict)
    writers: list[int] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)
    readers: list[int] = field(default_factory=list)

    def newest_before(self, reader: int) -> int:
        """The writer whose version the transaction reads; -1 if that is from before the block."""
        at = bisect_left(self.writers, reader)
        return self.writers[at - 1] if at else -1

    def readers_after(self, writer: int) -> list[int]:
        """Those who read the version of this writer, or of the one before it if it wrote none."""
        at = bisect_right(self.writers, writer)
        until = bisect_right(self.readers, self.writers[at]) if at < len(self.writers) else len(self.readers)
        return self.readers[bisect_right(self.readers, writer) : until]


class MultiVersionMemory:
    """The versions and the readers of one block."""

    def __init__(self) -> None:
        self._keys: dict[Key, _History] = {}
        self._runs: dict[int, tuple[Values, Values]] = {}

    def record(self, index: int, outcome: Outcome) -> Iterator[tuple[int, StaleRead]]:
        """A run of the transaction at `index`, in place of its former one. Gives the later ones that read otherwise."""
        read, written = _read(outcome), _written(outcome)
        former_read, former_written = self._runs.get(index, ({}, {}))
        self._runs[index] = read, written
        for key in former_read.keys() - read.keys():
            _remove(index, self._keys[key].seen, self._keys[key].readers)
        for key, value in read.items():
            history = self._keys.setdefault(key, _History())
            _put(index, value, history.seen, history.readers)
        for key in former_written.keys() - written.keys():
            _remove(index, self._keys[key].written, self._keys[key].writers)
        for key, value in written.items():
            history = self._keys.setdefault(key, _History())
            _put(index, value, history.written, history.writers)
        for key in dict.fromkeys((*former_written, *written)):
            for reader in self._keys[key].readers_after(index):
                stale = self._stale(key, reader)
                if stale is not None:
                    yield reader, stale

    def stale_read(self, index: int) -> StaleRead | None:
        """The first read of the transaction's newest run that finds another version now."""
        read, _ = self._runs[index]
        return next((stale for key in read if (stale := self._stale(key, index))), None)

    def _stale(self, key: Key, reader: int) -> StaleRead | None:
        """None as well where no earlier transaction wrote: the value before the block is the turn's to compare."""
        history = self._keys[key]
        writer = history.newest_before(reader)
        if writer < 0 or history.written[writer] == history.seen[reader]:
            return None
        return StaleRead(*key, history.seen[reader], history.written[writer], writer)


def _put(index: int, value: int, values: dict[int, int], order: list[int]) -> None:
    if index not in values:
        insort(order, index)
    values[index] = value


def _remove(index: int, values: dict[int, int], order: list[int]) -> None:
    del values[index]
    order.remove(index)


def _read(outcome: Outcome) -> Values:
    values: Values = {(AccessKind.SLOT, *slot): value for slot, value in outcome.reads.slots.items()}
    for address, code_hash in outcome.reads.code_hashes.items():
        values[AccessKind.CODE, address, 0] = int.from_bytes(code_hash, "big")
    return values


def _written(outcome: Outcome) -> Values:
    values: Values = {(AccessKind.SLOT, *slot): value for slot, value in outcome.writes.slots.items()}
    for address, code in outcome.writes.codes.items():
        values[AccessKind.CODE, address, 0] = int.from_bytes(keccak256(code), "big")
    return values
