"""The state as one transaction sees it: the view below, its own changes above, and a journal to undo them.

Takes the place of py-evm's AccountDB, which works on tries. Three things happen here and nowhere else:

- every value taken from the view is recorded in `reads`, by field; a frame that reverts has read what it has read;
- balances are kept as differences, so that paying needs only a least balance and being paid needs none;
- every change is journaled as (mapping, key, old value), so that undoing a frame is walking back.
"""

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from chain.accounts import WITHOUT_CODE, Account
from chain.keccak import EMPTY_HASH, keccak256
from chain.receipts import Log
from chain.types import Address, Hash32, Wei
from execution.outcome import MAX_BALANCE, Reads, Slot, StateView, Writes

Journal = list[tuple[dict[Any, Any], Any, Any]]
_ABSENT = object()
_REFUND = "refund"


@runtime_checkable
class KnowsStorage(Protocol):
    """A view that can tell whether an account has any storage, for creations onto such an account (EIP-7610).

    Only genesis or an operator can give storage to an account that has neither nonce nor code, so a view over a chain
    that forbids this need not implement it.
    """

    def has_storage(self, address: Address) -> bool: ...


class AccountDB:
    """One transaction's accounts, storage, warm sets, transient storage, logs and gas refund."""

    def __init__(self, view: StateView, warm: Iterable[Address] = ()) -> None:
        self._view = view
        self.reads = Reads()
        self.logs: list[Log] = []
        self.undone_logs = 0
        self.warm: dict[Address | Slot, bool] = dict.fromkeys(warm, True)
        self.created: dict[Address, bool] = {}
        self._destroyed: dict[Address, bool] = {}
        self._touched: dict[Address, bool] = {}
        self._accounts: dict[Address, Account] = {}
        self._nonces: dict[Address, int] = {}
        self._codes: dict[Address, bytes] = {}
        self._codes_read: dict[Address, bytes] = {}
        self._deltas: dict[Address, int] = {}
        self._slots: dict[Slot, int] = {}
        self._transient: dict[Slot, int] = {}
        self._counters: dict[str, int] = {_REFUND: 0}
        self._journal: Journal = []

    def _account(self, address: Address) -> Account:
        account = self._accounts.get(address)
        if account is None:
            account = self._accounts[address] = self._view.account(address)
        return account

    def _set(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        self._journal.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    # Checkpoints

    def record(self) -> tuple[int, int]:
        """A point to come back to."""
        return len(self._journal), len(self.logs)

    def discard(self, checkpoint: tuple[int, int]) -> None:
        """Undoes every change since the checkpoint. What was read stays read."""
        length, logs = checkpoint
        journal = self._journal
        while len(journal) > length:
            mapping, key, old = journal.pop()
            if old is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = old
        self.undone_logs += len(self.logs) - logs
        del self.logs[logs:]

    # Nonces

    def get_nonce(self, address: Address) -> int:
        nonce = self._nonces.get(address)
        if nonce is None:
            nonce = self.reads.nonces[address] = self._account(address).nonce
        return nonce

    def set_nonce(self, address: Address, nonce: int) -> None:
        self._set(self._nonces, address, nonce)

    def increment_nonce(self, address: Address) -> None:
        self.set_nonce(address, self.get_nonce(address) + 1)

    # Balances

    def get_balance(self, address: Address) -> int:
        """The exact balance, for bytecode that observes it."""
        balance = self.reads.balances[address] = self._account(address).balance
        return min(balance + self._deltas.get(address, 0), MAX_BALANCE)

    def can_pay(self, address: Address, amount: int) -> bool:
        """Whether the balance is at least `amount`. A yes depends on a least balance only, a no on the exact one."""
        if amount == 0:
            return True
        balance = self._account(address).balance
        needed = amount - self._deltas.get(address, 0)
        if balance < needed:
            self.reads.balances[address] = balance
            return False
        if needed > self.reads.minimums.get(address, 0):
            self.reads.minimums[address] = Wei(needed)
        return True

    def delta_balance(self, address: Address, delta: int) -> None:
        """Adds to a balance, or takes what `can_pay` has allowed for."""
        if delta:
            self._set(self._deltas, address, self._deltas.get(address, 0) + delta)

    def transfer(self, sender: Address, recipient: Address, amount: int) -> None:
        """Moves what `can_pay` has allowed for. Being paid depends on whether an account is there, and its code."""
        if not amount:
            return
        self.delta_balance(sender, -amount)
        account = self._account(recipient)
        self.reads.empty[recipient] = account.is_empty
        self.reads.code_hashes[recipient] = account.code_hash
        self.delta_balance(recipient, amount)

    # Code

    def get_code_hash(self, address: Address) -> Hash32:
        code = self._codes.get(address)
        if code is not None:
            return keccak256(code)
        code_hash = self.reads.code_hashes[address] = self._account(address).code_hash
        return code_hash

    def get_code(self, address: Address) -> bytes:
        code = self._codes.get(address)
        if code is None:
            code = self._codes_read.get(address)
        if code is None:
            code_hash = self.reads.code_hashes[address] = self._account(address).code_hash
            code = b"" if code_hash in WITHOUT_CODE else self._view.code(code_hash)
            self._codes_read[address] = code
        return code

    def set_code(self, address: Address, code: bytes) -> None:
        self._set(self._codes, address, code)

    # Accounts

    def account_is_empty(self, address: Address) -> bool:
        """No nonce, no balance, no code (EIP-161). Depends on as little of the account as decides it."""
        delta = self._deltas.get(address, 0)
        if delta > 0 or self._nonces.get(address) or self._codes.get(address) or address in self._touched:
            return False
        if delta == 0 and address not in self._nonces and address not in self._codes:
            empty = self.reads.empty[address] = self._account(address).is_empty
            return empty
        if self.get_code_hash(address) != EMPTY_HASH:
            return False
        return not self.get_nonce(address) and not self.get_balance(address)

    def account_exists(self, address: Address) -> bool:
        return not self.account_is_empty(address)

    def is_taken(self, address: Address) -> bool:
        """Whether no contract can be created here: there is a nonce, code or storage (EIP-684, EIP-7610)."""
        if self.get_nonce(address) or self.get_code_hash(address) not in WITHOUT_CODE:
            return True
        return isinstance(self._view, KnowsStorage) and self._view.has_storage(address)

    def create_account(self, address: Address, nonce: int = 1) -> None:
        """Begins a contract: nonce 1 since EIP-161, empty storage."""
        self._set(self.created, address, True)
        self.set_nonce(address, nonce)

    def touch(self, address: Address) -> None:
        """Brings an account into existence, be it empty, as every message did before EIP-161."""
        self._set(self._touched, address, True)

    def destroy_account(self, address: Address) -> None:
        """Marks an account of which nothing is left at the transaction's end."""
        self._set(self._destroyed, address, True)

    def is_destroyed(self, address: Address) -> bool:
        return address in self._destroyed

    @property
    def destroyed(self) -> tuple[Address, ...]:
        return tuple(self._destroyed)

    # Storage

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """A slot now, or as it was before the transaction."""
        key = (address, slot)
        if from_journal:
            value = self._slots.get(key)
            if value is not None:
                return value
        value = self.reads.slots.get(key)
        if value is None:
            if address in self.created:
                return 0
            value = self.reads.slots[key] = self._view.slot(address, slot)
        return value

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        self._set(self._slots, (address, slot), value)

    def get_transient_storage(self, address: Address, slot: int) -> int:
        return self._transient.get((address, slot), 0)

    def set_transient_storage(self, address: Address, slot: int, value: int) -> None:
        self._set(self._transient, (address, slot), value)

    # Warm sets (EIP-2929), keyed by address or by slot

    def warm_up(self, key: Address | Slot) -> bool:
        """Marks as accessed; True if it was cold."""
        if key in self.warm:
            return False
        self._journal.append((self.warm, key, _ABSENT))
        self.warm[key] = True
        return True

    def is_address_warm(self, address: Address) -> bool:
        return address in self.warm

    def mark_address_warm(self, address: Address) -> None:
        self.warm_up(address)

    # Gas refunds

    @property
    def refund(self) -> int:
        return self._counters[_REFUND]

    def add_refund(self, amount: int) -> None:
        self._set(self._counters, _REFUND, self._counters[_REFUND] + amount)

    # The result

    def writes(self) -> Writes:
        """What the transaction changed, compared with the view; destroyed accounts leave only what they lost."""
        gone = self._destroyed
        older = [address for address in gone if address not in self.created]
        writes = Writes(
            nonces=dict.fromkeys(older, 0),
            codes=dict.fromkeys(older, b""),
            cleared=(*self.created, *older),
            touched=tuple([address for address in self._touched if address not in gone]),
        )
        for address, nonce in self._nonces.items():
            if address not in gone and nonce != self._account(address).nonce:
                writes.nonces[address] = nonce
        for address, code in self._codes.items():
            if address not in gone and keccak256(code) != self._account(address).code_hash:
                writes.codes[address] = code
        for key, value in self._slots.items():
            if key[0] not in gone and value != self.reads.slots.get(key, 0):
                writes.slots[key] = value
        for address, delta in self._deltas.items():
            if address not in gone and delta:
                writes.balances[address] = delta
        for address in gone:
            balance = self.reads.balances[address] = self._account(address).balance
            if balance:
                writes.balances[address] = -balance
        return writes
