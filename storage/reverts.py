"""The ways back: snapshots by their ids, and what makes the state what it was at an earlier version.

Versions are never reused: going back is one more version, in which every key changed since has the value that it had.
"""

from collections.abc import Generator, Iterator

from chain.accounts import AccountChange
from chain.codec import decode_value, encode_value
from chain.messages.storage import Revert, StoredSnapshot
from chain.types import Address, Version
from storage.journal import Journal
from storage.keyvalue import KeyValue
from storage.state import ACCOUNTS, CLEARED, SLOTS, VersionedState

SNAPSHOTS = b"z"
ID_BYTES = 8
ADDRESS_END = 1 + 20
NAMES_A_STEP = 256


class Snapshots:
    """What there was when each was taken, by id. One lives until the chain goes back to it or to an earlier one."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self.journal = Journal(store)

    def get(self, snapshot: int) -> StoredSnapshot | None:
        if not 0 < snapshot < 2 ** (8 * ID_BYTES):
            return None
        data = self._store.get(SNAPSHOTS + snapshot.to_bytes(ID_BYTES, "big"))
        return None if data is None else decode_value(StoredSnapshot, data)

    def versions(self) -> Iterator[Version]:
        """Those that must stay readable, to go back to."""
        for _, data in self._store.with_prefix(SNAPSHOTS):
            yield decode_value(StoredSnapshot, data).version

    @staticmethod
    def put(snapshot: int, taken: StoredSnapshot, batch: dict[bytes, bytes | None]) -> None:
        batch[SNAPSHOTS + snapshot.to_bytes(ID_BYTES, "big")] = encode_value(taken)

    def delete_later(self, revert: Revert, batch: dict[bytes, bytes | None]) -> None:
        """Add the removal of those that nobody can go back to after this."""
        for key, data in self._store.with_prefix(SNAPSHOTS):
            is_gone = 0 < revert.first_gone <= int.from_bytes(key[1:], "big")
            if is_gone or decode_value(StoredSnapshot, data).version > revert.version:
                batch[key] = None


def changed_accounts(journal: Journal, after: Version, newest: Version) -> Iterator[Address]:
    """The accounts that versions after+1..newest changed, themselves or a slot, some more than once."""
    for _, written in journal.entries(Version(after + 1), newest):
        for name in [*written.filled, *written.emptied]:
            if name.startswith(ACCOUNTS):
                yield Address(name[1:])


def changed_slots(journal: Journal, after: Version, newest: Version) -> Iterator[tuple[Address, int]]:
    """The slots that versions after+1..newest changed."""
    for name in _names(journal, after, newest):
        if name.startswith(SLOTS):
            yield Address(name[1:ADDRESS_END]), int.from_bytes(name[ADDRESS_END:], "big")


def changes_back(
    journal: Journal, state: VersionedState, to: Version, newest: Version
) -> Generator[None, None, list[AccountChange]]:
    """What turns the newest state into that of version `to`."""
    slots: dict[Address, dict[int, int]] = {}
    for count, name in enumerate(_names(journal, to, newest)):
        address = Address(name[1:ADDRESS_END])
        changed = slots.setdefault(address, {})
        if name.startswith(SLOTS):
            number = int.from_bytes(name[ADDRESS_END:], "big")
            changed[number] = state.slot(address, number, to)
        if count % NAMES_A_STEP == 0:
            yield
    changes = []
    for count, (address, numbers) in enumerate(slots.items()):
        account = state.account(address, to).account
        changes.append(AccountChange(address, account, {} if account.is_empty else numbers))
        if count % NAMES_A_STEP == 0:
            yield
    return changes


def uncleared(journal: Journal, state: VersionedState, to: Version, newest: Version) -> list[bytes]:
    """On a fork, the names of accounts that versions to+1..newest cleared: their slots are the remote's again."""
    entries = journal.entries(Version(to + 1), newest)
    names = {name for _, written in entries for name in written.filled if name.startswith(CLEARED)}
    return sorted(name for name in names if not state.is_cleared(Address(name[1:]), to))


def _names(journal: Journal, after: Version, newest: Version) -> Iterator[bytes]:
    """The accounts and slots that versions after+1..newest wrote, each once."""
    seen: set[bytes] = set()
    for _, written in journal.entries(Version(after + 1), newest):
        for name in [*written.filled, *written.emptied]:
            if name.startswith((ACCOUNTS, SLOTS)) and name not in seen:
                seen.add(name)
                yield name
