"""The private folder of one running chain: its sockets, the list of its processes, and, unless it is kept elsewhere,
its data. It goes with the chain; what a killed supervisor left behind, a later one removes.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from node.errors import BadTemporaryFolder

PREFIX = "tandem-run-"
LOCK = "in-use"
"""What makes a folder one of these: no data folder holds a file of this name, wherever it lies."""
SETTLED_AFTER_S = 60
"""A younger folder may be between its making and its locking."""

MAX_PATH_BYTES = 107 - len("/validator-000")
"""Linux allows a socket's whole path 107 bytes."""


@contextlib.contextmanager
def runtime_folder() -> Iterator[Path]:
    """A new folder that only this user may enter, locked as long as it is used. Raises BadTemporaryFolder."""
    path = _made()
    try:
        with open(path / LOCK, "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _made() -> Path:
    try:
        parent = Path(tempfile.gettempdir())
        _remove_abandoned(parent)
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise BadTemporaryFolder(
            f"cannot make a temporary folder: {error.strerror}; set TMPDIR to a folder that you may write to"
        ) from error
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        path.rmdir()
        raise BadTemporaryFolder(
            f"the temporary folder {parent} has too long a name to hold sockets: set TMPDIR to one with a shorter name"
        )
    return path


def _remove_abandoned(parent: Path) -> None:
    """Folders of ours whose lock nobody holds any more."""
    for path in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime < SETTLED_AFTER_S:
                continue
            with open(path / LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
