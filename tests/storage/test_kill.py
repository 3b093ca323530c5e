"""kill -9 at any point leaves the store at a whole block, and no block that was answered for is lost.

What the store then says of every block is compared with a chain in memory, and the state root of its newest one with
what the `trie` package makes of a plain model.
"""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from chain.types import BlockNumber
from storage.audit import Audit
from storage.leveldb import LevelDB
from storage.memory import MemoryKeyValue
from storage.store import Store
from tests.storage.answers import assert_same_answers
from tests.storage.lives import POINTS, Life, Lives, chain_of, lives
from tests.storage.oracle import oracle_root

LIVES_OF_A_CHAIN = 5
MOST_WRITES = 40
LONGEST_S = 0.5
"""How long a life goes on when the moment does not come."""

Watch = Callable[[set[str], set[str]], bool]
"""Whether the files that there were and those that there are tell that the moment has come."""

MOMENTS: dict[str, Watch] = {
    "a new log": lambda before, now: any(name.endswith(".log") for name in now - before),
    "a new table": lambda before, now: any(name.endswith(".ldb") for name in now - before),
    "a new manifest": lambda before, now: any(name.startswith("MANIFEST") for name in now - before),
    "a file gone": lambda before, now: bool(before - now),
}
"""What LevelDB does on its own while it is opened, makes a full log into a table, and merges tables."""


@pytest.fixture(scope="module")
def server() -> Iterator[Lives]:
    with lives() as server:
        yield server


class Chain:
    """One folder, and what must be in it."""

    def __init__(self, server: Lives, folder: Path, seed: int, chooser: random.Random) -> None:
        self.folder = folder
        self._server = server
        self._seed = seed
        self._chooser = chooser
        self._history = chooser.choice((None, 1))
        self._said = 0
        self._blocks = chain_of(seed)
        self._reference = Store.open(MemoryKeyValue(), self._blocks.genesis)

    @property
    def _life(self) -> Life:
        return Life(str(self.folder), self._seed, history=self._history)

    def die_at(self, point: str) -> None:
        self._live(replace(self._life, point=point, write=self._chooser.randrange(MOST_WRITES)), None)

    def die_in(self, moment: str) -> None:
        """Manifests are made in the opening only; of all else the first time may be there, or the second."""
        times = 1 if moment == "a new manifest" else self._chooser.randint(1, 2)
        watch = MOMENTS[moment]

        def wait() -> None:
            before, left, deadline = set(os.listdir(self.folder)), times, monotonic() + LONGEST_S
            while left and monotonic() < deadline:
                now = set(os.listdir(self.folder))
                left -= watch(before, now)
                before = now

        self._live(self._life, wait)

    def die_anytime(self) -> None:
        delay_s = self._chooser.uniform(0, 0.03)

        def wait() -> None:
            moment = monotonic() + delay_s
            while monotonic() < moment:
                pass  # shorter than the system would sleep

        self._live(replace(self._life, durable=self._chooser.random() < 0.5), wait)

    def _live(self, life: Life, wait: Callable[[], None] | None) -> None:
        """One life; `wait` returns when it is to be killed, None lets it die by itself."""
        self.folder.mkdir(exist_ok=True)
        self._server.begin(life)
        for what, number in self._server.say():
            if what == "applied":
                self._said = number
            elif what == "pid" and wait is not None:
                wait()
                os.kill(number, signal.SIGKILL)
            elif what == "gone":
                assert number == -signal.SIGKILL
        self._check()

    def _check(self) -> None:
        database = LevelDB(self.folder, durable=False)
        store = Store.open(database, self._blocks.genesis)
        number = store.head.header.number
        assert number >= self._said
        while self._reference.head.header.number < number:
            self._reference.apply(self._blocks.next(self._reference.head.hash))
        assert store.head == self._reference.head
        assert store.head.header.state_root == oracle_root(self._blocks.model)
        assert_same_answers(store, self._reference, self._blocks)
        for _ in Audit(store, database, BlockNumber(0)).run():
            pass
        store.close()


def _kill(server: Lives, folder: Path, seed: int, kills: int) -> Counter[str]:
    """That many kills, of every kind in turn, of several chains."""
    chooser = random.Random(seed)
    kinds = [*POINTS, *MOMENTS, "anytime", "anytime"]
    counts: Counter[str] = Counter()
    for kill in range(kills):
        if kill % LIVES_OF_A_CHAIN == 0:
            chain = Chain(server, folder / str(kill), seed * 1000 + kill, chooser)
        kind = kinds[kill % len(kinds)]
        counts[kind] += 1
        try:
            if kind in POINTS:
                chain.die_at(kind)
            elif kind in MOMENTS:
                chain.die_in(kind)
            else:
                chain.die_anytime()
        except BaseException:
            print(f"seed {seed}: kill {kill}, {kind}, of {chain.folder}")
            raise
    return counts


def test_a_killed_store_opens_at_a_whole_block(server: Lives, tmp_path: Path) -> None:
    print(_kill(server, tmp_path, seed=1, kills=50))


@pytest.mark.full
def test_a_store_killed_500_times_always_opens_at_a_whole_block(server: Lives, tmp_path: Path) -> None:
    print(_kill(server, tmp_path, seed=2, kills=500))


@pytest.mark.parametrize("point", POINTS)
def test_a_store_killed_while_its_genesis_is_made_is_made_or_begins_again(
    server: Lives, tmp_path: Path, point: str
) -> None:
    chain = Chain(server, tmp_path / "chain", 1, random.Random(1))
    for write in (0, 0, 1):
        chain._live(Life(str(chain.folder), 1, point=point, write=write), None)
