"""Lives of a process that applies the heights of a random chain to a folder, or loads a state into it, each ended by
SIGKILL.

A server that never opens a database itself forks each life, since LevelDB's thread does not survive a fork. A life dies
by its own hand at a named point of a write, or when the test kills it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import storage.journal
import storage.loading
from chain.messages.storage import ApplyBlock, ApplyOperation
from storage.keyvalue import Batch
from storage.leveldb import LevelDB
from storage.loading import Loading
from storage.steps import run
from storage.store import Store
from tests.storage.heights import World
from tests.storage.state_files import genesis_from

T = TypeVar("T")

PROJECT = Path(__file__).parents[2]
BUFFER_BYTES = 1 << 16
"""Small, so that LevelDB begins a new log and makes a table every few blocks. It takes no less."""

MOST_HEIGHTS = 1000
"""Nobody waits longer to kill."""

BEFORE_BATCH, AFTER_BATCH, AFTER_ADOPTION = "before the batch", "after the batch", "after adoption"
POINTS = (BEFORE_BATCH, AFTER_BATCH, AFTER_ADOPTION)
"""Where a write can be cut off that is one batch: before LevelDB has it, when it is durable and not yet what reads see,
and when it is what reads see and nobody was told."""

OPENING, BLOCK, BLOCKS, CHANGE, SNAPSHOT, WAY_BACK, PRUNING = (
    "the opening",
    "a block",
    "blocks of an operation",
    "a change of the state",
    "a snapshot",
    "a way back",
    "pruning",
)
WRITES = (BLOCK, BLOCKS, CHANGE, SNAPSHOT, WAY_BACK, PRUNING)
"""What is written once a chain is open. The opening writes a new chain's first state, in several parts if that is
loaded, and removes what a load left that was cut off."""


@dataclass(frozen=True, slots=True)
class Life:
    """Dies at a `point` of the `count`-th (from 0) write of the kind `of`; without a point it lives on.

    `history` is how many states are kept, None for all. `state` is a file to load the first state from; such a life is
    over when the chain is open.
    """

    folder: str
    seed: int
    durable: bool = False
    history: int | None = None
    of: str = ""
    point: str = ""
    count: int = 0
    state: str = ""


class DyingLevelDB(LevelDB):
    """Kills its process at a point of one write. `of` is the kind of what is written."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._writes_of: Counter[str] = Counter()
        self.of = OPENING
        super().__init__(Path(life.folder), life.durable, write_buffer_bytes=BUFFER_BYTES)

    def write(self, batch: Batch, sync: bool = True) -> None:
        self._die_at(BEFORE_BATCH)
        super().write(batch, sync)
        self._die_at(AFTER_BATCH)
        self._writes_of[self.of] += 1

    def adopted(self) -> None:
        """What was written last is what reads see. What was pruned is never adopted: what comes after it counts."""
        life = self._life
        if life.point == AFTER_ADOPTION and self._writes_of[life.of] > life.count:
            self.die()

    def _die_at(self, point: str) -> None:
        life = self._life
        if (life.point, life.of, life.count) == (point, self.of, self._writes_of[self.of]):
            self.die()

    @staticmethod
    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def kind_of(message: ApplyBlock | ApplyOperation) -> str:
    if isinstance(message, ApplyBlock):
        return BLOCK
    if message.revert is not None:
        return WAY_BACK
    return BLOCKS if message.blocks else CHANGE if message.changes else SNAPSHOT


def world_of(seed: int) -> World:
    """The random heights that all lives of a seed apply."""
    return World(seed, transactions=40, checked=False)


def _live(life: Life) -> None:
    database = DyingLevelDB(life)
    if life.state:
        _load(database, Path(life.state))
    else:
        _grow(database, life)


def _grow(database: DyingLevelDB, life: Life) -> None:
    storage.journal.NAMES_A_PART = 8  # a block of this world writes up to 60
    world = world_of(life.seed)
    store = Store.open(database, world.chain.genesis, history=life.history)
    database.adopted()
    for message in world.heights(MOST_HEIGHTS):
        if message.height <= store.head.height:
            continue
        database.of = kind_of(message)
        applied = store.apply(message)
        database.adopted()
        database.of = PRUNING
        while (batch := run(store.pruning.next_batch())) is not None:
            store.prune(batch)
        say(b"applied %d\n" % applied.height)
    if not life.point:
        signal.pause()  # until it is killed


def _load(database: DyingLevelDB, file: Path) -> None:
    storage.loading.REMOVED_A_WRITE = 100
    Store.open(database, genesis_from(file), loading=Loading(file, lambda accounts: None))
    say(b"opened 0\n")
    database.die()


def serve(kind: type[T], live: Callable[[T], None]) -> None:
    for line in sys.stdin:
        life = kind(**json.loads(line))
        child = os.fork()
        if child == 0:
            live(life)
            os._exit(1)
        say(b"pid %d\n" % child)
        _, status = os.waitpid(child, 0)
        say(b"gone %d\n" % os.waitstatus_to_exitcode(status))


def say(line: bytes) -> None:
    """In one piece, whatever happens, and whoever else says something."""
    os.write(1, line)


class Lives:
    """The server, from the test's side."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def lived(self, life: Any, wait: Callable[[], None] | None = None) -> dict[str, int]:
        """The last of each thing that a life says before it dies: by itself, or killed when `wait` returns."""
        assert self._server.stdin is not None
        print(json.dumps(asdict(life)), file=self._server.stdin, flush=True)
        said: dict[str, int] = {}
        for what, number in self._say():
            if what == "pid" and wait is not None:
                wait()
                os.kill(number, signal.SIGKILL)
            elif what == "gone":
                assert number == -signal.SIGKILL
            said[what] = number
        return said

    def _say(self) -> Iterator[tuple[str, int]]:
        """What the life and the server say, until it is gone."""
        assert self._server.stdout is not None
        while True:
            line = self._server.stdout.readline()
            what, number = line.split()
            yield what, int(number)
            if what == "gone":
                return


@contextlib.contextmanager
def lives(module: str = "tests.storage.lives") -> Iterator[Lives]:
    """`module` serves lives of its own kind when it is run."""
    pipe: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", module], cwd=PROJECT, text=True, **pipe) as server:
        yield Lives(server)
        assert server.stdin is not None
        server.stdin.close()


if __name__ == "__main__":
    serve(Life, _live)
