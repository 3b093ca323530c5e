"""The state on disk alone, in one process: reads, a block's commit, and how both grow with the state.

Times are of the processor, of the one thread that reads and commits, so that what else the machine does counts little.
"""

import asyncio
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import plyvel
from trie import HexaryTrie

from chain.accounts import Account, AccountChange
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.messages.storage import ApplyBlock
from chain.types import Address, BlockNumber, Hash32, Version, Wei
from node.roles import RARE_COLLECTIONS
from scripts.benchmarks.execution_blocks import Signed, User, World, ether_transfers, token_transfers
from scripts.benchmarks.executors import Executor
from scripts.benchmarks.log_search import BLOCKS, SearchFigures, measure_searches
from scripts.benchmarks.state_reads import ReadFigures, ReadWorld, accounts_alone, measure_reads
from storage.changes import StateChanges
from storage.leveldb import BLOOM_BITS_PER_KEY, LevelDB
from storage.nodes import FIRST_BRANCH
from storage.state import VersionedState
from storage.steps import run
from storage.store import Store
from storage.tries import Tries

SIZES = (10_000, 100_000, 1_000_000)
MADE_A_BLOCK = 10_000
ONE_IN = 100
"""One account in so many is a contract, and has so many slots: there are as many slots as accounts."""
CHANGED_ACCOUNTS, CHANGED_CONTRACTS, SLOTS_EACH = 2_000, 400, 10
TRANSFERS, TRANSFER_BLOCKS = 1_000, 10
SEED = 20261122


@dataclass(slots=True)
class Commit:
    """Where the time of one block's commit goes, in milliseconds."""

    trie: float
    encode: float
    batch: float
    rest: float

    @property
    def total(self) -> float:
        return self.trie + self.encode + self.batch + self.rest


@dataclass(frozen=True, slots=True)
class TrieWork:
    """What the update of the tries for one block takes, writes and reads: branches, of which there are more the deeper
    the tries are, and nodes that no cache had, with the milliseconds that LevelDB took for these.
    """

    ms: float
    branches: float
    sought: float
    leveldb_ms: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a state with so many accounts and as many slots."""

    accounts: int
    made_s: float
    disk_mb: float
    reads: ReadFigures
    commit: Commit
    commit_total_ms: float
    trie: TrieWork
    uncached_trie: TrieWork


@dataclass(frozen=True, slots=True)
class TrieFigures:
    """2,000 changed keys in a trie of 10,000, in ms: ours on LevelDB, the `trie` package's in a dictionary."""

    ours_ms: float
    package_ms: float


@dataclass(frozen=True, slots=True)
class StorageFigures:
    sizes: Sequence[Figures]
    trie: TrieFigures
    searches: Sequence[SearchFigures]
    bytes_per_1000_transfers: int
    bytes_per_1000_token_transfers: int


class TimedTries(Tries):
    """Counts the seconds of its updates, and of LevelDB's part in them."""

    seconds = 0.0
    leveldb_seconds = 0.0

    def node(self, *arguments: Any) -> bytes:
        began = time.thread_time()
        record = super().node(*arguments)
        self.leveldb_seconds += time.thread_time() - began
        return record

    def update(self, *arguments: Any, **options: Any) -> Generator[None, None, Hash32]:
        began = time.thread_time()
        after = yield from super().update(*arguments, **options)
        self.seconds += time.thread_time() - began
        return after


class State:
    """One state on disk, changed block by block."""

    def __init__(self, folder: Path) -> None:
        self.keyvalue = LevelDB(folder, durable=False)
        self.state = VersionedState(self.keyvalue)
        self.tries = TimedTries(self.keyvalue)
        self.root = EMPTY_ROOT
        self.version = Version(0)

    def commit(self, changes: Sequence[AccountChange]) -> tuple[Commit, TrieWork]:
        """Work in, encode, write and adopt the changes of one block."""
        self.version = Version(self.version + 1)
        self.tries.seconds = self.tries.leveldb_seconds = 0.0
        misses = self.tries.cache_use().misses
        began = time.thread_time()
        work = StateChanges(self.state, self.tries, BlockNumber(self.version), self.version)
        self.root = run(work.run(self.root, changes))
        worked = time.thread_time()
        batch: dict[bytes, bytes | None] = {}
        run(work.put_into(batch))
        encoded = time.thread_time()
        self.keyvalue.write(batch)
        written = time.thread_time()
        work.adopt()
        adopted = time.thread_time()
        trie = self.tries.seconds
        rest = worked - began - trie + adopted - written
        branches = sum(bool(record) and record[0] >= FIRST_BRANCH for record in work.nodes.values())
        return (
            Commit(*(seconds * 1e3 for seconds in (trie, encoded - worked, written - encoded, rest))),
            TrieWork(trie * 1e3, branches, self.tries.cache_use().misses - misses, self.tries.leveldb_seconds * 1e3),
        )

    def commit_uncached(self, changes: Sequence[AccountChange]) -> TrieWork:
        """With no node of the tries in a cache of ours."""
        self.tries.forget()
        return self.commit(changes)[1]


def made_state(folder: Path, size: int) -> tuple[State, list[Address]]:
    """A state of so many accounts, by the hash of their address, so that each region of the trie is built once."""
    chosen = random.Random(SEED)
    addresses = sorted((Address(chosen.randbytes(20)) for _ in range(size)), key=keccak256)
    state = State(folder)
    for at in range(0, size, MADE_A_BLOCK):
        state.commit([_new_account(chosen, i, addresses[i]) for i in range(at, min(at + MADE_A_BLOCK, size))])
    return state, addresses


def _new_account(chosen: random.Random, index: int, address: Address) -> AccountChange:
    slots = {number: chosen.getrandbits(60) + 1 for number in range(ONE_IN)} if index % ONE_IN == 0 else {}
    return AccountChange(address, Account(1, Wei(chosen.getrandbits(70))), slots)


def block_of(chosen: random.Random, addresses: Sequence[Address]) -> list[AccountChange]:
    """2,000 changed accounts, 400 of them contracts in which 10 slots change."""
    contracts = chosen.sample(range(0, len(addresses), ONE_IN), min(CHANGED_CONTRACTS, len(addresses) // ONE_IN))
    slots_each = CHANGED_CONTRACTS * SLOTS_EACH // len(contracts)
    plain = {i for i in chosen.sample(range(len(addresses)), CHANGED_ACCOUNTS) if i % ONE_IN}
    indices = [*contracts, *islice(plain, CHANGED_ACCOUNTS - len(contracts))]
    changes = []
    for index in indices:
        numbers = chosen.sample(range(ONE_IN), slots_each) if index % ONE_IN == 0 else []
        slots = {number: chosen.getrandbits(60) + 1 for number in numbers}
        changes.append(AccountChange(addresses[index], Account(2, Wei(chosen.getrandbits(70))), slots))
    return changes


def measure_storage(sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> StorageFigures:
    gc.set_threshold(*RARE_COLLECTIONS)
    figures = []
    for size in sizes:
        say(f"measuring a state of {size:,} accounts …")
        with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
            figures.append(_figures(Path(folder), size, rounds))
    say("measuring the trie package …")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        trie = _trie_figures(Path(folder), rounds)
    say("measuring searches for logs …")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        searches = measure_searches(Path(folder), rounds)
    say("measuring the bytes of transfers …")
    plain, tokens = [asyncio.run(_bytes_of(transfers)) for transfers in (ether_transfers, token_transfers)]
    return StorageFigures(figures, trie, searches, plain, tokens)


def _figures(folder: Path, size: int, rounds: int) -> Figures:
    began = time.perf_counter()
    state, addresses = made_state(folder / "state", size)
    made_s = time.perf_counter() - began
    with closing(state.keyvalue):
        disk_mb = state.keyvalue.approximate_bytes() / 1e6
        alone = accounts_alone(folder / "alone", state.state, state.version, addresses)
        chosen = random.Random(SEED + 1)
        old = state.version
        blocks = [block_of(chosen, addresses) for _ in range(rounds + 1)]
        commits, works = zip(*[state.commit(block) for block in blocks][1:], strict=True)
        uncached = [state.commit_uncached(block_of(chosen, addresses)) for _ in range(rounds)]
        changed = list({change.address for block in blocks for change in block})
        world = ReadWorld(state.keyvalue, state.version, addresses, alone, changed, old)
        reads = measure_reads(world, chosen, rounds)
        alone.close()
    commit = Commit(*map(statistics.median, zip(*map(astuple, commits), strict=True)))
    return Figures(size, made_s, disk_mb, reads, commit, commit.total, _median(works), _median(uncached))


def _median(works: Sequence[TrieWork]) -> TrieWork:
    return TrieWork(*map(statistics.median, zip(*map(astuple, works), strict=True)))


def _trie_figures(folder: Path, rounds: int) -> TrieFigures:
    """The roots are compared, too."""
    state, addresses = made_state(folder, SIZES[0])
    theirs = HexaryTrie({})
    with theirs.squash_changes() as building:
        for address in addresses:
            stored = state.state.account(address, state.version)
            building[keccak256(address)] = stored.account.trie_value(stored.storage_root)
    chosen = random.Random(SEED)
    ours_ms, package_ms = [], []
    for _ in range(rounds):
        changes = [
            AccountChange(a, Account(3, Wei(chosen.getrandbits(70))), {}) for a in chosen.sample(addresses, 2_000)
        ]
        keyed = [
            (keccak256(c.address), c.account.trie_value(state.state.account(c.address, state.version).storage_root))
            for c in changes
        ]
        ours_ms.append(state.commit(changes)[0].trie)
        began = time.thread_time()
        with theirs.squash_changes() as batch:
            for key, value in keyed:
                batch[key] = value
        package_ms.append((time.thread_time() - began) * 1e3)
        assert theirs.root_hash == state.root, "the roots differ"
    state.keyvalue.close()
    return TrieFigures(statistics.median(ours_ms), statistics.median(package_ms))


async def _bytes_of(transfers: Callable[[World, Sequence[User]], Iterator[Signed]]) -> int:
    """What 1,000 executed transfers take on the disk: blocks, receipts, records, state, tries and indices."""
    world = World()
    source = transfers(world, world.users)
    executor = Executor(world.genesis(), "serial", "compiled")
    beginning = list(world.first_blocks())
    blocks = [list(islice(source, TRANSFERS)) for _ in range(TRANSFER_BLOCKS)]
    _, executed = await executor.run([*beginning, *blocks])
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        before, after = [
            _compacted_bytes(Path(folder) / str(count), world, [block.apply for block in executed[:count]])
            for count in (len(beginning), len(executed))
        ]
    return (after - before) * 1000 // sum(len(block.apply.transactions) for block in executed[len(beginning) :])


def _compacted_bytes(folder: Path, world: World, blocks: Sequence[ApplyBlock]) -> int:
    """What a chain of these takes once LevelDB has compacted it."""
    with closing(Store.open(folder, world.genesis(), durable=False)) as store:
        for block in blocks:
            store.apply(block)
    with closing(plyvel.DB(str(folder), bloom_filter_bits=BLOOM_BITS_PER_KEY)) as database:
        database.compact_range()
    return sum(file.stat().st_size for file in folder.glob("*.ldb"))


def storage_as_table(figures: StorageFigures) -> str:
    def row(name: str, text: Callable[[Figures], str]) -> str:
        return f"{name:<44}" + "".join(f"{text(each):>14}" for each in figures.sizes)

    trie = figures.trie
    lines = [
        row("accounts, and as many slots", lambda f: f"{f.accounts:,}"),
        row("made in, s", lambda f: f"{f.made_s:.1f}"),
        row("on the disk, MB", lambda f: f"{f.disk_mb:.1f}"),
        "",
        row("read at latest, not cached, us", lambda f: f"{f.reads.read_us:.2f}"),
        row("  LevelDB's get of such a record", lambda f: f"{f.reads.get_us:.2f}"),
        row("  over that", lambda f: f"{f.reads.read_us - f.reads.get_us:.2f}"),
        row("get where there are accounts alone, us", lambda f: f"{f.reads.alone_get_us:.2f}"),
        row("read of an account that never was, us", lambda f: f"{f.reads.absent_us:.2f}"),
        row("read at latest, cached, us", lambda f: f"{f.reads.cached_us:.2f}"),
        row("read before a change since, us", lambda f: f"{f.reads.old_us:.2f}"),
        "",
        row("block of 2,000 accounts and 4,000 slots, ms", lambda f: f"{f.commit_total_ms:.1f}"),
        row("  trie", lambda f: f"{f.commit.trie:.1f}"),
        row("    branches written (and 6,000 leaves)", lambda f: f"{f.trie.branches:,.0f}"),
        row("    nodes read that no cache had", lambda f: f"{f.trie.sought:,.0f}"),
        row("    LevelDB's part of it, ms", lambda f: f"{f.trie.leveldb_ms:.1f}"),
        row("  encode", lambda f: f"{f.commit.encode:.1f}"),
        row("  batch", lambda f: f"{f.commit.batch:.1f}"),
        row("  rest: reads before, caches after", lambda f: f"{f.commit.rest:.1f}"),
        row("trie with none of its nodes cached, ms", lambda f: f"{f.uncached_trie.ms:.1f}"),
        row("    nodes read", lambda f: f"{f.uncached_trie.sought:,.0f}"),
        row("    LevelDB's part of it, ms", lambda f: f"{f.uncached_trie.leveldb_ms:.1f}"),
        "",
        f"2,000 changed keys in a trie of 10,000, ms: ours {trie.ours_ms:.1f}, the trie package {trie.package_ms:.1f}, "
        f"{trie.package_ms / trie.ours_ms:.1f} times as long",
        *(
            f"logs by {each.criteria} in {BLOCKS:,} blocks, {each.found:,} found: {each.storage_ms:.2f} ms in storage, "
            f"{each.rpc_ms:.2f} ms to JSON"
            for each in figures.searches
        ),
        f"1,000 plain transfers take {figures.bytes_per_1000_transfers:,} bytes on the disk, "
        f"1,000 transfers of a token {figures.bytes_per_1000_token_transfers:,}",
    ]
    return "\n".join(lines)


def storage_as_json(figures: StorageFigures) -> str:
    return json.dumps(asdict(figures), indent=2)
