"""The part of the newest state that a process holds in memory: what execution and each worker know without asking.

Execution is the only writer of the state, so what was read or written once stays true until execution changes it.
Values come in two ways: *learned* from storage at its base version, or *changed* by transactions since. A changed value
is pinned until the base version contains it, because storage could not give it; learned ones may be forgotten. A value
that is not known raises Missing, whose keys the caller then reads from storage.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from chain.accounts import WITHOUT_CODE, Account
from chain.types import Address, BlockNumber, Hash32
from execution.outcome import ParentHashPending, Slot

MAX_VALUES = 400_000
MAX_CODE_BYTES = 32 * 1024 * 1024
MAX_HASHES = 1024
NO_CODE = dict.fromkeys(WITHOUT_CODE, b"")


@dataclass(frozen=True, slots=True)
class MissingKeys:
    """State keys and block hashes to read from storage."""

    accounts: tuple[Address, ...] = ()
    slots: tuple[Slot, ...] = ()
    codes: tuple[Hash32, ...] = ()
    hashes: tuple[BlockNumber, ...] = ()


class Missing(Exception):
    """A run needs values that are not known here; it starts again once they are."""

    def __init__(self, keys: MissingKeys) -> None:
        super().__init__(keys)
        self.keys = keys

    def __str__(self) -> str:
        return f"not known yet: {self.keys}"


@dataclass(frozen=True, slots=True)
class _Pinned:
    position: int
    accounts: tuple[Address, ...]
    slots: tuple[Slot, ...]


class KnownState:
    """The newest values of accounts, slots, codes and block hashes, as far as known. Bounded; see `shrink`."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._accounts: dict[Address, Account] = {}
        self._slots: dict[Slot, int] = {}
        self._cleared: dict[Address, int] = {}
        self._codes: dict[Hash32, bytes] = dict(NO_CODE)
        self._code_bytes = 0
        self._pinned: deque[_Pinned] = deque()
        self._settled = 0
        self._promises: dict[Slot, BlockNumber] = {}
        self._hashes: dict[BlockNumber, Hash32] = {}
        self.applied = BlockNumber(0)

    def account(self, address: Address) -> Account:
        """The account's newest known value. Raises Missing."""
        account = self._accounts.get(address)
        if account is None:
            raise Missing(MissingKeys(accounts=(address,)))
        return account

    def slot(self, key: Slot) -> int:
        """The slot's newest known value. Raises Missing, and ParentHashPending for a promised one."""
        value = self._slots.get(key)
        if value is not None:
            return value
        if key in self._promises:
            return int.from_bytes(self._promised_hash(self._promises[key]), "big")
        if key[0] in self._cleared:
            return 0
        raise Missing(MissingKeys(slots=(key,)))

    def code(self, code_hash: Hash32) -> bytes:
        """The code with this hash. Raises Missing."""
        code = self._codes.get(code_hash)
        if code is None:
            raise Missing(MissingKeys(codes=(code_hash,)))
        return code

    def block_hash(self, number: BlockNumber) -> Hash32:
        """The hash of an earlier block. Raises Missing, and ParentHashPending for one that is not applied."""
        if number > self.applied:
            raise ParentHashPending(f"block {number} is executed, but its hash is not known yet")
        found = self._hashes.get(number)
        if found is None:
            raise Missing(MissingKeys(hashes=(number,)))
        return found

    def knows_account(self, address: Address) -> bool:
        return address in self._accounts

    def knows_slot(self, key: Slot) -> bool:
        return key in self._slots or key in self._promises or key[0] in self._cleared

    def unknown_slots(self, keys: Iterable[Slot]) -> list[Slot]:
        """Those of the slots that are not known, in their order."""
        slots = self._slots
        return [key for key in keys if key not in slots and not self.knows_slot(key)]

    def knows_code(self, code_hash: Hash32) -> bool:
        return code_hash in self._codes

    def learn_accounts(self, rows: Iterable[tuple[Address, Account]]) -> None:
        """Take over what storage holds at the base version. Values known already are newer, and stay."""
        for address, account in rows:
            self._accounts.setdefault(address, account)

    def learn_slots(self, rows: Iterable[tuple[Slot, int]]) -> None:
        """Take over what storage holds at the base version. Values known already are newer, and stay."""
        for key, value in rows:
            if key[0] not in self._cleared and key not in self._promises:
                self._slots.setdefault(key, value)

    def learn_code(self, code_hash: Hash32, code: bytes) -> None:
        """A code never changes under its hash."""
        if code_hash not in self._codes:
            self._codes[code_hash] = code
            self._code_bytes += len(code)

    def share_codes(self, other: "KnownState") -> None:
        """Use the codes that another state knows: the same code has the same hash everywhere."""
        self._codes, self._code_bytes = other._codes, other._code_bytes

    def learn_hash(self, number: BlockNumber, block_hash: Hash32) -> None:
        """The hash of an executed block, once storage said it."""
        self._hashes[number] = block_hash
        while len(self._hashes) > MAX_HASHES:
            del self._hashes[next(iter(self._hashes))]

    def change(
        self, position: int, accounts: dict[Address, Account], slots: dict[Slot, int], cleared: Iterable[Address] = ()
    ) -> None:
        """New values, which storage has only once it has applied the changes up to `position`."""
        gone = dict.fromkeys(cleared, position)
        if gone:
            for key in [key for key in self._slots if key[0] in gone]:
                del self._slots[key]
            self._cleared.update(gone)
        self._accounts.update(accounts)
        self._slots.update(slots)
        self._pinned.append(_Pinned(position, tuple(accounts), tuple(slots)))

    def settle(self, position: int) -> None:
        """The base version contains the changes up to `position` now: they need not be kept any more."""
        while self._pinned and self._pinned[0].position <= position:
            self._pinned.popleft()
        self._settled = position

    def promise(self, key: Slot, number: BlockNumber) -> None:
        """The slot holds the hash of block `number`, known or not (EIP-2935)."""
        self._promises[key] = number
        self._slots.pop(key, None)

    def keep_promise(self, key: Slot, position: int) -> int:
        """Storage holds the promised slot now: from here on it is a value like any other, changed at `position`."""
        value = int.from_bytes(self._promised_hash(self._promises.pop(key)), "big")
        self.change(position, {}, {key: value})
        return value

    def promises(self) -> tuple[tuple[Address, int, bytes], ...]:
        """Every promised slot with its hash, empty while that is not known."""
        rows = ((address, slot, self._hashes.get(number, b"")) for (address, slot), number in self._promises.items())
        return tuple(rows)

    def set_promises(self, rows: Iterable[tuple[Address, int, bytes]]) -> None:
        """Replace the promises by another process's `promises()`, numbering them below any real block."""
        for number in self._promises.values():
            self._hashes.pop(number, None)
        self._promises = {}
        for stand_in, (address, slot, block_hash) in enumerate(rows, start=1):
            self.promise((address, slot), BlockNumber(-stand_in))
            if block_hash:
                self._hashes[BlockNumber(-stand_in)] = Hash32(block_hash)

    def forget(self) -> None:
        """Know nothing any more but codes, if these are not too many: what comes next is another state."""
        if self._code_bytes > MAX_CODE_BYTES:
            self._codes, self._code_bytes = dict(NO_CODE), 0
        self._accounts, self._slots, self._cleared = {}, {}, {}
        self._promises, self._hashes = {}, {}
        self._pinned.clear()
        self.applied = BlockNumber(0)

    def shrink(self) -> bool:
        """Forget what is not pinned, if there is too much of it. True if something was forgotten.

        Only while no read from storage is under way: its answer could be older than what was forgotten here.
        """
        for address in [a for a, at in self._cleared.items() if at <= self._settled]:
            del self._cleared[address]
        if len(self._accounts) + len(self._slots) <= self._max_values and self._code_bytes <= MAX_CODE_BYTES:
            return False
        kept_codes = {self._accounts[a].code_hash for pinned in self._pinned for a in pinned.accounts}
        self._codes = NO_CODE | {h: code for h, code in self._codes.items() if h in kept_codes}
        self._code_bytes = sum(map(len, self._codes.values()))
        self._accounts = {a: self._accounts[a] for pinned in self._pinned for a in pinned.accounts}
        self._slots = {k: self._slots[k] for pinned in self._pinned for k in pinned.slots if k in self._slots}
        return True

    def _promised_hash(self, number: BlockNumber) -> Hash32:
        found = self._hashes.get(number)
        if found is None:
            raise ParentHashPending(f"the hash of block {number} is not known yet")
        return found
