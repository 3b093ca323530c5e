"""What can be saved of a damaged database, and what not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chain.types import BlockNumber
from storage.audit import Audit
from storage.leveldb import LevelDB
from storage.leveldb_log import log_records, read_log
from storage.memory import MemoryKeyValue
from storage.repair import Examined, examine
from storage.store import Store
from tests.storage.answers import assert_same_answers
from tests.storage.log_file import write_log
from tests.storage.world import RandomChain

BLOCKS = 12


class Chain:
    """In tables (the first two thirds) and in a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blocks = RandomChain(1, transactions=16)
        self.reference = Store.open(MemoryKeyValue(), self.blocks.genesis)
        for _ in range(3):
            store = Store.open(folder, self.blocks.genesis, durable=False)
            for _ in range(BLOCKS // 3):
                block = self.blocks.next(store.head.hash)
                assert store.apply(block) == self.reference.apply(block)
            store.close()

    def file(self, pattern: str) -> Path:
        return min(self.folder.glob(pattern))

    def examine(self) -> Examined[int]:
        """With the number of the newest block saved, everything up to it being right."""
        return examine(self.folder, self.folder.with_name("copy"), self._look)

    def _look(self, database: LevelDB) -> int:
        store = Store.open(database, self.blocks.genesis)
        for _ in Audit(store, database, BlockNumber(0)).run():
            pass
        assert_same_answers(store, self.reference, self.blocks)
        return store.head.number


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path / "chain")


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_right_database_has_no_damage_and_is_left_as_it_is(chain: Chain) -> None:
    before = _contents(chain.folder)
    assert chain.examine() == Examined((), BLOCKS)
    assert _contents(chain.folder) == before


def test_a_damaged_log_is_cut_where_the_damage_is(chain: Chain) -> None:
    log = chain.file("*.log")
    _flip(log)
    before = _contents(chain.folder)
    whole_records = sum(1 for _ in _before_damage(log))
    examined = chain.examine()
    (damage,) = examined.damage
    assert damage.what == log
    assert "has another checksum" in str(damage)
    assert examined.saved == BLOCKS - BLOCKS // 3 + whole_records
    assert _contents(chain.folder) == before


def _before_damage(log: Path) -> list[bytes]:
    copy = log.with_suffix(".cut")
    copy.write_bytes(log.read_bytes()[: read_log(log).end])
    records = [record for _, record in log_records(copy)]
    copy.unlink()
    return records


@pytest.mark.parametrize("pattern", ["CURRENT", "MANIFEST-*"])
@pytest.mark.parametrize("how", [_flip, Path.unlink])
def test_a_manifest_is_made_again_from_the_tables_and_the_log(
    chain: Chain, pattern: str, how: Callable[[Path], None]
) -> None:
    how(chain.file(pattern))
    examined = chain.examine()
    assert examined.damage
    assert examined.saved == BLOCKS


def test_a_manifest_without_its_end_is_made_again(chain: Chain) -> None:
    """It would name tables and logs that are gone, and none of the newer ones, which LevelDB would then delete."""
    manifest = chain.file("MANIFEST-*")
    for kept_bytes in range(0, manifest.stat().st_size, 7):
        data = manifest.read_bytes()
        manifest.write_bytes(data[:kept_bytes])
        examined = examine(chain.folder, chain.folder.with_name(f"copy-{kept_bytes}"), chain._look)
        assert examined.damage
        assert examined.saved == BLOCKS
        manifest.write_bytes(data)


@pytest.mark.parametrize("how", [_flip, Path.unlink])
def test_of_a_database_with_a_damaged_table_nothing_is_taken_for_right(
    chain: Chain, how: Callable[[Path], None]
) -> None:
    table = chain.file("*.ldb")
    how(table)
    examined = chain.examine()
    assert examined.damage[0].what == table
    assert examined.saved is None


def test_after_a_hole_between_logs_the_first_one_counts(chain: Chain) -> None:
    log = chain.file("*.log")
    records = [record for _, record in log_records(log)]
    write_log(log, records[:1])
    write_log(log.with_name(f"{int(log.stem) + 1:06}.log"), records[2:])
    examined = chain.examine()
    assert examined.damage
    assert examined.saved == BLOCKS - BLOCKS // 3 + 1


def test_a_record_missing_from_whole_files_is_noticed(chain: Chain) -> None:
    database = LevelDB(chain.folder)
    database.write({next(database.with_prefix(b"s"))[0]: None})
    database.close()
    examined = chain.examine()
    (damage,) = examined.damage
    assert "missing" in str(damage)
    assert examined.saved is None
