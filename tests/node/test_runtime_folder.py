"""The private folder of a running chain goes with it, and takes along what a killed one left."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

import pytest

from node import folder as data
from node.endpoints import LocalEndpoints
from node.errors import BadTemporaryFolder
from node.runtime_folder import LOCK, MAX_PATH_BYTES, PREFIX, SETTLED_AFTER_S, runtime_folder
from node.settings import MAX_VALIDATORS, Settings


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_behind(parent: Path, name: str, age_s: float) -> Path:
    folder = parent / f"{PREFIX}{name}"
    folder.mkdir()
    (folder / LOCK).touch()
    return aged(folder, age_s)


def aged(folder: Path, age_s: float) -> Path:
    then = folder.stat().st_mtime - age_s
    os.utime(folder, (then, then))
    return folder


def test_it_is_private_and_goes_when_the_chain_ends(parent: Path) -> None:
    with runtime_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.parent == parent
    assert list(parent.iterdir()) == []


def test_an_abandoned_one_is_removed(parent: Path) -> None:
    abandoned = left_behind(parent, "abandoned", 2 * SETTLED_AFTER_S)
    with runtime_folder():
        assert not abandoned.exists()


def test_one_in_use_a_young_one_and_those_of_others_are_left_alone(parent: Path) -> None:
    used, young = left_behind(parent, "used", 2 * SETTLED_AFTER_S), left_behind(parent, "young", 0)
    (parent / f"{PREFIX}of-somebody-else").mkdir()
    with open(used / LOCK, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with runtime_folder():
            assert used.exists()
    assert young.exists()
    assert (parent / f"{PREFIX}of-somebody-else").exists()


@pytest.mark.parametrize("name", ["tandem-data", f"{PREFIX}data"])
def test_a_chain_that_somebody_keeps_beside_them_is_never_taken_for_one(parent: Path, name: str) -> None:
    kept = parent / name
    with data.lock(kept):
        data.create_or_open(kept, Settings())
    aged(kept, 2 * SETTLED_AFTER_S)
    with runtime_folder():
        assert data.open_folder(kept).path == kept


def test_a_folder_whose_name_is_too_long_for_sockets_is_refused_and_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / ("x" * MAX_PATH_BYTES)
    parent.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(parent))
    with pytest.raises(BadTemporaryFolder, match="too long a name to hold sockets: set TMPDIR"), runtime_folder():
        pass
    assert list(parent.iterdir()) == []


def test_every_socket_fits_into_the_longest_folder_allowed() -> None:
    folder = "/" + "x" * (MAX_PATH_BYTES - 1)
    path = LocalEndpoints(Path(folder)).validator(MAX_VALIDATORS).removeprefix("ipc://")
    with socket.socket(socket.AF_UNIX) as probe, pytest.raises(FileNotFoundError):  # and not "path too long"
        probe.connect(path)


def test_where_no_folder_can_be_made_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    words = r"cannot make a temporary folder: No such file .* set TMPDIR"
    with pytest.raises(BadTemporaryFolder, match=words), runtime_folder():
        pass
