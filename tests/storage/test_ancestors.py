"""The hashes of the blocks that led to a version, whatever was taken back since."""

import pytest

from chain.messages.storage import BlockHashes, ReadHashes, Revert
from chain.types import ZERO_HASH, BlockNumber, Hash32, Version
from storage.ancestors import hashes_at
from storage.errors import BlocksTakenBack
from storage.process import StorageService
from storage.steps import run
from tests.storage.heights import World, operation_of
from tests.storage.test_process import Asker

STEPS = 80


def chain_of(world: World) -> dict[BlockNumber, Hash32]:
    """Every block that there is."""
    headers = [world.store.blocks.header(number) for number in range(world.store.head.number + 1)]
    return {stored.header.number: stored.hash for stored in headers if stored is not None}


def told(world: World, version: Version, numbers: range) -> dict[BlockNumber, Hash32]:
    return hashes_at(world.store.blocks, world.store.head.height, version, [BlockNumber(n) for n in numbers])


@pytest.mark.parametrize("seed", range(12))
def test_a_version_has_the_blocks_that_led_to_it_whatever_came_after(seed: int) -> None:
    world = World(seed, transactions=1, checked=False)
    chains = {world.store.head.version: chain_of(world)}
    lost: set[Hash32] = set()
    """Of several of one height all but the last."""
    for _ in world.heights(STEPS):
        chains.setdefault(world.store.head.version, chain_of(world))
        lost |= set(world.store.head.hashes[:-1])
    there = set(chain_of(world).values())
    for version, chain in chains.items():
        for number, block_hash in chain.items():
            try:
                assert told(world, version, range(number, number + 1)) == {number: block_hash}
            except BlocksTakenBack:
                assert block_hash in lost - there
        if not lost.intersection(chain.values()) - there:
            newest = max(chain)
            assert {n: h for n, h in told(world, version, range(newest + 1)).items() if n <= newest} == chain
    assert len(chains) > STEPS / 2


async def test_what_was_taken_back_is_told_to_who_stands_on_it() -> None:
    world = World(1)
    world.block()
    world.snapshot()
    world.block()
    [_, first, gone] = chain_of(world).values()
    version = world.store.head.version
    world.revert(1)
    world.block()
    asker, numbers = Asker(StorageService(world.store)), (BlockNumber(1), BlockNumber(2), BlockNumber(3))
    assert await asker.ask(ReadHashes(version, numbers)) == BlockHashes((first, gone, ZERO_HASH))
    assert await asker.ask(ReadHashes(None, numbers)) == BlockHashes((first, world.store.head.hash, ZERO_HASH))


def test_between_the_write_of_a_way_back_and_its_adoption_the_blocks_are_those_that_were_there() -> None:
    """The write is another thread's."""
    world = World(4, transactions=1)
    for _ in range(200):
        world.block()
    chain, store = chain_of(world), world.store
    store.blocks.forget()
    prepared = run(store.prepare(operation_of(store, Hash32(b"o" * 32), revert=Revert(BlockNumber(0), Version(1), 0))))
    store.write(prepared)
    assert told(world, store.head.version, range(1, 201)) == {n: h for n, h in chain.items() if n}
    store.adopt(prepared)
    assert store.head.number == 0


def test_a_hash_that_is_lost_is_not_made_up() -> None:
    world = World(2)
    world.block()
    world.snapshot()
    world.mine(3)
    version, chain = world.store.head.version, chain_of(world)
    world.revert(1)
    world.block()
    assert told(world, version, range(4, 6)) == {4: chain[BlockNumber(4)]}
    assert told(world, version, range(2)) == {0: chain[BlockNumber(0)], 1: chain[BlockNumber(1)]}
    with pytest.raises(BlocksTakenBack, match="block 3, which led to state version 5, was taken back"):
        told(world, version, range(3, 4))
