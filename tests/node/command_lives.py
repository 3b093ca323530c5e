"""Lives of commands that write a data folder, each ended by SIGKILL before one of the steps in which it does.

A step is a batch of a store, a name that is made, moved or removed, a file that is copied, or the disk told to keep it.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.import_command import import_chain
from node.imported import copy_store
from node.settings import Settings
from node.state_commands import load
from storage.leveldb import LevelDB
from tests.conformance.rpc_exchanges import GENESIS
from tests.storage.lives import DyingLevelDB, serve

IMPORT, LOAD, COPY = "import", "load", "copy"
STEPS: tuple[tuple[Any, str], ...] = (
    (LevelDB, "write"),
    (os, "mkdir"),
    (os, "rename"),
    (os, "unlink"),
    (os, "rmdir"),
    (os, "fsync"),
    (os, "sync"),
    (shutil, "copyfile"),
)


@dataclass(frozen=True, slots=True)
class CommandLife:
    """Dies before the `step`-th step (from 0), or when the command is over. `source` is what it reads."""

    command: str
    source: str
    folder: str
    step: int


def run_command(command: str, source: Path, folder: Path) -> None:
    settings = Settings(data_dir=folder, quiet=True)
    if command == IMPORT:
        import_chain(source, Settings(data_dir=folder, genesis=GENESIS, quiet=True))
    elif command == LOAD:
        load(source, settings)
    else:
        copy_store(source, folder)


def _live(life: CommandLife) -> None:
    left, pipe = life.step, os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the pipe is for what lives say, not for what commands do

    def dying(done: Callable[..., Any], name: str) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                os.write(pipe, b"before-%s %d\n" % (name.encode(), life.step))
                DyingLevelDB.die()
            left -= 1
            return done(*arguments, **named)

        return step

    for owner, name in STEPS:
        setattr(owner, name, dying(getattr(owner, name), name))
    run_command(life.command, Path(life.source), Path(life.folder))
    os.write(pipe, b"over %d\n" % (life.step - left))
    DyingLevelDB.die()


if __name__ == "__main__":
    serve(CommandLife, _live)
