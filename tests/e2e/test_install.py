"""scripts/install says in one line what is missing, before or instead of what its tools would print."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TOOLS = (
    "bash", "cat", "cut", "dirname", "env", "mktemp", "readlink", "rm", "sha256sum", "tail", "head", "sed",
    "uname", "ls",
)  # fmt: skip
PYTHON = Path(sys.base_prefix) / "bin" / "python3"
"""The interpreter itself: what is first on the PATH may be a script that looks for it."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the script in a project whose only requirement does not build."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts" / "install", tmp_path / "scripts" / "install")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "requirements.txt").write_text("./needs-a-compiler\n")
    package = tmp_path / "needs-a-compiler"
    package.mkdir()
    (package / "setup.py").write_text("raise SystemExit('error: command gcc failed')")
    return tmp_path


def install(checkout: Path, programs: tuple[str, ...]) -> str:
    """What the script says on a machine that has only these programs besides the usual tools."""
    bin_folder = checkout / "bin"
    bin_folder.mkdir(exist_ok=True)
    for program in (*TOOLS, *programs):
        found = PYTHON if program == "python3" else shutil.which(program)
        assert found is not None, program
        (bin_folder / program).symlink_to(found)
    environment = {"PATH": str(bin_folder), "HOME": str(checkout)}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    run = subprocess.run(
        [str(checkout / "scripts" / "install")], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 1
    return run.stderr.splitlines()[-1]


@pytest.mark.parametrize("unfit", [False, True])
def test_a_missing_python_is_named_with_how_to_get_it(checkout: Path, unfit: bool) -> None:
    if unfit:  # one of another version, or a shim of pyenv for one that is not there
        (checkout / "bin").mkdir()
        (checkout / "bin" / "python3").write_text("#!/usr/bin/env bash\necho no such version >&2; exit 1\n")
        (checkout / "bin" / "python3").chmod(0o755)
    said = install(checkout, ())
    assert said == (
        "tandem: Python 3.11 or 3.12 is needed and was not found (for newer ones plyvel, the database, is not built): "
        "install it (Debian 12: apt-get install python3 python3-venv), or use docker compose up"
    )


def test_a_missing_compiler_is_named_with_how_to_get_it(checkout: Path) -> None:
    said = install(checkout, ("python3",))
    assert said.startswith("tandem: a package must be compiled and there is no C compiler")
    assert "apt-get install gcc" in said


def test_other_failures_keep_what_the_installer_said(checkout: Path) -> None:
    said = install(checkout, ("python3", "cc"))
    assert said.startswith("tandem: the packages could not be installed (see above)")


@pytest.mark.parametrize(("said", "attempts"), [("ReadTimeoutError: Read timed out.", 3), ("error: no such file", 1)])
def test_what_the_network_cut_off_is_tried_again(checkout: Path, said: str, attempts: int) -> None:
    script = checkout / "needs-a-compiler" / "setup.py"
    script.write_text(f"open({str(checkout / 'attempts')!r}, 'a').write('one\\n'); raise SystemExit({said!r})")
    install(checkout, ("python3", "cc"))
    assert (checkout / "attempts").read_text() == attempts * "one\n"


def test_the_environment_of_a_checkout_that_was_moved_is_made_anew(checkout: Path) -> None:
    before = checkout / "before" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(before)], check=True)
    (before / "tandem-installed").write_text(f"0123 {before.parent}\n")
    before.rename(checkout / ".venv")
    install(checkout, ("python3", "cc"))
    assert (checkout / ".venv" / "bin" / "pip").read_text().startswith(f"#!{checkout}/.venv/bin/python")
