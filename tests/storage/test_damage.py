"""Files that lost their end, bytes of them, or all: the store is refused, or right; it never answers wrongly.

SIGKILL leaves what the kernel has; these do what a loss of power, a bad disk or a careless hand does.
"""

from functools import partial
from pathlib import Path

import pytest

from chain.genesis import Genesis
from storage.keyvalue import CorruptStore, KeyValue
from storage.leveldb import LevelDB
from storage.leveldb_log import log_records
from storage.store import Store
from tests.storage.damaged import DAMAGES, END_OF_KEYS, Life, Original, some_offsets, unless_refused
from tests.storage.heights import World
from tests.storage.log_file import write_log
from tests.storage.world import RandomChain

BLOCKS_IN_TABLES, BLOCKS_IN_LOG = 4, 8
HEIGHTS_IN_A_LIFE = 14
CASES = 8
"""Of each kind, for each file."""


def blocks(seed: int, transactions: int = 16) -> list[Life]:
    """A small chain, of blocks alone."""
    chain = RandomChain(seed, addresses=4, changes=2, transactions=transactions)

    def life(count: int) -> Life:
        def live(keyvalue: KeyValue) -> Genesis:
            store = Store.open(keyvalue, chain.genesis)
            for _ in range(count):
                store.apply(chain.next(store.head.hash))
            return chain.genesis

        return live

    return [life(count) for count in (BLOCKS_IN_TABLES // 2, BLOCKS_IN_TABLES // 2, BLOCKS_IN_LOG)]


def operations(seed: int) -> list[Life]:
    """Blocks, several of them in one height, changes of the state, snapshots and ways back."""
    world = World(seed, transactions=2, checked=False)

    def live(keyvalue: KeyValue) -> Genesis:
        store = Store.open(keyvalue, world.chain.genesis)
        for message in world.heights(HEIGHTS_IN_A_LIFE):
            store.apply(message)
        return world.chain.genesis

    return [live, live, live]


@pytest.fixture
def chain(tmp_path: Path, seed: int) -> Original:
    return Original(tmp_path / "chain", blocks(seed))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_or_leaves_a_whole_chain(chain: Original, damage: str, seed: int) -> None:
    outcomes = chain.outcomes(damage, some_offsets(seed, CASES))
    assert outcomes["refused"] > 0
    assert outcomes["an older block"] > 0 or damage != "cut"


def test_damaged_operations_and_ways_back_are_refused_or_leave_a_whole_chain(tmp_path: Path) -> None:
    chain = Original(tmp_path / "chain", operations(seed=2))
    for damage in DAMAGES:
        assert chain.outcomes(damage, some_offsets(2, CASES))["refused"] > 0


@pytest.mark.full
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_at_any_byte_is_refused_or_leaves_a_whole_chain(tmp_path: Path, damage: str) -> None:
    Original(tmp_path / "chain", blocks(1, transactions=0)).outcomes(damage, lambda data: range(len(data)))


@pytest.mark.full
@pytest.mark.parametrize("seed", range(4, 12))
def test_many_damages_to_operations_and_ways_back(tmp_path: Path, seed: int) -> None:
    chain = Original(tmp_path / "chain", operations(seed))
    for damage in DAMAGES:
        chain.outcomes(damage, some_offsets(seed, 150))


def test_a_missing_file_is_refused_with_its_name(chain: Original) -> None:
    """But for the diary, which nothing depends on."""
    for path in chain.files:
        expected = "whole" if path.name.startswith("LOG") else "refused"
        assert chain.outcome(path.name, None) == expected, path.name


def test_a_hole_between_two_logs_is_refused(chain: Original) -> None:
    """While a full log is made into a table there are two. LevelDB would take the end of the first one for torn, and
    go on with the second.
    """
    (log,) = chain.folder.glob("*.log")
    records = [record for _, record in log_records(log)]
    assert len(records) == BLOCKS_IN_LOG
    second = log.with_name(f"{int(log.stem) + 1:06}.log")
    write_log(second, records[5:])
    for kept, outcome in ((5, "whole"), (4, "refused"), (0, "refused")):
        write_log(log, records[:kept])
        assert chain.outcome(second.name, second.read_bytes()) == outcome
    write_log(log, records[:5])
    assert chain.outcome(log.name, log.read_bytes()[:-1]) == "refused"
    assert chain.outcome(second.name, None) == "an older block"


def test_a_hole_within_a_log_is_refused(chain: Original) -> None:
    """A record that is gone without a trace: zeros in place of its header make LevelDB skip the rest of its 32 KB."""
    (log,) = chain.folder.glob("*.log")
    records = [record for _, record in log_records(log)]
    write_log(log, [*records[:3], *records[4:]])
    assert chain.outcome(log.name, log.read_bytes()) == "refused"


def test_zeros_after_the_last_record_are_room_that_nobody_used(chain: Original) -> None:
    (log,) = chain.folder.glob("*.log")
    assert chain.outcome(log.name, log.read_bytes() + bytes(5000)) == "whole"


def rows_of(database: LevelDB) -> dict[bytes, bytes]:
    return dict(database.pairs(b"", END_OF_KEYS))


def test_a_walk_that_meets_a_damaged_block_is_refused_with_the_file_and_never_cut_short(tmp_path: Path) -> None:
    """Also when that is the last one there is: plyvel's own iterators take it for the end."""
    rows = {b"%05d" % number: b"value %d" % number for number in range(1_000)}
    database = LevelDB(tmp_path, durable=False)
    database.write(rows)
    database.close()
    LevelDB(tmp_path, durable=False).close()  # makes a table of the log
    (table,) = tmp_path.glob("*.ldb")
    data, refused = table.read_bytes(), 0
    for at in range(0, len(data) - 200, 97):  # what comes last is looked at when the table is opened
        table.write_bytes(DAMAGES["flipped"](data, at))
        database = LevelDB(tmp_path, durable=False)
        refusals: list[CorruptStore] = []
        found = unless_refused(partial(rows_of, database), refusals)
        database.close()
        assert (found, refusals) == (rows, []) or [refusal.what for refusal in refusals] == [table], f"byte {at}"
        refused += len(refusals)
    assert refused > 20
