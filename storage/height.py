"""What one height does to the chain, worked out before anything is written: blocks on top of the newest one, a change
of the state that makes no block, or a way back.

Each step is a generator that yields to pause. Nothing that is read changes: all goes into one batch, and into layers
of changes that are adopted once the batch is written.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from chain.accounts import Account, AccountChange
from chain.codec import encode_value
from chain.headers import Header, with_state_root
from chain.messages.storage import ApplyBlock, ApplyOperation, BlockApplied, Revert, StoredSnapshot
from chain.operations import BlockSettings, result_of
from chain.types import Address, BlockNumber, Hash32, Height, Version
from storage.blocks import OPERATIONS, Blocks, HeightRow, StoredHeader
from storage.changes import PendingState, StateChanges
from storage.errors import InvalidBlock
from storage.number_keys import number_key
from storage.reverts import WaysBack, changes_back, uncleared
from storage.state import VersionedState, account_name
from storage.tries import Tries

META = b"M"
HEAD_KEY = META + b"head"
SETTINGS_KEY = META + b"settings"


@dataclass(frozen=True, slots=True)
class Head:
    """What there is: the newest height as it was answered, the root of the state, what operations have set."""

    applied: BlockApplied
    root: Hash32
    settings: BlockSettings


@dataclass(frozen=True, slots=True)
class Prepared:
    """A height worked out, ready to be written."""

    batch: dict[bytes, bytes | None]
    layers: tuple[StateChanges, ...]
    head: Head
    takes_snapshot: bool
    reverts: bool


class HeightWork:
    """One height on top of `head`: some steps, then `finish`. Every step may raise InvalidBlock."""

    def __init__(self, state: VersionedState, tries: Tries, blocks: Blocks, ways: WaysBack, head: Head) -> None:
        self.batch: dict[bytes, bytes | None] = {}
        self._state = state
        self._tries = tries
        self._blocks = blocks
        self._ways = ways
        self._before = head
        self._pending = PendingState()
        self._layers: list[StateChanges] = []
        self._hashes: list[Hash32] = []
        self._takes_snapshot = False
        self._reverts = False
        self._root, self._version = head.root, head.applied.version
        self._newest = StoredHeader(head.applied.header, head.applied.hash)

    def first_block(self, header: Header, accounts: Sequence[AccountChange]) -> Generator[None, None, None]:
        """The block that the chain begins with, and its state."""
        yield from self._change(accounts)
        if self._state.forked:  # the remote's state below has its root, which nobody can work out here
            self._put(StoredHeader(header, header.hash()))
        else:
            self._put_header(header)

    def block(self, block: ApplyBlock) -> Generator[None, None, None]:
        """A block on top of the newest one."""
        newest = self._newest.header.number
        if block.header.number != newest + 1:
            raise InvalidBlock(block.header.number, f"the newest one is {newest}")
        hashes = yield from self._blocks.put_body(block, self.batch)
        yield from self._change(self._with_parent_hash(block))
        self._put_header(replace(block.header, parent_hash=self._newest.hash))
        yield from self._blocks.put_logs(self._newest, hashes, block.receipts, self.batch)

    def operation(self, operation: ApplyOperation) -> Generator[None, None, None]:
        """Blocks, or a change of the state after the newest block, or a way back; and a snapshot of what there is."""
        for block in operation.blocks:
            yield from self.block(block)
        if operation.changes:
            yield from self._change(operation.changes)
            self._blocks.put_version(self._newest.header.number, self._version, self.batch)
        if operation.revert is not None:
            yield from self._go_back(operation.revert)
        if operation.taken is not None:
            there = StoredSnapshot(self._newest.header.number, self._version, operation.taken.settings)
            self._ways.snapshots.put(operation.taken.snapshot, there, self.batch)
            self._takes_snapshot = True
        self.batch[OPERATIONS + number_key(operation.height)] = operation.record

    def finish(self, height: Height, proposal: Hash32, settings: BlockSettings) -> Prepared:
        header, block_hash = self._newest
        result = block_hash if self._hashes else result_of(block_hash, self._root, settings)
        row = HeightRow(header.number, self._version, len(self._hashes), block_hash, proposal, result)
        self._blocks.put_height(height, row, self.batch)
        self.batch[HEAD_KEY] = number_key(height)
        if settings != self._before.settings:
            self.batch[SETTINGS_KEY] = encode_value(settings)
        applied = BlockApplied(height, proposal, self._version, block_hash, header, result, tuple(self._hashes))
        after = Head(applied, self._root, settings)
        return Prepared(self.batch, tuple(self._layers), after, self._takes_snapshot, self._reverts)

    def _change(self, changes: Sequence[AccountChange], uncleared: Sequence[bytes] = ()) -> Generator[None, None, None]:
        """The next version of the state."""
        self._version = Version(self._version + 1)
        number = self._newest.header.number
        self._take_last()
        layer = StateChanges(self._state, self._tries, number, self._version, pending=self._pending)
        self._root = yield from layer.run(self._root, changes)
        layer.cleared.update(dict.fromkeys(uncleared, b""))
        yield from layer.put_into(self.batch)
        self._layers.append(layer)

    def _take_last(self) -> None:
        """Make what the version before changed, if there is one in this height, what the next one finds."""
        if self._layers and self._layers[-1].version > self._pending.version:
            self._pending.take(self._layers[-1])

    def _put_header(self, header: Header) -> None:
        finished = with_state_root(header, header.parent_hash, self._root)
        self._put(StoredHeader(finished, finished.hash()))

    def _put(self, stored: StoredHeader) -> None:
        self._newest = stored
        self._blocks.put_header(stored, self._version, self.batch)
        self._hashes.append(stored.hash)

    def _go_back(self, revert: Revert) -> Generator[None, None, None]:
        """Blocks after the one to go back to are removed, and every key changed since gets the value that it had."""
        there = self._blocks.header(revert.number)
        newest = self._before.applied.number
        if there is None or not self._ways.lead_to(revert.version):
            raise InvalidBlock(revert.number, f"it cannot be gone back to from block {newest}: it is not kept")
        for number in range(revert.number + 1, newest + 1):
            yield from self._blocks.delete(BlockNumber(number), self.batch)
        names = yield from self._ways.go(revert, self.batch)
        changes = yield from changes_back(names, self._state, revert.version)
        self._newest = there
        shown = uncleared(names, self._state, revert.version) if self._state.forked else ()
        yield from self._change(changes, shown)
        self._blocks.put_version(revert.number, self._version, self.batch)
        self._reverts = True

    def _with_parent_hash(self, block: ApplyBlock) -> Sequence[AccountChange]:
        """The block's changes with its parent's hash in the history contract (EIP-2935).

        Without that contract the hash goes nowhere: "if no code exists at the address, the call must fail silently".
        """
        if block.parent_hash_slot is None:
            return block.changes
        address, number = block.parent_hash_slot
        value = int.from_bytes(self._newest.hash, "big")
        others = [change for change in block.changes if change.address != address]
        mine = [change for change in block.changes if change.address == address]
        account = mine[0].account if mine else self._account(address)
        if account.is_empty or len(mine) > 1:
            return block.changes
        change = mine[0] if mine else AccountChange(address, account, {})
        return [*others, replace(change, slots={**change.slots, number: value})]

    def _account(self, address: Address) -> Account:
        self._take_last()
        pending = self._pending.accounts.get(account_name(address))
        return (pending or self._state.account(address, self._before.applied.version)).account
