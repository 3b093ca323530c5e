"""A whole state in memory: what a test starts from, and what the writes of its transactions are applied to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chain.accounts import EMPTY_ACCOUNT, THERE_WITHOUT_CODE, WITHOUT_CODE, Account
from chain.forks import Fork
from chain.keccak import EMPTY_HASH, keccak256
from chain.types import Address, BlockNumber, Hash32, Wei
from execution.outcome import Writes
from storage.roots import state_root


def hash_by_number(number: BlockNumber) -> Hash32:
    """What state tests take for the hash of a block."""
    return keccak256(str(number).encode())


@dataclass
class MemoryState:
    """Implements execution's StateView. `block_hash_of` gives the hashes that bytecode asks for."""

    accounts: dict[Address, Account] = field(default_factory=dict)
    slots: dict[Address, dict[int, int]] = field(default_factory=dict)
    codes: dict[Hash32, bytes] = field(default_factory=lambda: dict.fromkeys(WITHOUT_CODE, b""))
    block_hash_of: Callable[[BlockNumber], Hash32] = hash_by_number

    def account(self, address: Address) -> Account:
        return self.accounts.get(address, EMPTY_ACCOUNT)

    def slot(self, address: Address, number: int) -> int:
        return self.slots.get(address, {}).get(number, 0)

    def code(self, code_hash: Hash32) -> bytes:
        return self.codes[code_hash]

    def block_hash(self, number: BlockNumber) -> Hash32:
        return self.block_hash_of(number)

    def has_storage(self, address: Address) -> bool:
        return bool(self.slots.get(address))

    def put(
        self, address: Address, nonce: int, balance: int, code: bytes, slots: dict[int, int], fork: Fork = Fork.OSAKA
    ) -> None:
        """Add an account. Before EIP-161 one that is empty is there all the same."""
        account = Account(nonce, Wei(balance), keccak256(code))
        if account.is_empty and fork < Fork.SPURIOUS_DRAGON:
            account = Account(code_hash=THERE_WITHOUT_CODE)
        self.codes[account.code_hash] = code
        self.accounts[address] = account
        self.slots[address] = {number: value for number, value in slots.items() if value}

    def apply(self, writes: Writes) -> None:
        """Changes the state. Accounts that end up empty are gone (EIP-161)."""
        for address in writes.cleared:
            self.slots.pop(address, None)
        for address in {*writes.nonces, *writes.balances, *writes.codes}:
            self._change(address, writes)
        for address in writes.touched:
            if self.account(address).is_empty:
                self.accounts[address] = Account(code_hash=THERE_WITHOUT_CODE)
        for (address, number), value in writes.slots.items():
            slots = self.slots.setdefault(address, {})
            slots[number] = value
            if not value:
                del slots[number]

    def copy(self) -> "MemoryState":
        slots = {address: dict(slots) for address, slots in self.slots.items()}
        return MemoryState(dict(self.accounts), slots, self.codes, self.block_hash_of)

    def root(self) -> Hash32:
        return state_root((address, account, self.slots.get(address, {})) for address, account in self.accounts.items())

    def _change(self, address: Address, writes: Writes) -> None:
        old = self.account(address)
        code_hash = old.code_hash
        if address in writes.codes:
            code_hash = keccak256(writes.codes[address])
            self.codes[code_hash] = writes.codes[address]
        nonce, balance = writes.nonces.get(address, old.nonce), Wei(old.balance + writes.balances.get(address, 0))
        assert balance >= 0, f"0x{address.hex()} is left with {balance} wei"
        if code_hash == THERE_WITHOUT_CODE and (nonce or balance):
            code_hash = EMPTY_HASH
        self.accounts[address] = Account(nonce, balance, code_hash)
        if self.accounts[address].is_empty:
            del self.accounts[address]
