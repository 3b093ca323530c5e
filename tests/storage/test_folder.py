"""Folders that cannot be opened: each has its own error class, and its message says what to do."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chain.accounts import Account, AccountChange
from storage.blocks import HEADERS, HEIGHTS, VERSIONS
from storage.height import HEAD_KEY
from storage.keyvalue import CorruptStore, FolderInUse, FolderUnreadable, NewerFormat, OtherChain, StoreError
from storage.leveldb import LevelDB
from storage.memory import MemoryKeyValue
from storage.number_keys import number_key
from storage.store import FORMAT, FORMAT_KEY, Store
from tests.storage.world import NOBODY, RandomChain, block_of, genesis_of

GENESIS = genesis_of()
NOBODY_USER_ID = 65534
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a chain of some blocks, in tables and in the log."""
    chain = RandomChain(1)
    path = tmp_path / "chain"
    for _ in range(3):
        store = Store.open(path, chain.genesis, durable=False)
        for _ in range(5):
            store.apply(chain.next(store.head.hash))
        store.close()
    return path


def _open(folder: Path) -> Store:
    return Store.open(folder, RandomChain(1).genesis, durable=False)


def _damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(byte ^ 0x5A for byte in data[middle : middle + 8])
    file.write_bytes(data)


def _in_another_process(action: Callable[[], None]) -> int:
    """The exit code of a child that runs `action`: 0 unless it raised."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException as error:
            print(f"in the other process: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    Store.open(tmp_path / "a" / "b", GENESIS).close()
    Store.open(tmp_path / "a" / "b", GENESIS).close()


def test_a_folder_open_elsewhere_is_in_use(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "chain", GENESIS)
    open_it_too = "import sys, pathlib; from storage.leveldb import LevelDB; LevelDB(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", open_it_too, str(tmp_path / "chain")]
    other = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "FolderInUse" in other.stderr
    assert "is in use by another process: stop that one, or choose another folder" in other.stderr
    with pytest.raises(FolderInUse):
        Store.open(tmp_path / "chain", GENESIS)
    store.close()
    Store.open(tmp_path / "chain", GENESIS).close()


def test_a_folder_without_permissions_is_unreadable(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    tmp_path.chmod(0o755)

    def open_it() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY_USER_ID)
        with pytest.raises(FolderUnreadable, match="change its permissions"):
            Store.open(locked, GENESIS)
        with pytest.raises(FolderUnreadable, match="change its permissions"):
            Store.open(locked / "inner", GENESIS)

    assert _in_another_process(open_it) == 0


def test_a_file_where_the_folder_should_be_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(FolderUnreadable):
            Store.open(path, GENESIS)


def test_a_damaged_log_or_manifest_is_refused(folder: Path) -> None:
    for pattern in ("*.log", "MANIFEST-*"):
        (file,) = folder.glob(pattern)
        intact = file.read_bytes()
        _damage(file)
        with pytest.raises(CorruptStore, match="run `tandem repair` on the data folder, or put a backup in its place"):
            _open(folder)
        file.write_bytes(intact)
    _open(folder).close()


def test_a_damaged_table_is_noticed_when_it_is_read(folder: Path) -> None:
    for table in folder.glob("*.ldb"):
        _damage(table)

    def read_everything() -> None:
        for _ in LevelDB(folder, durable=False).pairs(b"", b"\xff"):
            pass

    with pytest.raises(CorruptStore, match="checksum"):
        read_everything()


def test_a_missing_table_is_named(folder: Path) -> None:
    table = min(folder.glob("*.ldb"))
    table.unlink()
    with pytest.raises(CorruptStore, match=str(table)):
        _open(folder)


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST-*"])
def test_a_folder_without_its_current_or_manifest_is_refused_and_left_as_it_is(folder: Path, name: str) -> None:
    (file,) = folder.glob(name)
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(CorruptStore, match=f"{folder}/{name.rstrip('*')}"):
        _open(folder)
    file.write_bytes(content)
    store = _open(folder)
    assert store.head.number == 15
    store.close()


def test_a_database_whose_making_was_cut_short_is_made_again(tmp_path: Path) -> None:
    """As a kill between LevelDB's first manifest and its CURRENT leaves it."""
    for name in ("LOCK", "LOG", "MANIFEST-000001", "000001.dbtmp"):
        (tmp_path / name).write_bytes(b"half")
    database = LevelDB(tmp_path)
    database.write({b"key": b"value"})
    database.close()
    assert LevelDB(tmp_path).get(b"key") == b"value"


def test_a_log_cut_short_loses_whole_blocks_only(folder: Path) -> None:
    """As after a loss of power in a folder that is not durable."""
    chain = RandomChain(1)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    heads = [store.head] + [store.apply(chain.next(store.head.hash)) for _ in range(15)]
    (log,) = folder.glob("*.log")
    log.write_bytes(log.read_bytes()[:-1000])
    shortened = _open(folder)
    assert shortened.head == heads[shortened.head.number]
    assert shortened.head.number < 15
    shortened.close()


def test_a_newer_format_is_refused() -> None:
    keyvalue = MemoryKeyValue()
    Store.open(keyvalue, GENESIS)
    keyvalue.write({FORMAT_KEY: (FORMAT + 1).to_bytes(4, "big")})
    with pytest.raises(NewerFormat, match=f"has data format {FORMAT + 1}, this version of Tandem knows up to {FORMAT}"):
        Store.open(keyvalue, GENESIS)


def test_another_chains_folder_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "chain", GENESIS).close()
    with pytest.raises(OtherChain, match="belongs to another chain"):
        Store.open(tmp_path / "chain", genesis_of(chain_id=5))
    Store.open(tmp_path / "chain", GENESIS).close()


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    other = LevelDB(tmp_path / "other")
    other.write({b"something": b"else"})
    other.close()
    with pytest.raises(CorruptStore, match="not that of a chain"):
        Store.open(tmp_path / "other", GENESIS)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (HEAD_KEY, None, "does not say which block is the newest"),
        (HEAD_KEY, b"short", "does not say which block is the newest"),
        (HEAD_KEY, number_key(2), "does not say which block is the newest"),
        (HEIGHTS + number_key(1), bytes(116), "is missing or not that block's"),
        (HEADERS + number_key(1), None, "is missing or not that block's"),
        (VERSIONS + number_key(1), None, "is missing or not that block's"),
    ],
)
def test_a_store_whose_parts_disagree_is_refused(key: bytes, value: bytes | None, reason: str) -> None:
    keyvalue = MemoryKeyValue()
    store = Store.open(keyvalue, GENESIS)
    store.apply(block_of(GENESIS, 1, AccountChange(NOBODY, Account(1), {})))
    keyvalue.write({key: value})
    with pytest.raises(CorruptStore, match=reason):
        Store.open(keyvalue, GENESIS)


def test_a_height_whose_version_is_another_state_is_refused() -> None:
    keyvalue = MemoryKeyValue()
    applied = Store.open(keyvalue, GENESIS).apply(block_of(GENESIS, 1, AccountChange(NOBODY, Account(1), {})))
    row = number_key(1) + number_key(1) + bytes(3) + b"\x01" + applied.hash + applied.proposal + applied.result
    keyvalue.write({HEIGHTS + number_key(1): row})
    with pytest.raises(CorruptStore, match="the state of its newest block, 1, is not the one its header names"):
        Store.open(keyvalue, GENESIS)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    database = LevelDB(tmp_path / "chain")
    snapshot = database.snapshot()
    database.close()
    for read in (
        lambda: database.get(b"a"),
        lambda: database.first_from(b"a"),
        lambda: database.pairs(b"a", b"b"),
        database.snapshot,
        lambda: snapshot.get(b"a"),
        lambda: snapshot.pairs(b"a", b"b"),
    ):
        with pytest.raises(StoreError, match="is closed"):
            read()
