"""Files that lost their end, bytes of them, or all: the store is refused, or right; it never answers wrongly.

SIGKILL leaves what the kernel has; these do what a loss of power, a bad disk or a careless hand does.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

from storage.keyvalue import CorruptStore
from storage.leveldb_log import log_records
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.storage.answers import assert_same_answers
from tests.storage.log_file import write_log
from tests.storage.world import RandomChain

BLOCKS_IN_TABLES, BLOCKS_IN_LOG = 4, 8
CASES = 8
"""Of each kind, for each file."""

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


class Chain:
    """A small chain in a folder, in several tables and a log, and the same in memory."""

    def __init__(self, folder: Path, seed: int, transactions: int = 16) -> None:
        self.folder = folder
        self.blocks = RandomChain(seed, addresses=4, changes=2, transactions=transactions)
        self.reference = Store.open(MemoryKeyValue(), self.blocks.genesis)
        for count in (BLOCKS_IN_TABLES // 2, BLOCKS_IN_TABLES // 2, BLOCKS_IN_LOG):
            store = Store.open(folder, self.blocks.genesis, durable=False)
            for _ in range(count):
                block = self.blocks.next(store.head.hash)
                assert store.apply(block) == self.reference.apply(block)
            store.close()
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

    def _opened(self, copy: Path) -> str:
        refusals: list[CorruptStore] = []
        store = _unless_refused(lambda: Store.open(copy, self.blocks.genesis, durable=False), refusals)
        if store is not None:
            _unless_refused(lambda: assert_same_answers(store, self.reference, self.blocks), refusals)
            store.close()
        for refusal in refusals:
            assert isinstance(refusal.what, Path)
            assert refusal.what.parent == copy
            assert "run `tandem repair`" in str(refusal)
        if refusals:
            return "refused" if store is None else "noticed"
        return "whole" if store is not None and store.head == self.reference.head else "an older block"


def _unless_refused(action: Callable[[], T], refusals: list[CorruptStore]) -> T | None:
    try:
        return action()
    except CorruptStore as error:
        refusals.append(error)
        return None


@pytest.fixture
def chain(tmp_path: Path, seed: int) -> Chain:
    return Chain(tmp_path / "chain", seed)


def _offsets(data: bytes, seed: int) -> list[int]:
    """Random ones, and those where a file's first record and its end are."""
    chooser = random.Random(seed)
    ends = {at for at in (0, 1, 6, 7, 8, len(data) - 1) if 0 <= at < len(data)}
    return sorted(ends | set(chooser.sample(range(len(data)), min(len(data), CASES))))


def _outcomes(chain: Chain, damage: str, offsets: Callable[[bytes], Iterable[int]]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for path in chain.files:
        data = path.read_bytes()
        for at in offsets(data):
            try:
                outcomes[chain.outcome(path.name, DAMAGES[damage](data, at))] += 1
            except BaseException:
                print(f"{path.name} {damage} at byte {at}")
                raise
    print(outcomes)
    return outcomes


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_or_leaves_a_whole_chain(chain: Chain, damage: str, seed: int) -> None:
    outcomes = _outcomes(chain, damage, lambda data: _offsets(data, seed))
    assert outcomes["refused"] > 0
    assert outcomes["an older block"] > 0 or damage != "cut"


@pytest.mark.full
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_at_any_byte_is_refused_or_leaves_a_whole_chain(tmp_path: Path, damage: str) -> None:
    _outcomes(Chain(tmp_path / "chain", 1, transactions=0), damage, lambda data: range(len(data)))


def test_a_missing_file_is_refused_with_its_name(chain: Chain) -> None:
    """But for the diary, which nothing depends on."""
    for path in chain.files:
        expected = "whole" if path.name.startswith("LOG") else "refused"
        assert chain.outcome(path.name, None) == expected, path.name


def test_a_hole_between_two_logs_is_refused(chain: Chain) -> None:
    """While a full log is made into a table there are two. LevelDB would take the end of the first one for torn, and
    go on with the second.
    """
    (log,) = chain.folder.glob("*.log")
    records = [record for _, record in log_records(log)]
    assert len(records) == BLOCKS_IN_LOG
    second = log.with_name(f"{int(log.stem) + 1:06}.log")
    write_log(second, records[5:])
    for kept, outcome in ((5, "whole"), (4, "refused"), (0, "refused")):
        write_log(log, records[:kept])
        assert chain.outcome(second.name, second.read_bytes()) == outcome
    write_log(log, records[:5])
    assert chain.outcome(log.name, log.read_bytes()[:-1]) == "refused"
    assert chain.outcome(second.name, None) == "an older block"


def test_a_hole_within_a_log_is_refused(chain: Chain) -> None:
    """A record that is gone without a trace: zeros in place of its header make LevelDB skip the rest of its 32 KB."""
    (log,) = chain.folder.glob("*.log")
    records = [record for _, record in log_records(log)]
    write_log(log, [*records[:3], *records[4:]])
    assert chain.outcome(log.name, log.read_bytes()) == "refused"


def test_zeros_after_the_last_record_are_room_that_nobody_used(chain: Chain) -> None:
    (log,) = chain.folder.glob("*.log")
    assert chain.outcome(log.name, log.read_bytes() + bytes(5000)) == "whole"
