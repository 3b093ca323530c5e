"""Accounts under the rules from Spurious Dragon to Shanghai, when states could still hold empty ones (EIP-161).

No state holds any since the merge (EIP-7523), so Cancun and later need not look for them.
"""

from collections.abc import Iterable

from chain.accounts import THERE_WITHOUT_CODE
from chain.types import Address
from execution.evm.account_db import AccountDB
from execution.outcome import StateView, Writes

RIPEMD = Address(bytes(19) + b"\x03")


class SweepingAccountDB(AccountDB):
    """An account that a message or a self-destruction names is gone afterwards if it is empty."""

    def __init__(self, view: StateView, warm: Iterable[Address] = ()) -> None:
        super().__init__(view, warm)
        self._named: dict[Address, bool] = {}

    def touch(self, address: Address) -> None:
        """Of RIPEMD-160's contract even a call that fails counts, as it did on mainnet (block 2,675,119)."""
        if address == RIPEMD:
            self._named[address] = True
        else:
            self._set(self._named, address, True)

    def account_is_empty(self, address: Address) -> bool:
        return super().account_is_empty(address) or self._is_there_in_vain(address)

    def writes(self) -> Writes:
        writes = super().writes()
        for address in self._named:
            if address not in writes.balances and self.account_is_empty(address):
                writes.balances[address] = 0
                if self._is_there_in_vain(address):
                    writes.codes[address] = b""
        return writes

    def _is_there_in_vain(self, address: Address) -> bool:
        """One that an earlier rule or genesis has brought about empty, and that nothing has changed since."""
        changes = (self._nonces.get(address), self._codes.get(address), self._deltas.get(address))
        return not any(changes) and self.get_code_hash(address) == THERE_WITHOUT_CODE
