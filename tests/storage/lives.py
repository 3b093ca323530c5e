"""Lives of a process that applies the blocks of a random chain to a folder, each ended by SIGKILL.

A server that never opens a database itself forks each life, since LevelDB's thread does not survive a fork. A life dies
by its own hand at a named point of a write, or when the test kills it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage.keyvalue import Batch
from storage.leveldb import LevelDB
from storage.steps import run
from storage.store import Store
from tests.storage.world import RandomChain

PROJECT = Path(__file__).parents[2]
BUFFER_BYTES = 1 << 16
"""Small, so that LevelDB begins a new log and makes a table every few blocks. It takes no less."""

MOST_BLOCKS = 1000
"""Nobody waits longer to kill."""

BEFORE_BATCH, AFTER_BATCH, AFTER_ADOPTION = "before the batch", "after the batch", "after adoption"
POINTS = (BEFORE_BATCH, AFTER_BATCH, AFTER_ADOPTION)
"""Where a write can be cut off that is one batch: before LevelDB has it, when it is durable and not yet what reads see,
and when it is what reads see and nobody was told."""


@dataclass(frozen=True, slots=True)
class Life:
    """`write` counts from the opening on; in a new folder the first one (0) makes the genesis. No `point`: lives on.
    `history` is how many states are kept, None for all: what is pruned is written too.
    """

    folder: str
    seed: int
    durable: bool = False
    history: int | None = None
    point: str = ""
    write: int = 0


class DyingLevelDB(LevelDB):
    """Kills its process at a point of one write."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.writes = 0
        super().__init__(Path(life.folder), life.durable, write_buffer_bytes=BUFFER_BYTES)

    def write(self, batch: Batch, sync: bool = True) -> None:
        self._die_at(BEFORE_BATCH, self.writes)
        super().write(batch, sync)
        self._die_at(AFTER_BATCH, self.writes)
        self.writes += 1

    def adopted(self) -> None:
        """What was written last is what reads see. What is pruned is never adopted: the next block's turn counts."""
        if self._life.point == AFTER_ADOPTION and self.writes > self._life.write:
            self._die()

    def _die_at(self, point: str, write: int) -> None:
        if (self._life.point, self._life.write) == (point, write):
            self._die()

    @staticmethod
    def _die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def chain_of(seed: int) -> RandomChain:
    return RandomChain(seed, transactions=40)


def _live(life: Life) -> None:
    chain = chain_of(life.seed)
    database = DyingLevelDB(life)
    store = Store.open(database, chain.genesis, history=life.history)
    for number in range(store.head.header.number):
        parent = store.blocks.header(number)
        assert parent is not None
        chain.next(parent.hash)
    if database.writes:
        database.adopted()
    for _ in range(MOST_BLOCKS):
        applied = store.apply(chain.next(store.head.hash))
        database.adopted()
        while (batch := run(store.pruning.next_batch())) is not None:
            store.prune(batch)
        os.write(1, b"applied %d\n" % applied.header.number)  # in one piece, whatever happens


def serve() -> None:
    for line in sys.stdin:
        life = Life(**json.loads(line))
        child = os.fork()
        if child == 0:
            _live(life)
            os._exit(1)
        print(f"pid {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"gone {os.waitstatus_to_exitcode(status)}", flush=True)


class Lives:
    """The server, from the test's side."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def begin(self, life: Life) -> None:
        assert self._server.stdin is not None
        print(json.dumps(asdict(life)), file=self._server.stdin, flush=True)

    def say(self) -> Iterator[tuple[str, int]]:
        """What the life and the server say, until it is gone."""
        assert self._server.stdout is not None
        while True:
            line = self._server.stdout.readline()
            what, number = line.split()
            yield what, int(number)
            if what == "gone":
                return


@contextlib.contextmanager
def lives() -> Iterator[Lives]:
    pipe: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", "tests.storage.lives"], cwd=PROJECT, text=True, **pipe) as server:
        yield Lives(server)
        assert server.stdin is not None
        server.stdin.close()


if __name__ == "__main__":
    serve()
