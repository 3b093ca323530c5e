"""kill -9 at any point leaves the store at a whole height, and none that was answered for is lost.

What the store then says of every block, operation and state is compared with a chain in memory, and the root of its
newest state with what the `trie` package makes of a plain model. A load that was cut off begins again.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest

import storage.dumping
from chain.types import BlockNumber
from storage.audit import Audit
from storage.leveldb import LevelDB
from storage.loading import Loading
from storage.memory import MemoryKeyValue
from storage.store import Store
from storage.tries import ACCOUNT_TRIE
from tests.storage.answers import assert_same_answers, assert_same_heights
from tests.storage.lives import (
    AFTER_BATCH,
    BEFORE_BATCH,
    BLOCK,
    MOST_HEIGHTS,
    OPENING,
    POINTS,
    PRUNING,
    WRITES,
    Life,
    Lives,
    lives,
    world_of,
)
from tests.storage.oracle import oracle_root
from tests.storage.state_files import dumped, genesis_from

LIVES_OF_A_CHAIN = 5
MOST_WRITES = {BLOCK: 8, PRUNING: 15}
"""So many of a kind come before the one that is cut off, or less; of the others, which are rarer, one or none."""
MOST_WRITES_OF_A_LOAD = 50
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
        self._world = world_of(seed)
        self._heights = self._world.heights(MOST_HEIGHTS)

    @property
    def _life(self) -> Life:
        return Life(str(self.folder), self._seed, history=self._history)

    def die_at(self, of: str, point: str) -> None:
        """Nothing is pruned where everything is kept; a block is cut off instead."""
        kind = BLOCK if of == PRUNING and self._history is None else of
        count = self._chooser.randrange(MOST_WRITES.get(kind, 2))
        self.live(replace(self._life, of=kind, point=point, count=count), None)

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

        self.live(self._life, wait)

    def die_anytime(self) -> None:
        delay_s = self._chooser.uniform(0, 0.03)

        def wait() -> None:
            moment = monotonic() + delay_s
            while monotonic() < moment:
                pass  # shorter than the system would sleep

        self.live(replace(self._life, durable=self._chooser.random() < 0.5), wait)

    def live(self, life: Life, wait: Callable[[], None] | None) -> None:
        """One life; `wait` returns when it is to be killed, None lets it die by itself."""
        self.folder.mkdir(exist_ok=True)
        self._said = max(self._said, self._server.lived(life, wait).get("applied", 0))
        self._check()

    def _check(self) -> None:
        database, world = LevelDB(self.folder, durable=False), self._world
        store = Store.open(database, world.chain.genesis)
        assert store.head.height >= self._said
        while world.store.head.height < store.head.height:
            next(self._heights)
        assert store.tries.root(ACCOUNT_TRIE, store.head.version) == oracle_root(world.chain.model)
        assert_same_heights(store, world.store)
        assert_same_answers(store, world.store, world.chain)
        for _ in Audit(store, database, BlockNumber(0)).run():
            pass
        store.close()


def _kill(server: Lives, folder: Path, seed: int, kills: int) -> Counter[str]:
    """That many kills, of every kind in turn, of several chains."""
    chooser = random.Random(seed)
    writes = [(of, point) for of in WRITES for point in POINTS]
    kinds = [*writes, *MOMENTS, "anytime", "anytime"]
    counts: Counter[str] = Counter()
    for kill in range(kills):
        if kill % LIVES_OF_A_CHAIN == 0:
            chain = Chain(server, folder / str(kill), seed * 1000 + kill, chooser)
        kind = kinds[kill % len(kinds)]
        counts[str(kind)] += 1
        try:
            if isinstance(kind, tuple):
                chain.die_at(*kind)
            elif kind in MOMENTS:
                chain.die_in(kind)
            else:
                chain.die_anytime()
        except BaseException:
            print(f"seed {seed}: kill {kill}, {kind}, of {chain.folder}")
            raise
    return counts


def test_a_killed_store_opens_at_a_whole_height(server: Lives, tmp_path: Path) -> None:
    """At every named point twice: of blocks, of operations, of ways back, and of pruning."""
    print(_kill(server, tmp_path, seed=1, kills=50))


@pytest.mark.full
def test_a_store_killed_500_times_always_opens_at_a_whole_height(server: Lives, tmp_path: Path) -> None:
    print(_kill(server, tmp_path, seed=2, kills=500))


@pytest.mark.parametrize("point", POINTS)
def test_a_store_killed_while_its_genesis_is_made_is_made_or_begins_again(
    server: Lives, tmp_path: Path, point: str
) -> None:
    chain = Chain(server, tmp_path / "chain", 1, random.Random(1))
    for of in (OPENING, BLOCK, BLOCK):
        chain.live(Life(str(chain.folder), 1, of=of, point=point), None)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is loaded in several writes."""
    monkeypatch.setattr(storage.dumping, "PART_BYTES", 2_000)
    return dumped(tmp_path / "state", seed=1, blocks=12)


def test_a_load_killed_at_any_write_and_again_while_that_is_removed_begins_again(
    server: Lives, tmp_path: Path, state: Path
) -> None:
    fresh = MemoryKeyValue()
    Store.open(fresh, genesis_from(state), loading=Loading(state, lambda accounts: None)).close()
    expected, kills = list(fresh.pairs(b"", b"\xff")), 0
    for count in range(MOST_WRITES_OF_A_LOAD):
        folder = tmp_path / str(count)
        for point in (BEFORE_BATCH, AFTER_BATCH):
            life = Life(str(folder), 1, of=OPENING, point=point, count=count, state=str(state))
            if "opened" in server.lived(life):
                assert kills > 12
                return
            kills += 1
            server.lived(replace(life, count=count // 2))
            _check_load(folder, state, expected)
    raise AssertionError(f"the load was not over after {MOST_WRITES_OF_A_LOAD} writes")


def _check_load(folder: Path, state: Path, expected: list[tuple[bytes, bytes]]) -> None:
    """What is opened in a copy of the folder, so that the next life finds what the one before left."""
    with TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        database = LevelDB(Path(copy), durable=False)
        store = Store.open(database, genesis_from(state), loading=Loading(state, lambda accounts: None))
        assert list(database.pairs(b"", b"\xff")) == expected
        store.close()
