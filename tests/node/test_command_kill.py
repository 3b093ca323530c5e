"""kill -9 at any step of `tandem import` and `tandem load`: what is there then is whole, and the command comes to its
end when it is given again.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

import storage.dumping
from chain.blocks import decode_block
from node import folder as data
from node.import_command import import_chain
from node.imported import imported_store
from node.settings import Settings
from storage.audit import Audit
from storage.leveldb import LevelDB
from storage.loading import Loading
from storage.store import Store
from tests.conformance.rpc_exchanges import GENESIS, chain_blocks
from tests.node.command_lives import COPY, IMPORT, LOAD, CommandLife, run_command
from tests.storage.lives import Lives, lives
from tests.storage.state_files import dumped

BLOCKS = chain_blocks()[:6]
BEFORE, IMPORTED = 2, len(BLOCKS)
"""So many blocks are there before the import that is killed, and after it."""
SAMPLED = 13
"""Every so many steps are tried, a prime number."""


@pytest.fixture(scope="module")
def server() -> Iterator[Lives]:
    with lives("tests.node.command_lives") as server:
        yield server


@pytest.fixture(params=[pytest.param(SAMPLED, id="a sample"), pytest.param(1, id="every step", marks=pytest.mark.full)])
def stride(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def kills(server: Lives, command: str, source: Path, start: Path | None, tmp_path: Path, stride: int) -> Iterator[Path]:
    """A folder for each step that the command was killed before, begun as a copy of `start`."""
    seen: Counter[str] = Counter()
    for step in count(0, stride):
        folder = tmp_path / f"{command}-{step}"
        if start is not None:
            shutil.copytree(start, folder)
        said = server.lived(CommandLife(command, str(source), str(folder), step))
        if "over" in said:
            break
        seen.update(what for what in said if what.startswith("before"))
        print(f"{command} killed {seen}")
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    assert seen["before-copyfile" if command == COPY else "before-write"] > 0


def check_imported(folder: Path, least: int) -> int:
    """Of the blocks that the folder's chain begins with the newest; they are all there and right."""
    genesis = data.open_folder(folder).genesis
    path = imported_store(folder, genesis)
    if path is None:
        assert least == 0
        return 0
    copy = folder.with_name("copy")
    shutil.copytree(path, copy)
    database = LevelDB(copy, durable=False)
    store = Store.open(database, genesis)
    assert store.head.number >= least
    assert store.head.hash == decode_block(BLOCKS[store.head.number - 1]).header.hash()
    for _ in Audit(store, database, genesis.header.number).run():
        pass
    store.close()
    shutil.rmtree(copy)
    return store.head.number


@pytest.fixture(scope="module")
def chain_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "chain.rlp"
    path.write_bytes(b"".join(BLOCKS))
    return path


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain that some blocks were imported into."""
    folder = tmp_path_factory.mktemp("begun")
    file = folder / "chain.rlp"
    file.write_bytes(b"".join(BLOCKS[:BEFORE]))
    import_chain(file, Settings(data_dir=folder / "chain", genesis=GENESIS, quiet=True))
    return folder / "chain"


def test_an_import_killed_at_any_step_leaves_the_blocks_before_it_or_all_and_can_be_given_again(
    server: Lives, begun: Path, chain_file: Path, tmp_path: Path, stride: int
) -> None:
    found: Counter[int] = Counter()
    for folder in kills(server, IMPORT, chain_file, begun, tmp_path, stride):
        found[check_imported(folder, BEFORE)] += 1
        run_command(IMPORT, chain_file, folder)
        assert check_imported(folder, IMPORTED) == IMPORTED
        assert [path.name for path in folder.glob("imported*")] == [f"imported-{IMPORTED}"]
    assert sorted(found) == [BEFORE, IMPORTED]


def test_an_import_into_a_new_folder_killed_at_any_step_can_be_given_again(
    server: Lives, chain_file: Path, tmp_path: Path, stride: int
) -> None:
    for folder in kills(server, IMPORT, chain_file, None, tmp_path, stride):
        run_command(IMPORT, chain_file, folder)
        assert check_imported(folder, IMPORTED) == IMPORTED


def test_a_storage_killed_while_it_copies_the_imported_blocks_copies_them_again(
    server: Lives, begun: Path, tmp_path: Path
) -> None:
    genesis = data.open_folder(begun).genesis
    source = imported_store(begun, genesis)
    assert source is not None
    for folder in kills(server, COPY, source, None, tmp_path, stride=1):
        if not folder.exists():
            run_command(COPY, source, folder)
        store = Store.open(folder, genesis)
        assert store.head.number == BEFORE
        store.close()


def test_a_load_killed_at_any_step_can_be_given_again(
    server: Lives, tmp_path: Path, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.dumping, "PART_BYTES", 2_000)
    state = dumped(tmp_path / "state", seed=1, blocks=12)
    run_command(LOAD, state, tmp_path / "whole")
    expected = _contents(tmp_path / "whole")
    for folder in kills(server, LOAD, state, None, tmp_path, stride):
        run_command(LOAD, state, folder)
        assert _contents(folder) == expected


def _contents(path: Path) -> dict[bytes, bytes]:
    """All that the storage holds but the genesis, which has keys of its own in each folder."""
    folder = data.open_folder(path)
    assert folder.loaded_state is not None
    database = LevelDB(folder.storage(0), durable=False)
    Store.open(database, folder.genesis, loading=Loading(folder.loaded_state, lambda accounts: None))
    rows = dict(database.pairs(b"", b"\xff"))
    database.close()
    own = bytes(folder.genesis.id())
    return {key: value for key, value in rows.items() if own not in value}
