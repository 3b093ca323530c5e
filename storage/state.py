"""Accounts, slots and codes at every version.

A value that has not changed since the version asked for is one get, an older one a seek more. The cache keeps latest
values together with the version each was written at: such a value is right for every version from then on, also for the
slightly older ones that speculative execution reads.
"""

from collections.abc import Iterator
from typing import NamedTuple

from chain.accounts import EMPTY_ACCOUNT, WITHOUT_CODE, Account
from chain.keccak import EMPTY_HASH
from chain.merkle import EMPTY_ROOT
from chain.messages.storage import CacheUse
from chain.types import Address, Hash32, Version, Wei
from storage.cache import RecentlyUsed
from storage.errors import UnknownCode
from storage.keyvalue import KeyValue
from storage.latest import latest
from storage.versions import filled, filled_names, newest, suffix, version_of

ACCOUNTS = b"a"
SLOTS = b"s"
CODES = b"c"
CLEARED = b"k"
"""On a fork: for each version at which an account's storage was cleared something, or nothing where that is undone."""
CLEARED_HERE = b"\x01"
SLOT_BYTES = 32
NEVER = Version(0)
"""The version of what was never written."""

CACHED_ACCOUNTS = 16_384
CACHED_SLOTS = 32_768
CACHED_CODE_BYTES = 8 << 20
"""Of each of the cache's two generations."""

_number = int.from_bytes
"""Looked up once: 0.06 of the 0.7 microseconds that decoding an account takes."""
_HAS_CODE = 0x40
_HAS_STORAGE = 0x80
_NONCE_BYTES = 0x0F


class StoredAccount(NamedTuple):
    """An account and the root of its storage trie."""

    account: Account
    storage_root: Hash32


ABSENT = StoredAccount(EMPTY_ACCOUNT, EMPTY_ROOT)


def account_name(address: Address) -> bytes:
    return ACCOUNTS + address


def slots_name(address: Address) -> bytes:
    """How the names of all slots of an account begin."""
    return SLOTS + address


def slot_name(address: Address, number: int) -> bytes:
    return SLOTS + address + number.to_bytes(SLOT_BYTES, "big")


def cleared_name(address: Address) -> bytes:
    return CLEARED + address


def encode_account(stored: StoredAccount) -> bytes:
    """A byte of flags and the nonce's length, the nonce, code hash and storage root if there are any, the balance.

    Nothing for an account that does not exist.
    """
    account, storage_root = stored
    nonce, balance, code_hash = account.nonce, account.balance, account.code_hash
    nonce_bytes = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    balance_bytes = balance.to_bytes((balance.bit_length() + 7) // 8, "big")
    if not nonce_bytes and not balance_bytes and code_hash == EMPTY_HASH:
        return b""
    flags = len(nonce_bytes)
    hashes = b""
    if code_hash != EMPTY_HASH:
        flags |= _HAS_CODE
        hashes = code_hash
    if storage_root != EMPTY_ROOT:
        flags |= _HAS_STORAGE
        hashes += storage_root
    return bytes((flags,)) + nonce_bytes + hashes + balance_bytes


def decode_account(data: bytes) -> StoredAccount:
    """The account in a record; nothing in an empty one."""
    if not data:
        return ABSENT
    flags = data[0]
    at = 1 + (flags & _NONCE_BYTES)
    nonce = _number(data[1:at])
    if flags < _HAS_CODE:  # neither code nor slots, as most accounts
        return StoredAccount(Account(nonce, Wei(_number(data[at:]))), EMPTY_ROOT)
    code_hash, storage_root = EMPTY_HASH, EMPTY_ROOT
    if flags & _HAS_CODE:
        code_hash = Hash32(data[at : at + 32])
        at += 32
    if flags & _HAS_STORAGE:
        storage_root = Hash32(data[at : at + 32])
        at += 32
    return StoredAccount(Account(nonce, Wei(_number(data[at:])), code_hash), storage_root)


def encode_slot(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


class VersionedState:
    """Reads of the state. `latest` is the newest version whose writes this has been told of.

    `forked`: below what was written here there is the state of a remote chain (storage.forked_state).
    """

    forked = False

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self.latest = NEVER
        self._accounts: RecentlyUsed[bytes, tuple[Version, StoredAccount]] = RecentlyUsed(CACHED_ACCOUNTS)
        self._slots: RecentlyUsed[bytes, tuple[Version, int]] = RecentlyUsed(CACHED_SLOTS)
        self._codes: RecentlyUsed[bytes, bytes] = RecentlyUsed(CACHED_CODE_BYTES, len)
        self.gets = 0
        self.seeks = 0

    @property
    def hits(self) -> int:
        return self._accounts.hits + self._slots.hits + self._codes.hits

    def cache_use(self) -> tuple[CacheUse, ...]:
        return self._accounts.use("accounts"), self._slots.use("slots"), self._codes.use("codes")

    def account(self, address: Address, version: Version) -> StoredAccount:
        name = ACCOUNTS + address
        cached = self._accounts.get(name)
        if cached is not None and cached[0] <= version:
            self._accounts.hits += 1
            return cached[1]
        self._accounts.misses += 1
        written, data = self._newest(name, version)
        stored = decode_account(data)
        if version >= self.latest:
            self._accounts.put(name, (written, stored))
        return stored

    def slot(self, address: Address, number: int, version: Version) -> int:
        name = slot_name(address, number)
        cached = self._slots.get(name)
        if cached is not None and cached[0] <= version:
            self._slots.hits += 1
            return cached[1]
        self._slots.misses += 1
        written, data = self._newest(name, version)
        value = _number(data)
        if version >= self.latest:
            self._slots.put(name, (written, value))
        return value

    def code(self, code_hash: Hash32) -> bytes:
        """The code with this hash. Raises UnknownCode."""
        if code_hash in WITHOUT_CODE:
            return b""
        code = self._codes.get(code_hash)
        if code is not None:
            self._codes.hits += 1
            return code
        self._codes.misses += 1
        self.gets += 1
        code = self._store.get(CODES + code_hash)
        if code is None:
            raise UnknownCode(code_hash)
        self._codes.put(code_hash, code)
        return code

    def _newest(self, name: bytes, version: Version) -> tuple[Version, bytes]:
        self.gets += 1
        written_last = latest(self._store, name)
        if written_last is None:
            return self._without_latest(name, version)
        return written_last if written_last[0] <= version else self._sought(name, version)

    def _without_latest(self, name: bytes, version: Version) -> tuple[Version, bytes]:
        return NEVER, b""

    def _sought(self, name: bytes, version: Version) -> tuple[Version, bytes]:
        self.seeks += 1
        found = newest(self._store, name, suffix(version))
        return (NEVER, b"") if found is None else (version_of(found[0]), found[1])

    def is_cleared(self, address: Address, version: Version) -> bool:
        """On a fork, whether the storage that the remote chain has for the account is hidden at `version`."""
        self.seeks += 1
        found = newest(self._store, cleared_name(address), suffix(version))
        return found is not None and bool(found[1])

    def stored_slots(self, address: Address, version: Version) -> Iterator[int]:
        """The numbers of all slots that are not zero at `version`."""
        prefix = SLOTS + address
        for name in filled_names(self._store, prefix, version):
            yield int.from_bytes(name[len(prefix) :], "big")

    def accounts(self, version: Version, after: Address | None) -> Iterator[tuple[Address, Account]]:
        """All accounts that there are at `version`, by address, beginning behind one of them."""
        behind = b"" if after is None else account_name(after)
        for name, record in filled(self._store, ACCOUNTS, version, behind):
            yield Address(name[len(ACCOUNTS) :]), decode_account(record).account

    def slots(self, address: Address, version: Version, after: int | None) -> Iterator[tuple[int, int]]:
        """The slots of an account that are not zero at `version`, by number, beginning behind one of them."""
        prefix = SLOTS + address
        behind = b"" if after is None else slot_name(address, after)
        for name, record in filled(self._store, prefix, version, behind):
            yield int.from_bytes(name[len(prefix) :], "big"), int.from_bytes(record, "big")

    def adopt(
        self,
        version: Version,
        accounts: dict[bytes, tuple[Version, StoredAccount]],
        slots: dict[bytes, tuple[Version, int]],
    ) -> None:
        """These values, by name, are written and are the latest now."""
        self.latest = version
        for name, stored in accounts.items():
            self._accounts.put(name, stored)
        for name, value in slots.items():
            self._slots.put(name, value)

    def forget(self, latest: Version) -> None:
        self._accounts.clear()
        self._slots.clear()
        self.latest = latest
