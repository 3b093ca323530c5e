"""Block-STM's multi-version memory: what the runs of a block wrote, by key and by position of the writer.

A transaction reads the newest version before it. The memory knows who read what, so that a new version finds those for
whom it came too late. It keeps slots and codes; balances and nonces are for the turn to validate, because they are
written as differences or taken for granted.
"""

from collections.abc import Iterator
from typing import TypeAlias

from chain.keccak import keccak256
from chain.records import AccessKind
from execution.accesses import Key
from execution.attempts import StaleRead
from execution.outcome import Outcome

Values: TypeAlias = dict[Key, int]


class MultiVersionMemory:
    """The versions and the readers of one block."""

    def __init__(self) -> None:
        self._versions: dict[Key, dict[int, int]] = {}
        self._readers: dict[Key, dict[int, int]] = {}
        self._runs: dict[int, tuple[Values, Values]] = {}

    def record(self, index: int, outcome: Outcome) -> Iterator[tuple[int, StaleRead]]:
        """A run of the transaction at `index`, in place of its former one. Gives the later ones that read otherwise."""
        read, written = _read(outcome), _written(outcome)
        former_read, former_written = self._runs.get(index, ({}, {}))
        self._runs[index] = read, written
        for key in former_read.keys() - read.keys():
            del self._readers[key][index]
        for key, value in read.items():
            self._readers.setdefault(key, {})[index] = value
        for key in former_written.keys() - written.keys():
            del self._versions[key][index]
        for key, value in written.items():
            self._versions.setdefault(key, {})[index] = value
        for key in dict.fromkeys((*former_written, *written)):
            for reader, seen in sorted(self._readers.get(key, {}).items()):
                if reader > index and (stale := self._stale(key, reader, seen)) is not None:
                    yield reader, stale

    def stale_read(self, index: int) -> StaleRead | None:
        """The first read of the transaction's newest run that finds another version now."""
        read, _ = self._runs[index]
        return next((stale for key, seen in read.items() if (stale := self._stale(key, index, seen))), None)

    def _stale(self, key: Key, reader: int, seen: int) -> StaleRead | None:
        """None as well where no earlier transaction wrote: the value before the block is the turn's to compare."""
        versions = self._versions.get(key)
        if not versions:
            return None
        writer = max((writer for writer in versions if writer < reader), default=-1)
        if writer < 0 or versions[writer] == seen:
            return None
        return StaleRead(*key, seen, versions[writer], writer)


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
