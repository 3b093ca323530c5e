"""A data folder that may not be read or written ends `tandem up` with one line that says so and what to do.

Root may read and write everything, so for root the command runs without the capabilities that allow it.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.chain_process import chain
from tests.e2e.command_line import refusal, tandem

PRIVILEGED = os.geteuid() == 0
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if PRIVILEGED else ()
"""Runs a command as one whom permissions bind."""
UNREADABLE, UNWRITABLE = 0o000, 0o555
Forbid = Callable[[Path, int], None]


def cannot_be_ordinary() -> bool:
    if not PRIVILEGED:
        return False
    return shutil.which("setpriv") is None or subprocess.run([*ORDINARY, "true"], check=False).returncode != 0


pytestmark = pytest.mark.skipif(cannot_be_ordinary(), reason="runs as root, and setpriv is missing or not allowed")


@pytest.fixture
def forbid() -> Iterator[Forbid]:
    """Sets a path's permissions until the test ends."""
    before: list[tuple[Path, int]] = []

    def change(path: Path, mode: int) -> None:
        before.append((path, stat.S_IMODE(path.stat().st_mode)))
        path.chmod(mode)

    yield change
    for path, mode in reversed(before):
        path.chmod(mode)


@pytest.fixture(scope="module")
def used_chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain's folder with its databases in it."""
    folder = tmp_path_factory.mktemp("used") / "chain"
    with chain("--data-dir", str(folder)) as running:
        running.end()
    return folder


def refused(folder: Path) -> str:
    line = refusal("--data-dir", str(folder), through=ORDINARY)
    assert "Permission denied" in line
    return line


def test_a_folder_that_may_not_be_read(used_chain: Path, forbid: Forbid) -> None:
    forbid(used_chain, UNREADABLE)
    assert refused(used_chain) == (
        f"tandem: cannot use the data folder {used_chain}: Permission denied; mend that, or give another --data-dir"
    )


def test_a_folder_that_may_be_read_and_not_written(tmp_path: Path, forbid: Forbid) -> None:
    forbid(tmp_path, UNWRITABLE)
    assert "mend that, or give another --data-dir" in refused(tmp_path)


@pytest.mark.parametrize("mode", [UNREADABLE, UNWRITABLE])
def test_a_folder_that_cannot_be_made(tmp_path: Path, forbid: Forbid, mode: int) -> None:
    forbid(tmp_path, mode)
    line = refused(tmp_path / "new")
    assert line.startswith(f"tandem: cannot make the data folder {tmp_path / 'new'}: ")
    assert "give another --data-dir" in line


@pytest.mark.parametrize("name", ["chain.json", "genesis", "validator-1/key"])
def test_a_file_of_the_chain_that_may_not_be_read(used_chain: Path, forbid: Forbid, name: str) -> None:
    forbid(used_chain / name, UNREADABLE)
    line = refused(used_chain)
    assert f"cannot read {used_chain / name}: " in line
    assert "mend that, or give another --data-dir" in line


@pytest.mark.parametrize("mode", [UNREADABLE, UNWRITABLE])
@pytest.mark.parametrize(("process", "name"), [("storage", "storage-0"), ("validator-1", "validator-1/db")])
def test_a_database_that_may_not_be_read_or_written(
    used_chain: Path, forbid: Forbid, process: str, name: str, mode: int
) -> None:
    forbid(used_chain / name, mode)
    line = refused(used_chain)
    assert line.startswith(f"tandem: {process}: the data folder {used_chain / name} cannot be read and written")
    assert "change its permissions, or choose another" in line


def test_a_settings_file_that_may_not_be_read(tmp_path: Path, forbid: Forbid) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("port = 1")
    forbid(file, UNREADABLE)
    line = refusal("--config", str(file), through=ORDINARY)
    assert line == f"tandem: cannot read {file}: Permission denied; mend that, or name another by --config"


def test_init_says_it_too(tmp_path: Path, forbid: Forbid) -> None:
    forbid(tmp_path, UNWRITABLE)
    run = tandem("init", "--data-dir", str(tmp_path), through=ORDINARY)
    assert run.returncode == 1
    assert run.stderr == (
        f"tandem: cannot write to the data folder {tmp_path}: Permission denied; "
        "mend that, or give another --data-dir\n"
    )


def test_repair_says_it_too(used_chain: Path, forbid: Forbid) -> None:
    forbid(used_chain, UNREADABLE)
    run = tandem("repair", "--check", "--data-dir", str(used_chain), through=ORDINARY)
    assert run.returncode == 1
    assert run.stderr == (
        f"tandem: cannot use the data folder {used_chain}: Permission denied; mend that, or give another --data-dir\n"
    )
