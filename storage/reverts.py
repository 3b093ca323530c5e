"""The ways back: snapshots by their ids, and what makes the state what it was at an earlier version.

Versions are never reused: going back is one more version, in which every key changed since has the value that it had.
The journal says which those are; for a version below the floor, of which no journal is left, the newest records do.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence

from chain.accounts import AccountChange
from chain.codec import decode_value, encode_value
from chain.messages.storage import Revert, StoredSnapshot
from chain.types import Address, Version
from storage.journal import Journal
from storage.kept import SWEEP_KEY, VALUES
from storage.keyvalue import KeyValue
from storage.latest import latest_versions
from storage.pruning import Pruning
from storage.state import ACCOUNTS, CLEARED, SLOTS, VersionedState
from storage.steps import in_order
from storage.versions import SUFFIX_BYTES, version_of

SNAPSHOTS = b"z"
ID_BYTES = 8
ADDRESS_END = 1 + 20
NAMES_A_STEP = 32
RECORDS_A_STEP = 1024


class Snapshots:
    """What there was when each was taken, by id. One lives until the chain goes back to it or to an earlier one."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self._versions: tuple[Version, ...] | None = None

    def get(self, snapshot: int) -> StoredSnapshot | None:
        if not 0 < snapshot < 2 ** (8 * ID_BYTES):
            return None
        data = self._store.get(SNAPSHOTS + snapshot.to_bytes(ID_BYTES, "big"))
        return None if data is None else decode_value(StoredSnapshot, data)

    def versions(self) -> tuple[Version, ...]:
        """Those that can be gone back to."""
        if self._versions is None:
            rows = self._store.with_prefix(SNAPSHOTS)
            self._versions = tuple([decode_value(StoredSnapshot, data).version for _, data in rows])
        return self._versions

    def newest(self, limit: int) -> list[tuple[int, StoredSnapshot]]:
        """The last ones taken, oldest first, with their ids."""
        rows = deque(self._store.with_prefix(SNAPSHOTS), maxlen=limit)
        return [(int.from_bytes(key[1:], "big"), decode_value(StoredSnapshot, data)) for key, data in rows]

    def forget(self) -> None:
        """Some were taken or removed."""
        self._versions = None

    @staticmethod
    def put(snapshot: int, taken: StoredSnapshot, batch: dict[bytes, bytes | None]) -> None:
        batch[SNAPSHOTS + snapshot.to_bytes(ID_BYTES, "big")] = encode_value(taken)

    def delete_later(self, revert: Revert, floor: Version, batch: dict[bytes, bytes | None]) -> None:
        """Add the removal of those that nobody can go back to after this."""
        for key, data in self._store.with_prefix(SNAPSHOTS):
            version = decode_value(StoredSnapshot, data).version
            if 0 < revert.first_gone <= int.from_bytes(key[1:], "big") or version > revert.version:
                batch[key] = None
                if version < floor:
                    batch[SWEEP_KEY] = b""


class WaysBack:
    """Where the chain can go back to, and what has changed since."""

    def __init__(self, store: KeyValue, state: VersionedState, snapshots: Snapshots, pruning: Pruning) -> None:
        self.snapshots = snapshots
        self._store = store
        self._state = state
        self._journal = Journal(store)
        self._pruning = pruning
        self._found: tuple[Version, Version, list[bytes]] | None = None
        """The names found last, since which version and up to which one: who is told them goes back next."""

    def forget(self) -> None:
        """There is another version now."""
        self._found = None

    def lead_to(self, version: Version) -> bool:
        """Whether everything that changed since has a record of the value that it had at the version."""
        return self._pruning.leads_back_to(version)

    def go(self, revert: Revert, batch: dict[bytes, bytes | None]) -> Generator[None, None, list[bytes]]:
        """Add what becomes of the snapshots. Gives the names of what has changed since."""
        self.snapshots.delete_later(revert, self._pruning.floor, batch)
        return (yield from self.names(revert.version))

    def names(self, since: Version) -> Generator[None, None, list[bytes]]:
        """Those of values written after a version, each once; all that have another value now are among them."""
        newest = self._state.latest
        if self._found is not None and self._found[:2] == (since, newest):
            return self._found[2]
        written = self._written(since) if since >= self._pruning.floor else self._newer(since)
        found: dict[bytes, None] = {}
        for count, name in enumerate(written):
            if name:
                found[name] = None
            if count % RECORDS_A_STEP == 0:
                yield
        names = list(found)
        if newest == self._state.latest:
            self._found = since, newest, names
        return names

    def _written(self, since: Version) -> Iterator[bytes]:
        """What the journal has."""
        for part in self._journal.parts(Version(since + 1)):
            yield from (name for name, _ in part.written.names() if name.startswith(VALUES))

    def _newer(self, since: Version) -> Iterator[bytes]:
        """For each value of the state its name if it is newer, else nothing."""
        for kind in (ACCOUNTS, SLOTS):
            for name, version in latest_versions(self._store, kind):
                yield name if version > since else b""
        for key, _ in self._store.with_prefix(CLEARED):
            yield key[:-SUFFIX_BYTES] if version_of(key) > since else b""


def accounts_in(names: Iterable[bytes]) -> Generator[None, None, list[Address]]:
    """A slot is never written without its account."""
    addresses = []
    for count, name in enumerate(names):
        if name.startswith(ACCOUNTS):
            addresses.append(Address(name[1:]))
        if count % RECORDS_A_STEP == 0:
            yield
    return addresses


def changed_accounts(
    names: Sequence[bytes], state: VersionedState, since: Version
) -> Generator[None, None, tuple[Address, ...]]:
    """Those of these accounts that are not as they were, sorted: the same whatever is pruned."""
    changed = []
    addresses = yield from accounts_in(names)
    for count, address in enumerate((yield from in_order(addresses))):
        if state.account(address, since).account != state.account(address, state.latest).account:
            changed.append(address)
        if count % NAMES_A_STEP == 0:
            yield
    return tuple(changed)


def slots_in(names: Iterable[bytes]) -> Iterator[tuple[Address, int]]:
    return (slot_in(name) for name in names if name.startswith(SLOTS))


def slot_in(name: bytes) -> tuple[Address, int]:
    return Address(name[1:ADDRESS_END]), int.from_bytes(name[ADDRESS_END:], "big")


def changes_back(
    names: Sequence[bytes], state: VersionedState, to: Version
) -> Generator[None, None, list[AccountChange]]:
    """What gives these accounts and slots the values that they had at version `to`."""
    slots: dict[Address, dict[int, int]] = {}
    for count, name in enumerate(names):
        if name.startswith(ACCOUNTS):
            slots.setdefault(Address(name[1:]), {})
        elif name.startswith(SLOTS):
            address, number = slot_in(name)
            slots.setdefault(address, {})[number] = state.slot(address, number, to)
        if count % NAMES_A_STEP == 0:
            yield
    changes = []
    for count, (address, numbers) in enumerate(slots.items()):
        account = state.account(address, to).account
        changes.append(AccountChange(address, account, {} if account.is_empty else numbers))
        if count % NAMES_A_STEP == 0:
            yield
    return changes


def uncleared(names: Iterable[bytes], state: VersionedState, to: Version) -> list[bytes]:
    """On a fork, the names of accounts that were cleared since: their slots are the remote's again."""
    cleared = (name for name in names if name.startswith(CLEARED))
    return sorted(name for name in cleared if not state.is_cleared(Address(name[1:]), to))
