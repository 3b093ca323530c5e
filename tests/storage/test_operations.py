"""Random blocks, operations and ways back against a model of dictionaries: every version reads right, whatever came
after, and every root is that of a fresh trie.
"""

import copy
import random
from dataclasses import replace

import pytest

import storage.log_search
from chain.accounts import Account, AccountChange
from chain.messages.logs import ReadLogs
from chain.messages.storage import ApplyBlock, ApplyOperation, BlockApplied, Revert, TakenSnapshot
from chain.operations import BlockSettings, result_of
from chain.types import BlockNumber, Hash32, Height, Version, Wei
from storage.errors import InvalidBlock
from storage.memory import MemoryKeyValue
from storage.steps import run
from storage.store import Store
from storage.tries import ACCOUNT_TRIE
from tests.storage.oracle import oracle_root
from tests.storage.world import Model, RandomChain, apply_to_model, block_of

STEPS = 60


def operation_of(store: Store, proposal: Hash32, **fields: object) -> ApplyOperation:
    nothing = ApplyOperation(
        height=Height(store.head.height + 1),
        proposal=proposal,
        blocks=(),
        changes=(),
        revert=None,
        taken=None,
        settings=store.settings,
        record=b"record of %d" % (store.head.height + 1),
    )
    return replace(nothing, **fields)  # type: ignore[arg-type]


class World:
    """A store under random heights, and what each version should hold."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.chain = RandomChain(seed, addresses=10)
        self.keyvalue = MemoryKeyValue()
        self.store = Store.open(self.keyvalue, self.chain.genesis)
        self.states: dict[Version, Model] = {self.store.head.version: copy.deepcopy(self.chain.model)}
        self.blocks: dict[int, tuple[ApplyBlock, Hash32, Model]] = {}
        self.snapshots: dict[int, tuple[int, Version]] = {}
        self.taken = 0

    def step(self) -> None:
        choice = self.random.random()
        if choice < 0.45:
            self.block()
        elif choice < 0.6:
            self.mine(self.random.randint(2, 5))
        elif choice < 0.75:
            self.change()
        elif choice < 0.88:
            self.snapshot()
        elif self.snapshots:
            self.revert(self.random.choice(list(self.snapshots)))

    def block(self) -> None:
        made = self._next(self.store.head.hash)
        applied = self.store.apply(made)
        assert applied.result == applied.hash
        self._keep(made, applied.hash)
        self._note(applied)

    def mine(self, count: int) -> None:
        """Some blocks in one height. Their parents' hashes are known only once they are applied."""
        height = self.store.head.height + 1
        blocks, models = [], []
        for _ in range(count):
            made = replace(self._next(Hash32(bytes(32))), height=Height(height))
            blocks.append(made)
            models.append((made.parent_hash_slot, copy.deepcopy(self.chain.model)))
        before = self.store.head.hash
        applied = self.store.apply(operation_of(self.store, self._proposal(), blocks=tuple(blocks)))
        parents = [before, *applied.hashes[:-1]]
        written: dict[tuple[bytes, int], int] = {}
        for made, (slot, model), parent, hash in zip(blocks, models, parents, applied.hashes, strict=True):
            assert slot is not None
            written[slot] = int.from_bytes(parent, "big")
            for (address, number), value in written.items():
                model[address].slots[number] = value  # type: ignore[index]
            self.blocks[made.header.number] = (made, hash, model)
        self.chain.model = copy.deepcopy(models[-1][1])
        self._note(applied)

    def change(self) -> None:
        address = self.random.choice(self.chain.addresses)
        account = Account(self.random.randint(0, 3), Wei(self.random.getrandbits(60)))
        change = AccountChange(address, account, {self.random.randrange(12): self.random.getrandbits(8)})
        if account.is_empty:
            return
        apply_to_model(self.chain.model, replace(change, slots={n: v for n, v in change.slots.items() if v}))
        for number, value in change.slots.items():
            if value == 0:
                self.chain.model[address].slots.pop(number, None)
        applied = self.store.apply(operation_of(self.store, self._proposal(), changes=(change,)))
        assert applied.hashes == ()
        self._note(applied)

    def snapshot(self) -> None:
        self.taken += 1
        before = self.store.head
        settings = replace(self.store.settings, snapshots=self.taken)
        self.store.apply(
            operation_of(
                self.store, self._proposal(), taken=TakenSnapshot(self.taken, self.store.settings), settings=settings
            )
        )
        self.snapshots[self.taken] = (before.number, before.version)

    def revert(self, snapshot: int) -> None:
        number, version = self.snapshots[snapshot]
        newest = self.store.head.number
        stored = self.store.snapshots.get(snapshot)
        assert stored is not None
        assert (stored.number, stored.version) == (number, version)
        back = Revert(stored.number, stored.version, snapshot)
        applied = self.store.apply(operation_of(self.store, self._proposal(), revert=back))
        assert applied.number == number
        for gone in range(number + 1, newest + 1):
            _, hash, _ = self.blocks.pop(gone)
            assert self.store.blocks.number_of(hash) is None
        self.snapshots = {id: taken for id, taken in self.snapshots.items() if id < snapshot}
        self.chain.number = number
        self.chain.model = copy.deepcopy(self.states[version])
        self._note(applied)

    def _next(self, parent: Hash32) -> ApplyBlock:
        return replace(self.chain.next(parent), height=Height(self.store.head.height + 1))

    def _keep(self, made: ApplyBlock, hash: Hash32) -> None:
        self.blocks[made.header.number] = (made, hash, copy.deepcopy(self.chain.model))

    def _note(self, applied: BlockApplied) -> None:
        assert self.store.tries.root(ACCOUNT_TRIE, applied.version) == oracle_root(self.chain.model)
        assert applied.version not in self.states, "versions are never reused"
        self.states[applied.version] = copy.deepcopy(self.chain.model)

    def _proposal(self) -> Hash32:
        return Hash32(self.random.randbytes(32))


def check(world: World, store: Store) -> None:
    """Every version and every block, as the model has them."""
    for version, model in world.states.items():
        for address in world.chain.addresses:
            expected = model.get(address)
            account = store.state.account(address, version).account
            assert account == (Account() if expected is None else expected.account)
            for slot in range(12):
                assert store.state.slot(address, slot, version) == (
                    0 if expected is None else expected.slots.get(slot, 0)
                )
    indexed = set()
    for number, (made, hash, model) in world.blocks.items():
        block = store.blocks.block(number, with_receipts=True)
        assert block is not None
        assert (block.hash, block.transactions, block.receipts) == (hash, made.transactions, made.receipts)
        assert block.header.state_root == oracle_root(model)
        assert store.blocks.number_of(hash) == number
        indexed |= {(number, index) for index, receipt in enumerate(made.receipts) if receipt.logs}
        for transaction in block.hashes:
            found = store.blocks.transaction(transaction)
            assert found is not None
            assert found.block_hash == hash
    query = ReadLogs(BlockNumber(0), store.head.number, (), (), 10_000)
    assert {(log.number, log.transaction_index) for log in run(store.logs(query))} == indexed


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
    monkeypatch.setattr(storage.log_search, "TRANSACTIONS_A_STEP", 1)
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
