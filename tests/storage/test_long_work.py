"""Work that grows with what changed is done a bounded part at a time: counted in records, which no machine changes."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

import storage.changes
import storage.kept
from chain.accounts import Account, AccountChange
from chain.messages.storage import ReadChangedAccounts, Revert, TakenSnapshot
from chain.receipts import Log
from chain.types import Address, BlockNumber, Hash32, Height, Version, Wei
from storage.blocks import LOG_ROWS_A_STEP
from storage.errors import InvalidBlock, StatePruned
from storage.journal import JOURNAL, NAMES_A_PART
from storage.kept import RECORDS_A_STEP, STEPS_A_BATCH, SWEEP_KEY, Superseded, Sweep
from storage.latest import LATEST, latest_key, latest_prefix
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.pruning import KEPT_HEIGHTS
from storage.state import ACCOUNTS, SLOTS, slot_name
from storage.steps import SORTED_A_STEP, in_order, run
from storage.store import Store
from storage.versions import suffix
from tests.storage.heights import World, check, operation_of
from tests.storage.superfluous import superfluous
from tests.storage.test_process import Asker
from tests.storage.world import RandomChain, block_of, genesis_of

A, B = Address(b"\xaa" * 20), Address(b"\xbb" * 20)
MANY = 4_000
OTHERS = 4
"""Records that are looked for besides."""
KEYS_A_NAME = 3
"""What pruning may delete of one: the record below, the empty one above it, the newest value's copy."""


class CountedKeyValue(MemoryKeyValue):
    """Counts the records looked at. A test begins it again."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at = 0
        self.walked: list[bytes] = []

    def first_from(self, key: bytes) -> tuple[bytes, bytes] | None:
        self.looked_at += 1
        return super().first_from(key)

    def pairs(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        self.walked.append(start)
        return self._counted(super().pairs(start, stop))

    def _counted(self, pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for pair in pairs:
            self.looked_at += 1
            yield pair


class Chain:
    """One account's slots, all of them changed in the second block after a snapshot of the first, and pruned then."""

    def __init__(self, slots: int) -> None:
        self.keyvalue = CountedKeyValue()
        self.genesis = genesis_of(AccountChange(A, Account(1, Wei(1)), dict.fromkeys(range(slots), 1)))
        self.store = Store.open(self.keyvalue, self.genesis, history=KEPT_HEIGHTS)
        self.block({0: 2})
        taken = TakenSnapshot(1, self.store.settings)
        self.store.apply(operation_of(self.store, Hash32(b"s" * 32), taken=taken))
        self.snapshot = Revert(self.store.head.number, self.store.head.version, 1)
        self.block({slot: 0 if slot % 2 else 3 for slot in range(slots)})

    def block(self, slots: dict[int, int]) -> None:
        made = block_of(self.genesis, self.store.head.number + 1, AccountChange(A, Account(1, Wei(1)), slots))
        self.store.apply(replace(made, height=Height(self.store.head.height + 1)))

    def forget_all_but_the_newest(self) -> None:
        for _ in range(KEPT_HEIGHTS + 1):
            self.block({})
        for _ in self.pruned_batches():
            pass

    def pruned_batches(self) -> Iterator[int]:
        """How many keys each deletes."""
        while (batch := run(self.store.pruning.next_batch())) is not None:
            self.store.prune(batch)
            yield len(batch)
            self.keyvalue.looked_at = 0


def test_a_turn_of_pruning_looks_at_as_many_records_however_many_a_version_wrote() -> None:
    for slots in (MANY // 2, MANY):
        chain = Chain(slots)
        for _ in range(KEPT_HEIGHTS + 1):
            chain.block({})
        turns, reads = 0, []
        chain.keyvalue.looked_at = 0
        for deleted in chain.pruned_batches():
            turns += 1
            reads.append(chain.keyvalue.looked_at)
            assert deleted <= KEYS_A_NAME * NAMES_A_PART + 2
        assert turns > slots / NAMES_A_PART
        assert max(reads) <= KEYS_A_NAME * NAMES_A_PART + OTHERS


def test_a_batch_of_a_sweep_looks_at_so_many_records_however_many_a_name_has_above_and_below_the_floor() -> None:
    keyvalue, floor = CountedKeyValue(), Version(1_500)
    pins = [Version(version) for version in range(1, 1_500, 3)]
    hot, emptied = slot_name(A, 1), slot_name(A, 2)
    keyvalue.write({hot + suffix(Version(version)): b"\x07" for version in range(1, 6_000)})
    keyvalue.write({emptied + suffix(Version(2)): b"\x07", emptied + suffix(Version(3)): b""})
    keyvalue.write({slot_name(B, number) + suffix(Version(1)): b"\x07" for number in range(500)})
    expected = superfluous(keyvalue, floor, pins)
    sweep, superseded, found = Sweep(keyvalue), Superseded(keyvalue, False, pins), set[bytes]()
    keyvalue.looked_at = 0
    while SWEEP_KEY not in found:
        before = keyvalue.looked_at
        steps = sweep.next_batch(superseded, floor)
        batch = None
        while batch is None:
            step = keyvalue.looked_at
            try:
                next(steps)
            except StopIteration as end:
                batch = end.value
            assert keyvalue.looked_at - step <= RECORDS_A_STEP + OTHERS
        assert keyvalue.looked_at - before <= STEPS_A_BATCH * RECORDS_A_STEP + OTHERS
        keyvalue.write(batch)
        found |= set(batch)
    assert sorted(found - {SWEEP_KEY}) == sorted(expected)
    assert keyvalue.looked_at < 2_000 + 10 * RECORDS_A_STEP, "what is newer than the floor is leapt over"


def test_a_sweep_in_the_middle_of_a_name_sees_that_pruning_went_on_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.kept, "RECORDS_A_STEP", 1)
    monkeypatch.setattr(storage.kept, "STEPS_A_BATCH", 1)
    keyvalue, name = MemoryKeyValue(), slot_name(A, 1)
    keyvalue.write({name + suffix(Version(version)): b"\x07" for version in (5, 10)})
    sweep, superseded = Sweep(keyvalue), Superseded(keyvalue, False, ())
    keyvalue.write(run(sweep.next_batch(superseded, Version(10))))
    keyvalue.write({name + suffix(Version(20)): b""})
    keyvalue.write(dict.fromkeys(superseded.by(name, Version(20), is_empty=True)))
    assert len(list(keyvalue.with_prefix(name))) == 2, "what says that the slot is empty hides the oldest record"
    while SWEEP_KEY not in (batch := run(sweep.next_batch(superseded, Version(20)))):
        keyvalue.write(batch)
    keyvalue.write(batch)
    assert list(keyvalue.with_prefix(name)) == []


def test_a_sweep_in_the_middle_of_a_name_keeps_what_hides_a_pinned_value_from_later_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage.kept, "RECORDS_A_STEP", 1)
    monkeypatch.setattr(storage.kept, "STEPS_A_BATCH", 1)
    keyvalue, name = MemoryKeyValue(), slot_name(A, 1)
    written, emptied, copy = name + suffix(Version(5)), name + suffix(Version(20)), latest_key(name)
    keyvalue.write({written: b"\x07"})
    sweep, superseded = Sweep(keyvalue), Superseded(keyvalue, False, (Version(6),))
    keyvalue.write(run(sweep.next_batch(superseded, Version(10))))
    keyvalue.write({emptied: b"", copy: latest_prefix(Version(20))})
    keyvalue.write(dict.fromkeys(superseded.by(name, Version(20), is_empty=True)))
    while SWEEP_KEY not in (batch := run(sweep.next_batch(superseded, Version(20)))):
        keyvalue.write(batch)
    keyvalue.write(batch)
    assert list(keyvalue.with_prefix(name)) == [(emptied, b""), (written, b"\x07")]
    assert keyvalue.get(copy) == latest_prefix(Version(20))


def test_removing_a_block_pauses_however_many_logs_one_transaction_has() -> None:
    chain = RandomChain(1)
    store = Store.open(MemoryKeyValue(), chain.genesis)
    block = chain.next(store.head.hash)
    logs = (Log(A, (), b""),) * (5 * LOG_ROWS_A_STEP)
    store.apply(replace(block, receipts=(replace(block.receipts[0], logs=logs), *block.receipts[1:])))
    batch = dict[bytes, bytes | None]()
    sizes = [len(batch) for _ in store.blocks.delete(store.head.number, batch)]
    assert len(batch) > len(logs)
    assert max(after - before for before, after in pairwise([0, *sizes, len(batch)])) <= LOG_ROWS_A_STEP + OTHERS


def test_reads_are_right_after_a_change_that_is_larger_than_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.changes, "MOST_ADOPTED", 20)
    world = World(3)
    for _ in range(20):
        world.step()
        check(world, world.store)


async def test_what_a_way_back_changes_is_looked_for_once_and_only_if_it_leads_somewhere() -> None:
    chain = Chain(MANY)
    chain.forget_all_but_the_newest()
    asker = Asker(StorageService(chain.store))
    chain.keyvalue.walked.clear()
    nowhere = Revert(BlockNumber(1), Version(chain.snapshot.version + 1), 0)
    with pytest.raises(StatePruned):
        await asker.ask(ReadChangedAccounts(nowhere.version))
    with pytest.raises(InvalidBlock):
        await asker.ask(operation_of(chain.store, Hash32(b"n" * 32), revert=nowhere))
    assert not any(start.startswith((LATEST, JOURNAL)) for start in chain.keyvalue.walked)
    await asker.ask(ReadChangedAccounts(chain.snapshot.version))
    await asker.ask(operation_of(chain.store, Hash32(b"b" * 32), revert=chain.snapshot))
    assert [start for start in chain.keyvalue.walked if start.startswith(LATEST)] == [LATEST + ACCOUNTS, LATEST + SLOTS]
    assert [chain.store.state.slot(A, slot, chain.store.head.version) for slot in range(3)] == [2, 1, 1]
    await asker.service.close()


@pytest.mark.parametrize("count", [0, 1, SORTED_A_STEP, 3 * SORTED_A_STEP + 7])
def test_many_are_sorted_in_steps(count: int) -> None:
    chosen = random.Random(count)
    items = [chosen.randbytes(8) for _ in range(count)]
    assert run(in_order(items)) == sorted(items)
    assert sum(1 for _ in in_order(items)) >= count // SORTED_A_STEP
