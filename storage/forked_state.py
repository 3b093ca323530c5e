"""The state of a fork: what blocks wrote here, above what the remote chain had when it was forked.

What was read from the remote stands at the version of the base, as if it had been there from the start; `unread` says
what was not read yet. Slots of an account whose storage was cleared here are zero without asking: the remote's are
hidden by a record of its own, at the version of the clearing.
"""

from collections.abc import Iterable, Iterator

from chain.accounts import Account
from chain.keccak import EMPTY_HASH, keccak256
from chain.merkle import EMPTY_ROOT
from chain.types import Address, Version
from storage.keyvalue import KeyValue
from storage.remote import RemoteValues, Slot
from storage.state import (
    ACCOUNTS,
    CLEARED,
    CODES,
    NEVER,
    SLOTS,
    StoredAccount,
    VersionedState,
    account_name,
    decode_account,
    encode_account,
    encode_slot,
    slot_name,
    slots_name,
)
from storage.versions import GENESIS_VERSION, known, newest, suffix, version_of

ADDRESS_END = 1 + 20
BASE = suffix(GENESIS_VERSION)


class NotRead(Exception):
    """A value that only the remote has. Whoever needs it reads it into the store first: see storage.remote_reads."""

    def __init__(self, name: bytes) -> None:
        super().__init__(f"the value of {name.hex()} was never read from the remote chain")


class ForkedState(VersionedState):
    """Reads raise NotRead where the remote has to be asked first. Before the base version there is nothing at all."""

    forked = True

    def __init__(self, store: KeyValue) -> None:
        super().__init__(store)
        self._read_here = store

    def _newest(self, name: bytes, version: Version) -> tuple[Version, bytes]:
        written, record = super()._newest(name, version)
        if written > GENESIS_VERSION or version == NEVER:
            return written, record
        # A value of the base may have been read after its account's storage was cleared: it holds for older versions,
        # and again for those after the clearing was undone.
        since, cleared = self._clearing(name, version) if name.startswith(SLOTS) else (NEVER, False)
        if cleared and since > written:
            return since, b""
        if written == NEVER:
            raise NotRead(name)
        return max(written, since), record

    def _without_latest(self, name: bytes, version: Version) -> tuple[Version, bytes]:
        return self._sought(name, version)  # the remote's values, read at any time, have no newest record

    def stored_slots(self, address: Address, version: Version) -> Iterator[int]:
        """Without those of the base that a clearing hides."""
        return (number for number in super().stored_slots(address, version) if self.slot(address, number, version))

    def accounts(self, version: Version, after: Address | None) -> Iterator[tuple[Address, Account]]:
        """Those that were read or changed here, also the empty ones: they may have taken a remote's place, be it in
        the state that the fork began with."""
        behind = b"" if after is None else account_name(after)
        for name, _, record in known(self._store, ACCOUNTS, version, behind):
            yield Address(name[len(ACCOUNTS) :]), decode_account(record).account

    def slots(self, address: Address, version: Version, after: int | None) -> Iterator[tuple[int, int]]:
        """Those that were read or changed here, also the zeros, as `accounts` has the empty ones."""
        prefix = slots_name(address)
        behind = b"" if after is None else slot_name(address, after)
        for name, _, _ in known(self._store, prefix, version, behind):
            number = int.from_bytes(name[len(prefix) :], "big")
            yield number, self.slot(address, number, version)  # a clearing may hide what was read

    def _clearing(self, name: bytes, version: Version) -> tuple[Version, bool]:
        """When the storage of the slot's account was last cleared or that undone, as `version` has it, and which."""
        self.seeks += 1
        found = newest(self._read_here, CLEARED + name[len(SLOTS) : ADDRESS_END], suffix(version))
        return (NEVER, False) if found is None else (version_of(found[0]), bool(found[1]))

    def unread(
        self, accounts: Iterable[Address], slots: Iterable[Slot], version: Version
    ) -> tuple[tuple[Address, ...], tuple[Slot, ...]]:
        """What of these has to be asked of the remote before it can be read at `version`."""
        unread_accounts = [address for address in dict.fromkeys(accounts) if not self._knows_account(address, version)]
        unread_slots = [slot for slot in dict.fromkeys(slots) if not self._knows_slot(slot, version)]
        return tuple(unread_accounts), tuple(unread_slots)

    def _knows_account(self, address: Address, version: Version) -> bool:
        try:
            self.account(address, version)
        except NotRead:
            return False
        return True

    def _knows_slot(self, slot: Slot, version: Version) -> bool:
        try:
            self.slot(*slot, version)
        except NotRead:
            return False
        return True


def base_records(accounts: Iterable[Address], slots: Iterable[Slot], values: RemoteValues) -> dict[bytes, bytes | None]:
    """What the remote said of these, as records of the base version.

    Its accounts have empty storage tries: these hold what was changed here, and nothing else.
    """
    batch: dict[bytes, bytes | None] = {}
    for address, found in zip(accounts, values.accounts, strict=True):
        code_hash = keccak256(found.code) if found.code else EMPTY_HASH
        stored = StoredAccount(Account(found.nonce, found.balance, code_hash), EMPTY_ROOT)
        batch[account_name(address) + BASE] = encode_account(stored)
        if found.code:
            batch[CODES + code_hash] = found.code
    for slot, value in zip(slots, values.slots, strict=True):
        batch[slot_name(*slot) + BASE] = encode_slot(value)
    return batch
