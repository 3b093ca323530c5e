"""A chain in a folder, and what becomes of copies of it whose files are damaged: refused, or whole; never wrong."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from chain.genesis import Genesis
from storage.keyvalue import Batch, CorruptStore, KeyValue
from storage.leveldb import LevelDB
from storage.store import Store

END_OF_KEYS = b"\xff"
Life = Callable[[KeyValue], Genesis]
"""Opens a store, writes to it, and says what genesis the store has from then on."""
Damage = Callable[[bytes, int], bytes]
T = TypeVar("T")


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]


def _cut(data: bytes, at: int) -> bytes:
    return data[:at]


def _zeroed(data: bytes, at: int) -> bytes:
    """As a page that never reached the disk."""
    return data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :]


DAMAGES: dict[str, Damage] = {"flipped": _flipped, "cut": _cut, "zeroed": _zeroed}


class _Noted(LevelDB):
    """Adds to `contents` what the database holds after each write."""

    def __init__(self, folder: Path, contents: list[dict[bytes, bytes]]) -> None:
        super().__init__(folder, durable=False)
        self._contents = contents

    def write(self, batch: Batch, sync: bool = True) -> None:
        super().write(batch, sync)
        after = dict(self._contents[-1]) if self._contents else {}
        for key, value in batch.items():
            if value is None:
                after.pop(key, None)
            else:
                after[key] = value
        self._contents.append(after)


class Original:
    """Each of the lives leaves what it wrote in a log, which the next one makes a table of when it opens the folder."""

    def __init__(self, folder: Path, lives: Sequence[Life]) -> None:
        self.folder = folder
        self._contents: list[dict[bytes, bytes]] = []
        for life in lives:
            database = _Noted(folder, self._contents)
            self._genesis = life(database)
            database.close()
        self.files = sorted(path for path in folder.iterdir() if path.name != "LOCK")

    def outcome(self, name: str, damaged: bytes | None) -> str:
        """What became of a copy with that file damaged (None: gone)."""
        copy = self.folder.with_name("damaged")
        shutil.copytree(self.folder, copy)
        try:
            if damaged is None:
                (copy / name).unlink()
            else:
                (copy / name).write_bytes(damaged)
            return self._opened(copy)
        finally:
            shutil.rmtree(copy)

    def outcomes(self, damage: str, offsets: Callable[[bytes], Iterable[int]]) -> Counter[str]:
        """How often each came of damage to a file at one of these offsets, file by file."""
        outcomes: Counter[str] = Counter()
        for path in self.files:
            data = path.read_bytes()
            for at in offsets(data):
                try:
                    outcomes[self.outcome(path.name, DAMAGES[damage](data, at))] += 1
                except BaseException:
                    print(f"{path.name} {damage} at byte {at}")
                    raise
        print(damage, outcomes)
        return outcomes

    def _opened(self, copy: Path) -> str:
        refusals: list[CorruptStore] = []
        database = unless_refused(lambda: LevelDB(copy, durable=False), refusals)
        if database is None:
            return self._refused(copy, refusals)
        store = unless_refused(lambda: Store.open(database, self._genesis), refusals)
        if store is None:
            return self._refused(copy, refusals)
        held = unless_refused(lambda: _everything(database), refusals)
        store.close()
        if held is None:
            self._refused(copy, refusals)
            return "noticed"
        assert held in self._contents, "it holds what the chain held after none of its writes"
        return "whole" if held == self._contents[-1] else "an older block"

    def _refused(self, copy: Path, refusals: list[CorruptStore]) -> str:
        for refusal in refusals:
            assert isinstance(refusal.what, Path)
            assert refusal.what.parent == copy
            assert "run `tandem repair`" in str(refusal)
        return "refused"


def some_offsets(seed: int, cases: int, *, ends: bool = True) -> Callable[[bytes], Sequence[int]]:
    """Random ones, and with `ends` those where a file's first record and its end are."""

    def offsets(data: bytes) -> Sequence[int]:
        chooser = random.Random(seed)
        added = {at for at in (0, 1, 6, 7, 8, len(data) - 1) if ends and 0 <= at < len(data)}
        return sorted(added | set(chooser.sample(range(len(data)), min(len(data), cases))))

    return offsets


def _everything(database: KeyValue) -> dict[bytes, bytes]:
    """All pairs, each read in every way there is. Raises CorruptStore."""
    rows = dict(database.pairs(b"", END_OF_KEYS))
    for key, value in rows.items():
        assert database.get(key) == value
        assert database.first_from(key) == (key, value)
    return rows


def unless_refused(action: Callable[[], T], refusals: list[CorruptStore]) -> T | None:
    try:
        return action()
    except CorruptStore as error:
        refusals.append(error)
        return None
