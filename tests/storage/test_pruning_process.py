"""Pruning in the storage process: in the background, in turns with the blocks."""

import asyncio
import threading
from pathlib import Path

import pytest

import storage.journal
from chain.messages.storage import BlockApplied, ReadState, ReadStorageStatus, StateValues
from chain.types import Version
from storage.errors import StatePruned
from storage.keyvalue import Batch, DiskFull
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.pruning import FLOOR_KEY, KEPT_HEIGHTS
from storage.store import Store
from tests.storage.test_process import TIME_LIMIT_S, Asker
from tests.storage.world import RandomChain

BLOCK, PRUNED = "block", "pruned"


class NotedKeyValue(MemoryKeyValue):
    """Notes what each write was for. While `full`, there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []
        self.full = False
        self.pruned = threading.Event()

    def write(self, batch: Batch, sync: bool = True) -> None:
        if self.full:
            raise DiskFull(Path("the disk"), "no room")
        assert sync != (FLOOR_KEY in batch)
        self.noted.append(PRUNED if FLOOR_KEY in batch else BLOCK)
        super().write(batch, sync)
        if FLOOR_KEY in batch:
            self.pruned.set()


class World:
    """A chain of some blocks of which all states were kept, and a service that is to keep but a few."""

    def __init__(self, blocks: int) -> None:
        self.chain = RandomChain(1)
        self.keyvalue = NotedKeyValue()
        store = Store.open(self.keyvalue, self.chain.genesis)
        for _ in range(blocks):
            store.apply(self.chain.next(store.head.hash))
        self.store = Store.open(self.keyvalue, self.chain.genesis, history=KEPT_HEIGHTS)
        self.keyvalue.noted.clear()
        self.asker = Asker(StorageService(self.store))

    async def pruned(self) -> None:
        """Wait until there is nothing left to prune: a write of pruning's gives way to the next task."""
        async with asyncio.timeout(TIME_LIMIT_S):
            while self.store.pruning.behind():
                await asyncio.to_thread(self.keyvalue.pruned.wait, TIME_LIMIT_S)
                self.keyvalue.pruned.clear()

    async def apply(self) -> BlockApplied:
        applied: BlockApplied = await self.asker.ask(self.chain.next(self.store.head.hash))
        return applied


async def test_a_block_sets_off_the_pruning_of_what_is_too_old_and_status_tells_the_oldest_state() -> None:
    world = World(40)
    await world.apply()
    await world.pruned()
    status = await world.asker.ask(ReadStorageStatus())
    assert (status.number, status.oldest, status.oldest_state) == (41, 0, 41 - KEPT_HEIGHTS)
    assert status.counters["pruned_records"] > 100
    await world.asker.service.close()


async def test_blocks_wait_for_one_batch_of_pruning_at_most_however_far_behind_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage.journal, "NAMES_A_PART", 4)
    world = World(100)
    for _ in range(10):
        await world.apply()
    assert world.keyvalue.noted.count(BLOCK) == 10
    assert "".join(kind[0] for kind in world.keyvalue.noted).find("pp") == -1, world.keyvalue.noted
    assert PRUNED in world.keyvalue.noted
    await world.asker.service.close()


async def test_a_pruned_version_is_refused_and_the_oldest_kept_one_answered() -> None:
    world = World(40)
    await world.apply()
    await world.pruned()
    floor = world.store.pruning.floor
    address = world.chain.addresses[0]
    with pytest.raises(StatePruned, match="the states of blocks before 25 are pruned"):
        await world.asker.ask(ReadState(Version(floor - 1), (address,), (), ()))
    assert isinstance(await world.asker.ask(ReadState(floor, (address,), (), ())), StateValues)
    await world.asker.service.close()


async def test_a_full_disk_stops_pruning_until_there_is_room_for_a_block_again() -> None:
    world = World(40)
    await world.apply()
    world.keyvalue.full = True
    with pytest.raises(DiskFull):
        await world.apply()
    world.keyvalue.full = False
    world.chain.number -= 1
    await world.apply()
    await world.pruned()
    assert world.store.pruning.oldest == world.store.head.number - KEPT_HEIGHTS
    await world.asker.service.close()
