"""What one block (or genesis) does to the state and the tries, worked out before anything is written.

A generator again, yielding between accounts: the changes are found on top of the newest version, as records to write
and as cache entries to adopt once they are written.
"""

from collections.abc import Generator, Iterator, Sequence
from itertools import chain

from chain import rlp
from chain.accounts import AccountChange
from chain.keccak import keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import Address, BlockNumber, Hash32, Version
from storage.errors import InvalidBlock
from storage.journal import journal_rows
from storage.latest import latest_key, latest_prefix
from storage.state import (
    ABSENT,
    CLEARED_HERE,
    CODES,
    NEVER,
    SLOT_BYTES,
    StoredAccount,
    VersionedState,
    account_name,
    cleared_name,
    encode_account,
    encode_slot,
    slot_name,
    slots_name,
)
from storage.steps import in_order
from storage.trie import Entry, entry
from storage.tries import ACCOUNT_TRIE, Tries, storage_trie
from storage.versions import GENESIS_VERSION, suffix

SLOTS_A_STEP = 64
RECORDS_A_STEP = 256
MOST_ADOPTED = 32_768
"""Of more records the caches would hold but a part, and reads would wait for it to be put there."""


class PendingState:
    """What earlier versions of the same write have changed, which nobody can read yet: by name, the newest values."""

    def __init__(self) -> None:
        self.version = NEVER
        """The newest of them."""
        self.accounts: dict[bytes, StoredAccount] = {}
        self.slots: dict[bytes, int] = {}
        self.nodes: dict[bytes, bytes] = {}

    def take(self, changes: "StateChanges") -> None:
        self.version = changes.version
        self.accounts.update((name, stored) for name, (_, stored) in changes.accounts.items())
        self.slots.update((name, value) for name, (_, value) in changes.slots.items())
        self.nodes.update(changes.nodes)


class StateChanges:
    """The changes of block `number`, which make `version`, on top of the newest version and of what is `pending`.

    The tries of a fork hold what was changed here and nothing of the remote chain, so that its roots do not depend on
    what was read. In them an account that is gone and a slot that is zero have entries of their own, because what they
    stand for is a change: without an entry the remote's value would hold.
    """

    def __init__(
        self,
        state: VersionedState,
        tries: Tries,
        number: BlockNumber,
        version: Version,
        before: Version | None = None,
        pending: PendingState | None = None,
    ) -> None:
        """On top of `before`, by default the newest version; only changes to that one can be adopted."""
        self.number = number
        self.version = version
        self.accounts: dict[bytes, tuple[Version, StoredAccount]] = {}
        self.slots: dict[bytes, tuple[Version, int]] = {}
        self.codes: dict[bytes, bytes] = {}
        self.cleared: dict[bytes, bytes] = {}
        """On a fork: whose storage is cleared, and whose is what the remote has again."""
        self.nodes: dict[bytes, bytes] = {}
        self._state = state
        self._tries = tries
        self._before = state.latest if before is None else before
        self._on_newest = before is None
        self._on_unread = state.forked and self._before == NEVER
        """Whether these are the first changes of a fork, below which nothing was read of the remote."""
        self._pending = pending or PendingState()

    def run(self, root: Hash32, changes: Sequence[AccountChange]) -> Generator[None, None, Hash32]:
        """Work the changes in on top of the state with this root. Gives the new root."""
        entries = []
        for change in changes:
            changed = yield from self._account(change)
            if changed is not None:
                entries.append(changed)
            yield
        return (yield from self._updated(ACCOUNT_TRIE, root, (yield from in_order(entries))))

    def _updated(self, trie: bytes, root: Hash32, entries: Sequence[Entry]) -> Generator[None, None, Hash32]:
        pending, on_newest = self._pending.nodes, self._on_newest
        return (
            yield from self._tries.update(
                trie, root, entries, self._before, self.nodes, pending, newest_version=on_newest
            )
        )

    def _account_before(self, address: Address) -> StoredAccount:
        return self._pending.accounts.get(account_name(address)) or self._state.account(address, self._before)

    def _account(self, change: AccountChange) -> Generator[None, None, Entry | None]:
        """The account's entry in the trie; None if it neither was nor is there."""
        self._check(change)
        address, account = change.address, change.account
        before = self._account_before(address)
        key = keccak256(address)
        if account.is_empty:
            if before == ABSENT and not self._on_unread:
                return None
            yield from self._clear_slots(change, before)
            self.accounts[account_name(address)] = (self.version, ABSENT)
            return entry(key, account.trie_value() if self._state.forked else None)
        storage_root = before.storage_root
        if change.clears_storage or (self._state.forked and before.account.is_empty and not self._on_unread):
            yield from self._clear_slots(change, before)
            storage_root = EMPTY_ROOT
        if change.slots:
            storage_root = yield from self._slots(change, storage_root)
        if change.code:
            self.codes[account.code_hash] = change.code
        self.accounts[account_name(address)] = (self.version, StoredAccount(account, storage_root))
        return entry(key, account.trie_value(storage_root))

    def _check(self, change: AccountChange) -> None:
        if account_name(change.address) in self.accounts:
            raise InvalidBlock(self.number, f"account 0x{change.address.hex()} changes twice")
        if change.code is not None and keccak256(change.code) != change.account.code_hash:
            raise InvalidBlock(self.number, f"the code of account 0x{change.address.hex()} has another hash")

    def _clear_slots(self, change: AccountChange, before: StoredAccount) -> Generator[None, None, None]:
        if self._state.forked:
            self.cleared[cleared_name(change.address)] = CLEARED_HERE
        elif before.storage_root == EMPTY_ROOT:
            return
        slots, trie = slots_name(change.address), storage_trie(change.address)
        for name in [name for name in self._pending.slots if name.startswith(slots)]:
            self.slots[name] = (self.version, 0)
        for name in [name for name in self._pending.nodes if name.startswith(trie)]:
            self.nodes[name] = b""
        for number in self._state.stored_slots(change.address, self._before):
            self.slots[slot_name(change.address, number)] = (self.version, 0)
            yield
        for name in self._tries.stored_nodes(trie, self._before):
            self.nodes[name] = b""
            yield

    def _slots(self, change: AccountChange, root: Hash32) -> Generator[None, None, Hash32]:
        entries = []
        for count, (number, value) in enumerate(change.slots.items()):
            self.slots[slot_name(change.address, number)] = (self.version, value)
            key = keccak256(number.to_bytes(SLOT_BYTES, "big"))
            entries.append(entry(key, rlp.encode_int(value) if value or self._state.forked else None))
            if count % SLOTS_A_STEP == 0:
                yield
        return (yield from self._updated(storage_trie(change.address), root, (yield from in_order(entries))))

    def put_into(self, batch: dict[bytes, bytes | None]) -> Generator[None, None, None]:
        """Add the records that make these changes durable."""
        at, prefix = suffix(self.version), latest_prefix(self.version)
        filled: list[bytes] = []
        emptied: list[bytes] = []
        for count, (name, record) in enumerate(self._values()):
            batch[name + at] = record
            batch[latest_key(name)] = prefix + record
            (filled if record else emptied).append(name)
            if count % RECORDS_A_STEP == 0:
                yield
        for count, (name, record) in enumerate(chain(self.nodes.items(), self.cleared.items())):
            batch[name + at] = record
            (filled if record else emptied).append(name)
            if count % RECORDS_A_STEP == 0:
                yield
        if self.version != GENESIS_VERSION:
            for key, row in journal_rows(self.version, filled, emptied):
                batch[key] = row
                yield
        for code_hash, code in self.codes.items():
            batch[CODES + code_hash] = code

    def _values(self) -> Iterator[tuple[bytes, bytes]]:
        """The accounts and slots as records, by name."""
        for name, (_, stored) in self.accounts.items():
            yield name, encode_account(stored)
        for name, (_, value) in self.slots.items():
            yield name, encode_slot(value)

    def adopt(self) -> None:
        """The records are written."""
        if len(self.accounts) + len(self.slots) + len(self.nodes) > MOST_ADOPTED:
            self._state.forget(self.version)
            self._tries.forget()
            return
        if not all(self.cleared.values()):  # what was hidden and is not any more may be cached as nothing
            self._state.forget(self.version)
        self._state.adopt(self.version, self.accounts, self.slots)
        self._tries.adopt(self.nodes)
