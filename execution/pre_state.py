"""What was read of the state before a block: kept while it runs, for a block case."""

from collections.abc import Iterable
from math import inf

from chain.accounts import Account
from chain.block_case import CaseAccount
from chain.types import Address, BlockNumber, Hash32
from execution.errors import ExecutionError
from execution.known import KnownState
from execution.outcome import Outcome, Slot


class PreStateTooLarge(ExecutionError):
    """A block looks at contracts with more code than a case is to hold."""

    def __init__(self, max_code_bytes: float) -> None:
        super().__init__(f"the contracts that the block looks at have more than {max_code_bytes:,} bytes of code")


class WatchedState:
    """A known state that remembers what it was asked for. The methods raise Missing as KnownState's do."""

    def __init__(self, known: KnownState) -> None:
        self._known = known
        self._accounts: dict[Address, Account] = {}
        self._slots: dict[Slot, int] = {}
        self.block_hashes: dict[BlockNumber, Hash32] = {}

    def account(self, address: Address) -> Account:
        account = self._accounts[address] = self._known.account(address)
        return account

    def slot(self, key: Slot) -> int:
        value = self._slots[key] = self._known.slot(key)
        return value

    def code(self, code_hash: Hash32) -> bytes:
        return self._known.code(code_hash)

    def block_hash(self, number: BlockNumber) -> Hash32:
        block_hash = self.block_hashes[number] = self._known.block_hash(number)
        return block_hash

    def ask_for(self, outcomes: Iterable[Outcome]) -> None:
        """Remember also what these runs read. Raises Missing."""
        for outcome in outcomes:
            reads = outcome.reads
            for mapping in (reads.nonces, reads.code_hashes, reads.balances, reads.minimums, reads.empty):
                for address in mapping:
                    self.account(address)
            for key in reads.slots:
                self.slot(key)

    def accounts(self, max_code_bytes: float = inf) -> dict[Address, CaseAccount]:
        """Every account asked for, with its code and the slots asked for; those that do not exist are left out.

        Raises Missing, and PreStateTooLarge if there is more code than that.
        """
        slots: dict[Address, dict[int, int]] = {}
        for (address, number), value in self._slots.items():
            if value:
                slots.setdefault(address, {})[number] = value
        addresses = dict.fromkeys([*self._accounts, *slots])
        found, code_bytes = {}, 0
        for address in addresses:
            account = self.account(address)
            if not account.is_empty or address in slots:
                code = self._known.code(account.code_hash)
                code_bytes += len(code)
                if code_bytes > max_code_bytes:
                    raise PreStateTooLarge(max_code_bytes)
                found[address] = CaseAccount(account.nonce, account.balance, code, slots.get(address, {}))
        return found
