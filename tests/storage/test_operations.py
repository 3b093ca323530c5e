"""Random blocks, operations and ways back against a model of dictionaries: every version reads right, whatever came
after, and every root is that of a fresh trie.
"""

import pytest

import storage.log_search
from chain.messages.logs import ReadLogs
from chain.messages.storage import Revert
from chain.operations import BlockSettings, result_of
from chain.types import BlockNumber, Hash32, Version
from storage.errors import InvalidBlock
from storage.steps import run
from storage.store import Store
from tests.storage.heights import World, check, operation_of
from tests.storage.world import block_of

STEPS = 60


@pytest.mark.parametrize("seed", range(8))
def test_random_heights_leave_every_version_and_block_as_the_model_has_them(seed: int) -> None:
    world = World(seed)
    for _ in range(STEPS):
        world.step()
    check(world, world.store)
    again = Store.open(world.keyvalue, world.chain.genesis)
    assert (again.head, again.settings) == (world.store.head, world.store.settings)
    check(world, again)


def test_an_operation_makes_no_block_and_its_result_covers_state_and_settings() -> None:
    world = World(1)
    world.block()
    before = world.store.head
    settings = BlockSettings(time_offset=5, operations=1)
    operation = operation_of(world.store, Hash32(b"o" * 32), settings=settings)
    applied = world.store.apply(operation)
    assert (applied.number, applied.hash, applied.version) == (before.number, before.hash, before.version)
    assert applied.result == result_of(before.hash, before.header.state_root, settings) != applied.hash
    assert world.store.apply(operation) == applied, "the same again gets the same answer"
    assert world.store.blocks.operation(applied.height) == operation.record
    assert Store.open(world.keyvalue, world.chain.genesis).settings == settings


def test_a_change_after_a_block_is_the_state_of_that_block_from_then_on() -> None:
    world = World(2)
    world.block()
    number = world.store.head.number
    world.change()
    assert world.store.blocks.version(number) == world.store.head.version
    world.block()
    assert world.store.head.number == number + 1


def test_a_block_that_is_not_there_cannot_be_gone_back_to() -> None:
    world = World(3)
    world.block()
    with pytest.raises(InvalidBlock, match="block 7 cannot be applied: it cannot be gone back to from block 1"):
        world.store.apply(operation_of(world.store, Hash32(b"o" * 32), revert=Revert(BlockNumber(7), Version(1), 1)))
    world.store.apply(block_of(world.chain.genesis, 2))
    assert world.store.head.number == 2


def test_a_search_for_logs_during_which_blocks_are_removed_finds_what_is_there_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storage.log_search, "ROWS_A_STEP", 1)
    world = World(4)
    world.block()
    world.snapshot()
    for _ in range(8):
        world.block()
    query = ReadLogs(BlockNumber(1), BlockNumber(9), (), (), 10_000)
    search = world.store.logs(query)
    for _ in range(4):
        next(search)
    world.revert(1)
    world.block()
    assert run(search) == run(world.store.logs(query))


def test_a_search_for_logs_between_the_write_of_a_way_back_and_its_adoption_finds_what_was_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The write is another thread's: of the blocks that it removed the index's rows are gone, and then the copies."""
    monkeypatch.setattr(storage.log_search, "ROWS_A_STEP", 1)
    world = World(4)
    for _ in range(9):
        world.block()
    store, query = world.store, ReadLogs(BlockNumber(1), BlockNumber(9), (), (), 10_000)
    before, search = run(store.logs(query)), store.logs(query)
    next(search)
    way_back = operation_of(store, Hash32(b"o" * 32), revert=Revert(BlockNumber(0), Version(1), 0))
    prepared = run(store.prepare(way_back))
    store.write(prepared)
    assert run(search) == before
    store.adopt(prepared)
    assert store.head.number == 0
