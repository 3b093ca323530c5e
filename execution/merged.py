"""The merged state of a block: what its transactions see when their turn comes.

An overlay of merged writes over the known state. Runs give balances as differences; here they become amounts, so that
a later read can be validated by its value. The merged state knows who wrote each key last, to name the writer in a
conflict, and what it held before the block, to tell storage what really changed.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, TypeAlias

from chain.accounts import THERE_WITHOUT_CODE, Account, AccountChange
from chain.keccak import keccak256
from chain.records import BEFORE_TRANSACTIONS, AccessKind
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.attempts import StaleRead
from execution.known import KnownState
from execution.outcome import MAX_BALANCE, Reads, Slot, Writes

NONCE, BALANCE, CODE, SLOT = AccessKind.NONCE, AccessKind.BALANCE, AccessKind.CODE, AccessKind.SLOT
_Written: TypeAlias = tuple[AccessKind, Address]


class StateBefore(Protocol):
    """The state before the block. Every method raises Missing for what is not known."""

    def account(self, address: Address) -> Account: ...

    def slot(self, key: Slot) -> int: ...

    def code(self, code_hash: Hash32) -> bytes: ...

    def block_hash(self, number: BlockNumber) -> Hash32: ...


class MergedState:
    """The state after the transactions merged so far; the StateView of a run on the final prefix.

    Every method raises Missing for keys that are not known, having changed nothing; the caller reads them and repeats.
    """

    def __init__(self, before: StateBefore) -> None:
        self._before = before
        self._accounts: dict[Address, Account] = {}
        self._slots: dict[Slot, int] = {}
        self._codes: dict[Hash32, bytes] = {}
        self._cleared: dict[Address, int] = {}
        self._writers: dict[_Written, int] = {}
        self._slot_writers: dict[Slot, int] = {}

    def account(self, address: Address) -> Account:
        found = self._accounts.get(address)
        return self._before.account(address) if found is None else found

    def slot(self, address: Address, number: int) -> int:
        key = (address, number)
        value = self._slots.get(key)
        if value is not None:
            return value
        return 0 if self._cleared and address in self._cleared else self._before.slot(key)

    def code(self, code_hash: Hash32) -> bytes:
        code = self._codes.get(code_hash)
        return self._before.code(code_hash) if code is None else code

    def block_hash(self, number: BlockNumber) -> Hash32:
        return self._before.block_hash(number)

    def merge(self, index: int, writes: Writes, beneficiary: Address, fee: Wei) -> None:
        """Take over the writes of the transaction at `index`, and pay its fee."""
        accounts = self._changed_accounts(writes, beneficiary, fee)
        writers = self._writers
        for address in writes.nonces:
            writers[(NONCE, address)] = index
        for address, delta in writes.balances.items():
            if delta:
                writers[(BALANCE, address)] = index
        if fee:
            writers[(BALANCE, beneficiary)] = index
        self._accounts.update(accounts)
        for address, code in writes.codes.items():
            writers[(CODE, address)] = index
            self._codes[accounts[address].code_hash] = code
        for address in writes.touched:
            writers[(CODE, address)] = index
        for address in writes.cleared:
            self._clear(address, index)
        for key, value in writes.slots.items():
            self._slots[key] = value
            self._slot_writers[key] = index

    def stale_reads(self, reads: Reads) -> tuple[StaleRead, ...]:
        """Every read whose value is another one now. If none is, the run would do the same again."""
        return () if self._are_current(reads) else tuple(self._stale_reads(reads))

    def _are_current(self, reads: Reads) -> bool:
        """Whether all values read are still there. Most runs are validated by this alone, one by one at their turns."""
        accounts, account_before = self._accounts, self._before.account
        for address, code_hash in reads.code_hashes.items():
            if (accounts.get(address) or account_before(address)).code_hash != code_hash:
                return False
        for address, nonce in reads.nonces.items():
            if (accounts.get(address) or account_before(address)).nonce != nonce:
                return False
        for address, minimum in reads.minimums.items():
            if (accounts.get(address) or account_before(address)).balance < minimum:
                return False
        for address, balance in reads.balances.items():
            if self.account(address).balance != balance:
                return False
        for address, empty in reads.empty.items():
            if self.account(address).is_empty != empty:
                return False
        slots, cleared, before = self._slots, self._cleared, self._before.slot
        for key, value in reads.slots.items():
            found = slots.get(key)
            if found is None:
                found = 0 if cleared and key[0] in cleared else before(key)
            if found != value:
                return False
        return True

    def _stale_reads(self, reads: Reads) -> Iterator[StaleRead]:
        for address, nonce in reads.nonces.items():
            found = self.account(address).nonce
            if found != nonce:
                yield self._stale(NONCE, address, nonce, found, (NONCE,))
        for address, code_hash in reads.code_hashes.items():
            found_hash = self.account(address).code_hash
            if found_hash != code_hash:
                yield self._stale(CODE, address, _number(code_hash), _number(found_hash), (CODE,))
        yield from self._stale_balances(reads)
        for key, value in reads.slots.items():
            found = self.slot(*key)
            if found != value:
                cleared_by = self._cleared.get(key[0], BEFORE_TRANSACTIONS)
                yield StaleRead(SLOT, key[0], key[1], value, found, self._slot_writers.get(key, cleared_by))

    def before(self, address: Address) -> Account:
        """The account as the block found it."""
        return self._before.account(address)

    def changes(self) -> tuple[AccountChange, ...]:
        """What really changed against the state before the block, for storage."""
        slots: dict[Address, dict[int, int]] = {}
        for key, value in self._slots.items():
            before = 0 if key[0] in self._cleared else self._before.slot(key)
            if value != before:
                slots.setdefault(key[0], {})[key[1]] = value
        addresses = dict.fromkeys([*self._accounts, *slots, *self._cleared])
        return tuple(change for address in addresses if (change := self._change(address, slots.get(address, {}))))

    def commit(self, known: KnownState, position: int) -> None:
        """Make this block's result the newest known state. What was before the block can still be asked for here, as
        long as no other block is committed.
        """
        self._before = _Replaced(
            self._before, list(self._accounts), [k for k in self._slots if k[0] not in self._cleared]
        )
        self.make_known(known, position)

    def make_known(self, known: KnownState, position: int) -> None:
        """Make what these transactions left the newest known values."""
        for code_hash, code in self._codes.items():
            known.learn_code(code_hash, code)
        known.change(position, self._accounts, self._slots, self._cleared)

    def wrote_any_of(self, accounts: Collection[Address], slots: Collection[Slot]) -> bool:
        """Whether a transaction changed one of these."""
        return not (self._accounts.keys().isdisjoint(accounts) and self._slots.keys().isdisjoint(slots))

    def _changed_accounts(self, writes: Writes, beneficiary: Address, fee: Wei) -> dict[Address, Account]:
        changed: dict[Address, Account] = {}
        for address, delta in writes.balances.items():
            account = self.account(address)
            balance = account.balance + delta
            assert balance >= 0, f"0x{address.hex()} would owe {-balance} wei"
            nonce = writes.nonces.get(address, account.nonce)
            changed[address] = Account(nonce, Wei(balance) if balance < MAX_BALANCE else MAX_BALANCE, account.code_hash)
        for address, nonce in writes.nonces.items():
            if address not in changed:
                account = self.account(address)
                changed[address] = Account(nonce, account.balance, account.code_hash)
        for address, code in writes.codes.items():
            account = changed.get(address) or self.account(address)
            changed[address] = Account(account.nonce, account.balance, keccak256(code))
        if fee:
            account = changed.get(beneficiary) or self.account(beneficiary)
            changed[beneficiary] = Account(
                account.nonce, min(Wei(account.balance + fee), MAX_BALANCE), account.code_hash
            )
        for address in writes.touched:
            account = changed.get(address) or self.account(address)
            if account.is_empty:
                changed[address] = Account(code_hash=THERE_WITHOUT_CODE)
        for address, account in changed.items():
            if account.code_hash == THERE_WITHOUT_CODE and (account.nonce or account.balance):
                changed[address] = Account(account.nonce, account.balance)
        return changed

    def _stale_balances(self, reads: Reads) -> Iterator[StaleRead]:
        for address, balance in reads.balances.items():
            found = self.account(address).balance
            if found != balance:
                yield self._stale(BALANCE, address, balance, found, (BALANCE,))
        for address, minimum in reads.minimums.items():
            found = self.account(address).balance
            if found < minimum:
                yield self._stale(AccessKind.BALANCE_AT_LEAST, address, minimum, found, (BALANCE,))
        for address, empty in reads.empty.items():
            now_empty = self.account(address).is_empty
            if now_empty != empty:
                yield self._stale(AccessKind.EMPTINESS, address, int(empty), int(now_empty), (NONCE, BALANCE, CODE))

    def _stale(
        self, kind: AccessKind, address: Address, seen: int, found: int, written: tuple[AccessKind, ...]
    ) -> StaleRead:
        writer = max(self._writers.get((key, address), BEFORE_TRANSACTIONS) for key in written)
        return StaleRead(kind, address, 0, seen, found, writer)

    def _clear(self, address: Address, index: int) -> None:
        self._cleared[address] = index
        for key in [key for key in self._slots if key[0] == address]:
            del self._slots[key]
            self._slot_writers.pop(key, None)

    def _change(self, address: Address, slots: dict[int, int]) -> AccountChange | None:
        before, after = self._before.account(address), self.account(address)
        cleared = address in self._cleared and not before.is_empty
        if after == before and not slots and not cleared:
            return None
        if after.is_empty:
            return None if before.is_empty else AccountChange(address, after, {}, clears_storage=True)
        has_new_code = after.code_hash not in (before.code_hash, THERE_WITHOUT_CODE)
        code = self.code(after.code_hash) if has_new_code else None
        return AccountChange(address, after, slots, cleared, code)


class _Replaced:
    """The state before a block, once that is committed: a StateBefore which holds what the block replaces."""

    def __init__(self, before: StateBefore, accounts: Sequence[Address], slots: Sequence[Slot]) -> None:
        self._accounts = dict(zip(accounts, map(before.account, accounts), strict=True))
        self._slots = dict(zip(slots, map(before.slot, slots), strict=True))
        self._others = before
        self.code = before.code
        self.block_hash = before.block_hash

    def account(self, address: Address) -> Account:
        return self._accounts.get(address) or self._others.account(address)

    def slot(self, key: Slot) -> int:
        value = self._slots.get(key)
        return self._others.slot(key) if value is None else value


def _number(code_hash: Hash32) -> int:
    return int.from_bytes(code_hash, "big")
