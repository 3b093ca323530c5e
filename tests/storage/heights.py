"""Random blocks, operations and ways back, and what each version of the state should hold then."""

import copy
import random
from collections.abc import Iterator
from dataclasses import replace

from chain.accounts import Account, AccountChange
from chain.messages.logs import ReadLogs
from chain.messages.storage import ApplyBlock, ApplyOperation, BlockApplied, Revert, TakenSnapshot
from chain.types import BlockNumber, Hash32, Height, Version, Wei
from storage.memory import MemoryKeyValue
from storage.steps import run
from storage.store import Store
from storage.tries import ACCOUNT_TRIE
from tests.found_logs import unpack_found_logs
from tests.storage.oracle import oracle_root
from tests.storage.world import Model, RandomChain, apply_to_model


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
    """A store under random heights, and what each version should hold. The seed decides all.

    Unless it is `checked`, roots are left to whoever looks at the end.
    """

    def __init__(self, seed: int, transactions: int = 6, *, checked: bool = True) -> None:
        self.random = random.Random(seed)
        self.chain = RandomChain(seed, addresses=10, transactions=transactions)
        self.keyvalue = MemoryKeyValue()
        self.store = Store.open(self.keyvalue, self.chain.genesis)
        self.messages: list[ApplyBlock | ApplyOperation] = []
        """What was applied, in order."""
        self._checked = checked
        self.states: dict[Version, Model] = {self.store.head.version: copy.deepcopy(self.chain.model)}
        self.blocks: dict[int, tuple[ApplyBlock, Hash32, Model]] = {}
        self.snapshots: dict[int, tuple[int, Version]] = {}
        self.taken = 0

    def heights(self, count: int) -> Iterator[ApplyBlock | ApplyOperation]:
        """So many, each once it is applied here."""
        for _ in range(count):
            applied = len(self.messages)
            while len(self.messages) == applied:
                self.step()
            yield self.messages[-1]

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
        applied = self._apply(made)
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
        applied = self._apply(operation_of(self.store, self._proposal(), blocks=tuple(blocks)))
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
        applied = self._apply(operation_of(self.store, self._proposal(), changes=(change,)))
        assert applied.hashes == ()
        self._note(applied)

    def snapshot(self) -> None:
        self.taken += 1
        before = self.store.head
        settings = replace(self.store.settings, snapshots=self.taken)
        self._apply(
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
        applied = self._apply(operation_of(self.store, self._proposal(), revert=back))
        assert applied.number == number
        for gone in range(number + 1, newest + 1):
            _, hash, _ = self.blocks.pop(gone)
            assert self.store.blocks.number_of(hash) is None
        self.snapshots = {id: taken for id, taken in self.snapshots.items() if id < snapshot}
        self.chain.number = number
        self.chain.model = copy.deepcopy(self.states[version])
        self._note(applied)

    def _apply(self, message: ApplyBlock | ApplyOperation) -> BlockApplied:
        self.messages.append(message)
        return self.store.apply(message)

    def _next(self, parent: Hash32) -> ApplyBlock:
        return replace(self.chain.next(parent), height=Height(self.store.head.height + 1))

    def _keep(self, made: ApplyBlock, hash: Hash32) -> None:
        self.blocks[made.header.number] = (made, hash, copy.deepcopy(self.chain.model))

    def _note(self, applied: BlockApplied) -> None:
        if self._checked:
            assert self.store.tries.root(ACCOUNT_TRIE, applied.version) == oracle_root(self.chain.model)
        assert applied.version not in self.states, "versions are never reused"
        self.states[applied.version] = copy.deepcopy(self.chain.model)

    def _proposal(self) -> Hash32:
        return Hash32(self.random.randbytes(32))


def check(world: World, store: Store) -> None:
    """Every version that the store keeps and every block, as the model has them."""
    for version, model in world.states.items():
        if version < store.pruning.floor:
            continue
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
        indexed |= {(number, hash, index) for index, receipt in enumerate(made.receipts) if receipt.logs}
        for transaction in block.hashes:
            found = store.blocks.transaction(transaction)
            assert found is not None
            assert found.block_hash == hash
    query = ReadLogs(BlockNumber(0), store.head.number, (), (), 10_000)
    found_logs = unpack_found_logs(run(store.logs(query)))
    assert {(log.number, log.block_hash, log.transaction_index) for log in found_logs} == indexed
