"""Executes blocks that others made on top of a store, one after the other, and keeps those that come out right."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

from chain.accounts import WITHOUT_CODE, Account, AccountChange
from chain.blocks import Block, decode_block
from chain.errors import ChainError
from chain.forks import Fork
from chain.genesis import Genesis
from chain.merkle import EMPTY_ROOT
from chain.messages.storage import ApplyBlock, BlockApplied
from chain.types import ZERO_ADDRESS, ZERO_HASH, Address, BlockNumber, Hash32, Version, Wei
from execution.block_execution import execute_block
from execution.block_rules import MAX_OMMER_AGE, InvalidBlock, check, check_block
from execution.block_run import TransactionEngine
from execution.engine import Engine
from execution.merged import MergedState
from execution.outcome import Slot, Writes
from node.errors import NodeError
from storage.errors import WrongStateRoot
from storage.store import Store


class BlockRefused(NodeError):
    """A block that does not follow, or does not come out as its header says."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"block {number} is refused: {reason}")


class _StateBefore:
    """The state that a block finds, out of the store (implements execution's StateBefore)."""

    def __init__(self, store: Store, version: Version) -> None:
        self._store = store
        self.version = version

    def account(self, address: Address) -> Account:
        return self._store.state.account(address, self.version).account

    def slot(self, key: Slot) -> int:
        return self._store.state.slot(*key, self.version)

    def code(self, code_hash: Hash32) -> bytes:
        return b"" if code_hash in WITHOUT_CODE else self._store.state.code(code_hash)

    def block_hash(self, number: BlockNumber) -> Hash32:
        stored = self._store.blocks.header(number)
        return ZERO_HASH if stored is None else stored.hash

    def has_storage(self, address: Address) -> bool:
        return self._store.state.account(address, self.version).storage_root != EMPTY_ROOT


class _State:
    """The state as a block changes it (implements execution's BlockState)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before = _StateBefore(store, store.head.version)
        self._merged = MergedState(self._before)
        self._created: set[Address] = set()
        self.account = self._merged.account
        self.slot = self._merged.slot
        self.code = self._merged.code
        self.block_hash = self._merged.block_hash

    def has_storage(self, address: Address) -> bool:
        """Of accounts that the block itself gave storage the nonce or the code tells it as well."""
        return self._before.has_storage(address)

    def apply(self, writes: Writes) -> None:
        self._merged.merge(0, writes, ZERO_ADDRESS, Wei(0))

    def changes(self) -> tuple[AccountChange, ...]:
        return self._merged.changes()

    def root(self) -> Hash32:
        return self._store.root_after(self.changes())


class Importer:
    """Adds blocks to a store that has no blocks of ours. `finish` when no more are to come."""

    def __init__(self, store: Store, genesis: Genesis) -> None:
        self._store = store
        self._genesis = genesis
        self._engine_for: Callable[[Fork], TransactionEngine] = cache(Engine)
        self._recent = deque(_newest_blocks(store), maxlen=MAX_OMMER_AGE + 1)
        self.blocks = 0
        self.transactions = 0

    @property
    def head(self) -> BlockApplied:
        """What there is after the newest block."""
        return self._store.head

    def add(self, encoded: bytes) -> None:
        """Execute and keep a block, unless it is there already. Raises BlockRefused."""
        try:
            block = decode_block(encoded)
        except ChainError as error:
            raise BlockRefused(self.head.number + 1, f"it is no block: {error}") from None
        try:
            if not self._is_known(block):
                self._check_parent(block)
                check_block(block, list(self._recent), self._genesis.forks)
                self._execute(block)
        except (InvalidBlock, WrongStateRoot) as error:
            raise BlockRefused(block.header.number, str(error)) from None

    def finish(self) -> Genesis:
        """The genesis of the chain that begins at the newest block, whose store this one is from now on."""
        genesis = replace(self._genesis, head=self.head.header)
        self._store.become(genesis)
        return genesis

    def _is_known(self, block: Block) -> bool:
        """Raises InvalidBlock for another block in the place of one that is there."""
        stored = self._store.blocks.header(block.header.number)
        if stored is None:
            return False
        found = block.header.hash()
        check(holds=stored.hash == found, rule=f"it is 0x{found.hex()}, where 0x{stored.hash.hex()} is already")
        return True

    def _check_parent(self, block: Block) -> None:
        parent, head = block.header.parent_hash, self.head
        if parent == head.hash:
            return
        newest = f"the newest block, {head.number}, is 0x{head.hash.hex()}"
        hint = ": give the chain's own genesis file" if block.header.number == self._genesis.header.number + 1 else ""
        raise InvalidBlock(f"its parent is 0x{parent.hex()}, and {newest}{hint}")

    def _execute(self, block: Block) -> None:
        header, genesis = block.header, self._genesis
        state = _State(self._store)
        done = execute_block(block, state, genesis.chain_id, genesis.forks, self._engine_for)
        self._store.extend(
            ApplyBlock(
                height=self.head.height,
                proposal=self.head.proposal,
                header=header,
                transactions=block.transactions,
                senders=tuple(done.senders),
                receipts=tuple(done.receipts),
                changes=state.changes(),
                parent_hash_slot=None,
                record=b"",
                ommers=block.ommers,
                withdrawals=block.withdrawals or (),
            )
        )
        self._recent.appendleft(block)
        self.blocks += 1
        self.transactions += len(block.transactions)


def _newest_blocks(store: Store) -> Iterator[Block]:
    """The newest blocks, newest first, as far back as ommers may reach."""
    newest = store.head.number
    for number in range(newest, newest - MAX_OMMER_AGE - 1, -1):
        stored = store.blocks.block(number, with_receipts=False)
        if stored is not None:
            yield stored.whole()
