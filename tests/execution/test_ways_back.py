"""Executors of one chain that prune at different times go back alike: all of them, or none."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from chain.codec import decode_value, encode_message
from chain.links import RequestFailed
from chain.messages import Message
from chain.messages.storage import BlockApplied, ReadOperation, StoredRecord
from chain.operations import (
    Mine,
    Operation,
    OperationRecord,
    RevertToBlock,
    RevertToSnapshot,
    SetAccount,
    TakeSnapshot,
    ordered,
)
from chain.types import BlockNumber, Wei
from execution.operations import ExecutedOperation, Operations
from execution.pool import Pool
from execution.processor import BlockProcessor
from execution.senders import Senders
from storage.keyvalue import StoreError
from storage.memory import MemoryKeyValue
from storage.process import StorageService
from storage.store import Store
from tests.execution.world import ADDRESSES, ENGINE, funded, genesis, proposal, until
from tests.storage.test_process import Asker

OF = genesis(funded(ADDRESSES[:2]))
HISTORY = 16
OPERATIONS = 100


class Storage:
    """An executor's own storage, as execution asks it."""

    def __init__(self, history: int | None) -> None:
        self.store = Store.open(MemoryKeyValue(), OF, history=history)
        self._asker = Asker(StorageService(self.store))

    async def request(self, message: Message, timeout_s: float | None = None) -> Message:
        try:
            answer: Message = await self._asker.ask(message)
        except StoreError as error:
            raise RequestFailed(type(error).__name__, str(error)) from error
        return answer

    async def pruned(self) -> None:
        await until(lambda: not self.store.pruning.behind())


class Executor:
    """Carries out one operation after the other; `history` is what its storage keeps."""

    def __init__(self, history: int | None) -> None:
        self.storage = Storage(history)
        senders, head = Senders(OF.forks.newest), self.storage.store.head
        self._processor = BlockProcessor(
            OF.chain_id, OF.forks, head, self.storage, lambda _: ENGINE, "serial", Pool(), senders
        )
        self._operations = Operations(OF, self._processor, self.storage)

    async def carry_out(self, operation: Operation) -> tuple[BlockApplied, OperationRecord]:
        before = self.storage.store.head
        envelope = encode_message(ordered(self.storage.store.settings.operations, operation))
        proposed = replace(proposal(before.height + 1, before.proposal, []), operation=envelope)
        executed = await self._operations.assemble(await self._operations.run(proposed, ()))
        applied = await self.storage.request(executed.apply)
        assert isinstance(applied, BlockApplied)
        self._take(executed, applied)
        record = await self.storage.request(ReadOperation(applied.height))
        assert isinstance(record, StoredRecord)
        await self.storage.pruned()
        return applied, decode_value(OperationRecord, record.record)

    def _take(self, executed: ExecutedOperation, applied: BlockApplied) -> None:
        if executed.replaces_state:
            self._processor.state_replaced(applied)
        else:
            self._processor.applied(executed, applied)


def some_operation(chooser: random.Random, newest: int, snapshots: int) -> Operation:
    """Ways back are often about as long as the states are kept, sometimes far longer."""
    (kind,) = chooser.choices(("mine", "balance", "snapshot", "to snapshot", "back", "reset"), (9, 3, 2, 3, 6, 1))
    match kind:
        case "mine":
            return Mine(chooser.randint(1, 12))
        case "balance":
            return SetAccount(chooser.choice(ADDRESSES[:2]), balance=Wei(chooser.randrange(10**20)))
        case "snapshot":
            return TakeSnapshot()
        case "to snapshot":
            return RevertToSnapshot(chooser.randint(max(1, snapshots - 3), snapshots + 1), HISTORY)
        case "reset":
            return RevertToBlock(BlockNumber(0), fresh=chooser.random() < 0.5, history=HISTORY)
    back = chooser.choice((chooser.randint(1, 20), HISTORY, HISTORY + 1))
    return RevertToBlock(BlockNumber(max(0, newest - back)), history=HISTORY)


@pytest.mark.parametrize("seed", range(3))
async def test_an_executor_that_prunes_at_once_and_one_that_never_did_go_back_alike(seed: int) -> None:
    chooser = random.Random(seed)
    prompt, late = Executor(HISTORY), Executor(None)
    seen: Counter[str] = Counter()
    store = prompt.storage.store
    for count in range(OPERATIONS):
        begins = count * 12 <= 2 * HISTORY
        operation = Mine(12) if begins else some_operation(chooser, store.head.number, store.settings.snapshots)
        applied, record = await prompt.carry_out(operation)
        assert (applied, record) == await late.carry_out(operation), f"seed {seed}, operation {count}: {operation}"
        outcome = "refused" if record.done.error else "went back" if record.reverted else "done"
        seen[f"{type(operation).__name__} {outcome}"] += 1
        assert "--history" in record.done.error or not record.done.error
    print(seen)
    assert prompt.storage.store.pruning.floor > late.storage.store.pruning.floor
    for expected in ("RevertToBlock refused", "RevertToBlock went back", "RevertToSnapshot went back"):
        assert seen[expected] > 0, expected


async def test_exactly_as_many_blocks_as_states_are_kept_can_be_taken_back() -> None:
    executor = Executor(HISTORY)
    await executor.carry_out(Mine(40))
    _, refused = await executor.carry_out(RevertToBlock(BlockNumber(23), history=HISTORY))
    assert refused.done.error == (
        "the chain cannot go back to block 23: the states of blocks before 24 are pruned or about to be. "
        "Take an evm_snapshot before going on, which keeps its state, or keep more with --history"
    )
    applied, done = await executor.carry_out(RevertToBlock(BlockNumber(24), history=HISTORY))
    assert (applied.number, done.done.error) == (24, "")
    _, refused = await executor.carry_out(RevertToBlock(BlockNumber(23), history=HISTORY))
    assert "before 24 are pruned" in refused.done.error


async def test_to_what_an_earlier_start_with_less_history_pruned_in_one_executor_all_refuse_to_go_back() -> None:
    pruned, whole = Executor(HISTORY), Executor(None)
    for executor in (pruned, whole):
        for _ in range(40):
            await executor.carry_out(Mine(1))
    oldest = pruned.storage.store.pruning.oldest
    assert (oldest, whole.storage.store.pruning.oldest) == (24, 0)
    refused, far = RevertToBlock(BlockNumber(23), False, 64, oldest), RevertToBlock(BlockNumber(24), False, 64, oldest)
    applied, record = await pruned.carry_out(refused)
    assert "the states of blocks before 24 are pruned" in record.done.error
    assert (applied, record) == await whole.carry_out(refused)
    applied, record = await pruned.carry_out(far)
    assert (applied.number, record.done.error) == (24, "")
    assert (applied, record) == await whole.carry_out(far)
